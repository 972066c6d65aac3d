// What the names of values and sessions say.

enum RecordNames {
  /// The longest id or peer, in bytes.
  static let byteCountMaximum = 1024

  /// Why a name cannot be used; nil if it can.
  static func flaw(of name: some Collection<UInt8>, _ what: String) -> String? {
    if name.isEmpty { return "\(what) is empty" }
    if name.count > byteCountMaximum { return "\(what) has more than \(byteCountMaximum) bytes" }
    if name.contains(0) { return "\(what) has a zero byte" }
    return nil
  }

  /// Whether a session deletes its value. Only its last character tells.
  static func isDeleteSession(_ session: some BidirectionalCollection<UInt8>) -> Bool {
    session.last == UInt8(ascii: "$")
  }

  /// The account that owns a session; nil if an agent does.
  static func owner(ofSession session: [UInt8]) -> [UInt8]? {
    guard session.starts(with: "co_".utf8) else { return nil }
    let mark = Array("_session".utf8)
    guard session.count >= mark.count else { return nil }
    for start in 0...session.count - mark.count
    where session[start..<start + mark.count].elementsEqual(mark) {
      return Array(session[..<start])
    }
    return nil
  }
}
