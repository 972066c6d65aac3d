// Swift's strings and the kernel's: bytes that end with a zero. Not in SluiceSystem, because
// libsluice.so would grow by 16 KB of Unicode tables.

package import SluiceSystem

/// `text` as zero-terminated UTF-8.
package func cString(_ text: String) -> [CChar] { text.utf8.map { CChar(bitPattern: $0) } + [0] }

extension String {
  /// The text before the zero. Bytes that are not UTF-8 are replaced.
  package init(zeroTerminated bytes: [CChar]) {
    self.init(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension Errno {
  /// The system's description.
  package var message: String { unsafe String(cString: text) }
}
