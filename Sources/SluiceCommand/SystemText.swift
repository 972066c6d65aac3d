// Text that goes to the operating system, or comes from it.

internal import CSluice
internal import SluiceSystem

/// The text as C has it.
package func zeroTerminated(_ text: String) -> [CChar] {
  text.utf8.map { CChar(bitPattern: $0) } + [0]
}

/// The text of `errno`.
package func lastErrorText() -> String {
  unsafe String(cString: sluice_errno_text(sluice_errno()))
}

/// A small file as text, such as those in /proc. Nil where it cannot be read.
package func textOfFile(_ path: String) -> String? {
  guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), .readOnly) else {
    return nil
  }
  var bytes = [UInt8](repeating: 0, count: 1 << 18)
  let count = try? unsafe bytes.withUnsafeMutableBytes { (bytes) throws(Errno) in
    try unsafe file.read(into: bytes, at: 0)
  }
  return count.map { String(decoding: bytes[..<$0], as: UTF8.self) }
}
