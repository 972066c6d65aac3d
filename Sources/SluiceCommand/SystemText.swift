// Text that goes to the operating system, or comes from it.
//
// The system's words (arguments, paths, the environment) are bytes and need not be UTF-8. As text,
// a byte that is no UTF-8 is one of the 128 scalars of `escapes`, the last of Unicode's private use.
// `zeroTerminated` makes the byte of it again, so that every word passes through text unchanged.
// Where such a scalar stands in a word itself, its bytes are escaped, so that nothing is ambiguous.

internal import CSluice
internal import SluiceSystem

/// The scalar at the start stands for byte 0x80.
private let escapes: ClosedRange<UInt32> = 0x10ff80...0x10ffff

/// The bytes as text, of which `zeroTerminated` makes the same bytes.
package func text(ofBytes bytes: some Sequence<UInt8>) -> String {
  let bytes = Array(bytes)
  var result = String.UnicodeScalarView()
  var index = 0
  while index < bytes.count {
    let scalar = scalarLengths(bytes[index]).flatMap { count -> Unicode.Scalar? in
      guard index + count <= bytes.count,
        let part = String(validating: bytes[index..<index + count], as: UTF8.self)
      else { return nil }
      return part.unicodeScalars.first
    }
    if let scalar, !escapes.contains(scalar.value) {
      result.append(scalar)
      index += UTF8.width(scalar)
    } else {
      let value = escapes.lowerBound + UInt32(bytes[index]) - 0x80
      result.append(Unicode.Scalar(value)!)
      index += 1
    }
  }
  return String(result)
}

/// How many bytes a scalar has that begins with this byte; nil where none does.
private func scalarLengths(_ first: UInt8) -> Int? {
  switch first {
  case 0..<0x80: 1
  case 0xc2..<0xe0: 2
  case 0xe0..<0xf0: 3
  case 0xf0..<0xf5: 4
  default: nil
  }
}

/// The same of a word as C has it.
package func text(of word: UnsafePointer<CChar>) -> String {
  unsafe text(ofBytes: UnsafeRawBufferPointer(start: word, count: strlen(word)))
}

/// The text as C has it.
package func zeroTerminated(_ text: String) -> [CChar] {
  bytes(of: text).map { CChar(bitPattern: $0) } + [0]
}

/// The bytes that the text stands for.
package func bytes(of text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  for scalar in text.unicodeScalars {
    if escapes.contains(scalar.value) {
      bytes.append(UInt8(scalar.value - escapes.lowerBound + 0x80))
    } else {
      bytes.append(contentsOf: UTF8.encode(scalar)!)
    }
  }
  return bytes
}

/// The text of `errno`.
package func lastErrorText() -> String {
  unsafe String(cString: sluice_errno_text(sluice_errno()))
}

/// A small file as text, such as those in /proc; its beginning, if it has more bytes than the maximum.
/// Nil where it cannot be read.
package func textOfFile(_ path: String, byteCountMaximum: Int = 1 << 18) -> String? {
  guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), .readOnly) else {
    return nil
  }
  var bytes = [UInt8](repeating: 0, count: byteCountMaximum)
  let count = try? unsafe bytes.withUnsafeMutableBytes { (bytes) throws(Errno) in
    try unsafe file.read(into: bytes, at: 0)
  }
  return count.map { String(decoding: bytes[..<$0], as: UTF8.self) }
}
