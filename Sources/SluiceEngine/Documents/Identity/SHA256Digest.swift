// SHA-256 of bytes and of digests, from CCrypto.

internal import CCrypto
internal import SluiceAutomerge

/// 32 bytes that stand for others.
package struct SHA256Digest: Hashable, Sendable {
  /// The bytes in their order, in the machine's words.
  private var words: Words

  private struct Words: Hashable, Sendable {
    var first: UInt64 = 0
    var second: UInt64 = 0
    var third: UInt64 = 0
    var fourth: UInt64 = 0
  }

  package static let byteCount = 32

  /// The digest of `bytes`.
  package init(of bytes: [UInt8]) {
    words = Words()
    unsafe withUnsafeMutableBytes(of: &words) { digest in
      unsafe ccrypto_sha256(bytes, bytes.count, Self.start(of: digest))
    }
  }

  /// The digest of the 32 bytes of `first` and of `rest` behind them.
  init(of first: SHA256Digest, then rest: [UInt8]) {
    words = Words()
    var state = ccrypto_sha256_state()
    unsafe ccrypto_sha256_begin(&state)
    unsafe first.withBytes { unsafe ccrypto_sha256_add(&state, $0.baseAddress, $0.count) }
    unsafe ccrypto_sha256_add(&state, rest, rest.count)
    unsafe withUnsafeMutableBytes(of: &words) { digest in
      unsafe ccrypto_sha256_end(&state, Self.start(of: digest))
    }
  }

  /// The digest of two digests, one behind the other.
  package init(of first: SHA256Digest, then second: SHA256Digest) {
    words = Words()
    let both = (first, second)
    unsafe withUnsafeBytes(of: both) { bytes in
      unsafe withUnsafeMutableBytes(of: &words) { digest in
        unsafe ccrypto_sha256(
          bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count,
          Self.start(of: digest))
      }
    }
  }

  /// Nil unless there are 32 bytes.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    words = Words()
    unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
  }

  package var bytes: [UInt8] { unsafe withBytes { unsafe Array($0) } }

  /// 64 lower-case hexadecimal digits.
  package var hex: String { hexText(bytes) }

  func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    unsafe withUnsafeBytes(of: words) { unsafe body($0.assumingMemoryBound(to: UInt8.self)) }
  }

  private static func start(of digest: UnsafeMutableRawBufferPointer) -> UnsafeMutablePointer<
    UInt8
  >? {
    unsafe digest.baseAddress?.assumingMemoryBound(to: UInt8.self)
  }
}
