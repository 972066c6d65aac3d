// Why a function of a C interface fails.

public struct CallFailure: Error {
  public let code: Int32
  /// The cause, and the remedy if there is one (UTF-8).
  public let message: [UInt8]
  /// The byte in the SQL where it lies; -1: nowhere.
  public let offset: Int64

  public init(_ code: Int32, _ message: [UInt8], offset: Int64 = -1) {
    self.code = code
    self.message = message
    self.offset = offset
  }

  /// A failure of the call itself.
  @inline(never)
  public static func own(_ code: Int32, _ text: StaticString) -> CallFailure {
    CallFailure(code, bytes(text))
  }
}

@inline(never)
public func bytes(_ text: StaticString) -> [UInt8] {
  unsafe Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
}
