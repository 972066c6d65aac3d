// Between Swift's strings and the kernel's.

/// Zero-terminated UTF-8.
func cString(_ text: String) -> [CChar] { text.utf8.map { CChar(bitPattern: $0) } + [0] }

extension String {
  /// The text before the zero; what is not UTF-8 in it is replaced.
  init(zeroTerminated bytes: [CChar]) {
    self.init(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
