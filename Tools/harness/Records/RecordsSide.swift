// Connections to the records of an engine under test.

internal import SluiceClient
internal import SluiceCommand
internal import SluiceRecords

enum RecordsSide {
  static func open(
    _ socket: String, _ path: String, _ options: RecordOpenOptions = RecordOpenOptions()
  ) throws(HarnessError) -> RecordConnection {
    let session: RingSession
    do throws(ConnectError) {
      session = try RingSession.connect(toSocket: zeroTerminated(socket))
    } catch { throw .failed("\(socket): \(error)") }
    do throws(RecordFailure) {
      return try RecordConnection(session, path: Array(path.utf8), options: options)
    } catch { throw .difference("open \(path): \(error.wording)") }
  }
}

extension RecordFailure {
  /// In one line, for people.
  var wording: String { "\(self): \(String(decoding: message, as: UTF8.self))" }
}

extension RecordMessage {
  /// For people; equal messages have equal texts, and others do not.
  var text: String {
    func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
    let sessions = sessions.map { session in
      let transactions = session.transactions.map { text($0) }.joined(separator: " | ")
      return "\(text(session.session)) \(session.after) [\(transactions)]"
        + " \(text(session.lastSignature))"
    }
    let expected = expectContentUntil.map { counters in
      " until " + counters.map { "\(text($0.session)) \($0.count)" }.joined(separator: ", ")
    }
    return "\(text(id)) \(priority) \(header.map { text($0) } ?? "-") \(sessions)"
      + (expected ?? "")
  }
}
