// Why a session ends: the status codes of RFC 6455, section 7.4.

package struct CloseCode: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let normal = CloseCode(rawValue: 1000)
  /// The server ends, or a page is left.
  package static let goingAway = CloseCode(rawValue: 1001)
  package static let protocolError = CloseCode(rawValue: 1002)
  package static let unsupportedData = CloseCode(rawValue: 1003)
  /// Text that is no UTF-8, or a message that cannot be read.
  package static let invalidData = CloseCode(rawValue: 1007)
  /// The client breaks a rule of the server, for instance is too slow.
  package static let policyViolation = CloseCode(rawValue: 1008)
  package static let tooLarge = CloseCode(rawValue: 1009)
  package static let serverError = CloseCode(rawValue: 1011)
  package static let tryAgainLater = CloseCode(rawValue: 1013)

  /// Whether the code may stand in a Close frame: it is registered, or free for applications. 1004 to
  /// 1006 and 1015 say something else, and the rest is reserved.
  package var isSendable: Bool {
    switch rawValue {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
