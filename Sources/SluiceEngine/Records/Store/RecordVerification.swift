// Checks a record store: that rows, counters and lists agree. It changes nothing.

struct RecordVerification {
  private let store: RecordStore

  init(_ store: RecordStore) { self.store = store }

  /// How many values one call checks.
  private static let valueCount = 200
  /// How many findings of one call are told in words.
  private static let findingCountMaximum = 100

  /// Checks some values behind this row, and calls `tell` with each finding. Gives the row of the
  /// last; nil behind the last value, after which the rest was checked, too.
  func check(
    behind offset: UInt64, _ tell: ([UInt8]) -> Bool
  ) throws(DatabaseError) -> UInt64? {
    var values: [(row: UInt64, id: [UInt8])] = []
    try unsafe store.coValueIDs(behind: offset) { (row, id) in
      unsafe values.append((row, Array(id)))
      return values.count < Self.valueCount
    }
    var untoldCount = 0
    var toldCount = 0
    func say(_ text: String) {
      if toldCount < Self.findingCountMaximum, tell(Array(text.utf8.prefix(400))) {
        toldCount += 1
      } else {
        untoldCount += 1
      }
    }
    defer { if untoldCount > 0 { _ = tell(Array("… and \(untoldCount) more findings".utf8)) } }
    var expected = offset
    for (row, id) in values {
      expected += 1
      if row != expected { say("values: row \(expected) is missing before row \(row)") }
      expected = row
      try check(row, id, say)
    }
    guard values.count == Self.valueCount, let last = values.last else {
      try checkRest(lastRow: values.last?.row ?? offset, say)
      return nil
    }
    return last.row
  }

  private func check(
    _ row: UInt64, _ id: [UInt8], _ say: (String) -> Void
  ) throws(DatabaseError) {
    let name = String(decoding: id, as: UTF8.self)
    guard let stored = try store.coValue(id), stored.row == row else {
      return say("\(name): row \(row) does not lead to it")
    }
    if RecordHeader(stored.header) == nil { say("\(name): its header is no JSON object") }
    for session in try store.sessions(of: row) {
      try check(
        session, "\(name), session \(String(decoding: session.id, as: UTF8.self))", row, say)
    }
  }

  private func check(
    _ session: NamedSession, _ name: String, _ row: UInt64, _ say: (String) -> Void
  ) throws(DatabaseError) {
    let key = RecordKeys.number(row) + session.id
    if try store.base.get(.sessionByRow, RecordKeys.number(session.stored.row)) != key {
      say("\(name): row \(session.stored.row) does not lead to it")
    }
    let prefix = KeyRange(prefix: RecordKeys.number(session.stored.row))
    var next: UInt64 = 0
    try unsafe store.base.scan(.transactions, prefix) { (key, text) throws(DatabaseError) in
      var bytes = unsafe StoredBytes(key.dropFirst(8))
      let index = UInt64(try bytes.number(UInt32.self))
      if index != next { say("\(name): transaction \(next) is missing before \(index)") }
      if unsafe TransactionText.size(of: text) == nil {
        say("\(name): transaction \(index) is no transaction")
      }
      next = index + 1
      return true
    }
    if next != UInt64(session.stored.count) {
      say(
        "\(name): it counts \(session.stored.count) transactions, and the last is \(Int64(next) - 1)"
      )
    }
    try unsafe store.base.scan(.signatureAfter, prefix) { (key, _) throws(DatabaseError) in
      var bytes = unsafe StoredBytes(key.dropFirst(8))
      let index = try bytes.number(UInt32.self)
      if index >= session.stored.count {
        say("\(name): a signature covers transaction \(index), which is not there")
      }
      return true
    }
  }

  /// What belongs to no value: rows of sessions and their items, and the counters.
  private func checkRest(lastRow: UInt64, _ say: (String) -> Void) throws(DatabaseError) {
    let count = try store.coValueCount()
    if count != lastRow { say("the store counts \(count) values, and the last is \(lastRow)") }
    for partition in [Partition.transactions, .signatureAfter] {
      // From session to session, so that a large one costs one look.
      var start: [UInt8] = []
      while true {
        var session: [UInt8]?
        try unsafe store.base.scan(partition, KeyRange(from: start, to: nil)) { (key, _) in
          session = unsafe Array(key.prefix(8))
          return false
        }
        guard let session else { break }
        if try store.base.get(.sessionByRow, session) == nil {
          var bytes = StoredBytes(session)
          say(
            "\(partition.name): rows of session \(try bytes.number(UInt64.self)), which is not there"
          )
        }
        guard let end = KeyRange(prefix: session).end else { break }
        start = end
      }
    }
  }
}
