// What a record store holds, as a plain value: the model that gives the right answer to each call. It
// follows the rules of Protocol/RECORDS.md and shares no code with the engine.

internal import SluiceRecords

struct ModelStore {
  struct Session: Equatable {
    var id: String
    var transactions: [ModelTransaction] = []
    /// By the index of the last transaction that each covers.
    var signatures: [(index: Int, signature: [UInt8])] = []
    var lastSignature: [UInt8] = []
    var sizeSinceSignature: UInt64 = 0

    var deletes: Bool { id.hasSuffix("$") }

    static func == (a: Session, b: Session) -> Bool {
      a.id == b.id && a.transactions == b.transactions && a.lastSignature == b.lastSignature
    }
  }

  struct Value {
    var header: ModelHeader
    /// In the order of their creation.
    var sessions: [Session] = []

    func count(of session: String) -> Int? {
      sessions.first { $0.id == session }?.transactions.count
    }
  }

  /// A message and what the model has to know of it.
  struct Message {
    struct Part {
      var session: String
      var after: UInt64
      var transactions: [ModelTransaction]
      var signature: [UInt8]
    }

    var id: String
    var header: ModelHeader?
    var parts: [Part] = []
    var deleteIsValid = false
    /// It has a flaw that is found before the store is looked at.
    var isRefused = false

    /// In one line, for people.
    var summary: String {
      let parts = parts.map { part in
        "\(part.session) \(part.after)+\(part.transactions.count)"
      }
      return id + (header == nil ? "" : " with header") + (deleteIsValid ? ", deletable" : "")
        + (isRefused ? ", refused" : "") + " [\(parts.joined(separator: ", "))]"
    }
  }

  /// What becomes of a message; the counts are those of its sessions.
  enum Outcome: Equatable {
    case stored([UInt64?])
    case noHeader
    case gaps([UInt64?])
    case refused
  }

  private(set) var values: [String: Value] = [:]
  /// In the order of their creation.
  private(set) var ids: [String] = []
  /// Whether each value that was deleted was erased.
  private var erased: [String: Bool] = [:]
  private var unsyncedPairs: Set<[String]> = []
  let signatureInterval: UInt64

  init(signatureInterval: UInt64) { self.signatureInterval = signatureInterval }

  // MARK: Storing

  mutating func store(_ message: Message) -> Outcome {
    if message.isRefused || message.header?.isSound == false { return .refused }
    if values[message.id] == nil, message.header == nil { return .noHeader }
    for part in message.parts {
      let count = UInt64(values[message.id]?.count(of: part.session) ?? 0)
      let new = count < part.after ? [] : part.transactions.dropFirst(Int(count - part.after))
      if new.contains(where: { !$0.isSound }) { return .refused }
    }
    if values[message.id] == nil, let header = message.header {
      values[message.id] = Value(header: header)
      ids.append(message.id)
    }
    var counts: [UInt64?] = []
    var hasGap = false
    for part in message.parts {
      if part.session.hasSuffix("$"), message.deleteIsValid, erased[message.id] == nil {
        erased[message.id] = false
      }
      let count = store(part, in: message.id)
      counts.append(count)
      let present = values[message.id]?.count(of: part.session) ?? 0
      if UInt64(present) < part.after { hasGap = true }
    }
    return hasGap ? .gaps(counts) : .stored(counts)
  }

  /// The count of the session then; nil if it has a gap and is not there.
  private mutating func store(_ part: Message.Part, in id: String) -> UInt64? {
    let index = values[id]!.sessions.firstIndex { $0.id == part.session }
    let count = UInt64(values[id]!.count(of: part.session) ?? 0)
    if count < part.after { return index == nil ? nil : count }
    let new = part.transactions.dropFirst(Int(count - part.after))
    guard !new.isEmpty else { return count }
    var session = index.map { values[id]!.sessions[$0] } ?? Session(id: part.session)
    session.transactions += new
    session.lastSignature = part.signature
    session.sizeSinceSignature += new.reduce(0) { $0 + $1.size }
    if session.sizeSinceSignature > signatureInterval {
      session.signatures.append((session.transactions.count - 1, part.signature))
      session.sizeSinceSignature = 0
    }
    if let index {
      values[id]!.sessions[index] = session
    } else {
      values[id]!.sessions.append(session)
    }
    return UInt64(session.transactions.count)
  }

  // MARK: Deletion

  /// Erases the deleted values that have a delete session.
  mutating func eraseAll() {
    for (id, isErased) in erased where !isErased {
      guard let value = values[id] else {
        erased[id] = true
        continue
      }
      guard value.sessions.contains(where: \.deletes) else { continue }
      values[id]!.sessions.removeAll { !$0.deletes }
      erased[id] = true
    }
  }

  var waitingForErasureCount: UInt64 { UInt64(erased.values.count { !$0 }) }

  // MARK: Peers

  mutating func track(_ id: String, peer: String, isSynced: Bool) {
    if isSynced { unsyncedPairs.remove([id, peer]) } else { unsyncedPairs.insert([id, peer]) }
  }

  mutating func stopTracking(_ id: String) {
    unsyncedPairs = unsyncedPairs.filter { $0[0] != id }
  }

  /// Each once, in the order of bytes.
  var unsynced: [String] {
    Set(unsyncedPairs.map { $0[0] }).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  // MARK: Loading

  func knownState(_ id: String) -> [RecordCounter]? {
    values[id]?.sessions.map {
      RecordCounter(session: Array($0.id.utf8), count: UInt64($0.transactions.count))
    }
  }

  /// All messages of a load, those of the dependencies before the ones that need them. Each value
  /// that is begun is added to `inMemory`.
  func load(_ id: String, _ inMemory: inout Set<String>) -> [RecordMessage] {
    guard let value = values[id] else { return [] }
    inMemory.insert(id)
    var all: [RecordMessage] = []
    for (message, dependencies) in messages(of: id, value) {
      for dependency in dependencies where !inMemory.contains(dependency) {
        all += load(dependency, &inMemory)
      }
      all.append(message)
    }
    return all
  }

  /// The messages of a value alone.
  func messages(of id: String) -> [RecordMessage] {
    values[id].map { messages(of: id, $0).map(\.message) } ?? []
  }

  private func messages(
    of id: String, _ value: Value
  ) -> [(message: RecordMessage, dependencies: [String])] {
    func empty() -> (message: RecordMessage, dependencies: [String]) {
      var message = RecordMessage(id: Array(id.utf8), header: value.header.text)
      message.priority = value.header.priority
      return (message, value.header.named)
    }
    var all: [(message: RecordMessage, dependencies: [String])] = []
    var current = empty()
    for session in value.sessions {
      let pieces = pieces(of: session)
      for (range, signature) in pieces {
        var transactions = RecordTransactions()
        for transaction in session.transactions[range] { transactions.append(transaction.text) }
        current.message.sessions.append(
          RecordSessionContent(
            session: Array(session.id.utf8), after: UInt64(range.lowerBound),
            transactions: transactions, lastSignature: signature))
        current.dependencies += owner(of: session.id).map { [$0] } ?? []
        guard pieces.count > 1 else { continue }
        all.append(current)
        current = empty()
      }
    }
    if !current.message.sessions.isEmpty || all.isEmpty { all.append(current) }
    if value.sessions.contains(where: { !$0.signatures.isEmpty }) {
      all[0].message.expectContentUntil = knownState(id)
    }
    if value.header.isGroup {
      for index in all.indices { all[index].dependencies += keys(in: all[index].message, value) }
    }
    for index in all.indices { all[index].dependencies = distinct(all[index].dependencies, id) }
    return all
  }

  /// The pieces of a session: up to each kept signature, and the rest.
  private func pieces(of session: Session) -> [(Range<Int>, [UInt8])] {
    var pieces: [(Range<Int>, [UInt8])] = []
    var first = 0
    for (index, signature) in session.signatures {
      pieces.append((first..<index + 1, signature))
      first = index + 1
    }
    if session.signatures.last?.signature != session.lastSignature {
      pieces.append((first..<session.transactions.count, session.lastSignature))
    }
    return pieces
  }

  private func owner(of session: String) -> String? {
    session.hasPrefix("co_") ? session.split(separator: "_session").first.map(String.init) : nil
  }

  /// The values that the group's transactions in a message name.
  private func keys(in message: RecordMessage, _ value: Value) -> [String] {
    message.sessions.flatMap { part -> [String] in
      let name = String(decoding: part.session, as: UTF8.self)
      let session = value.sessions.first { $0.id == name }!
      let range = Int(part.after)..<Int(part.after) + part.transactions.count
      return session.transactions[range].flatMap(\.keys).compactMap { key in
        if key.hasPrefix("parent_co_") { return String(key.dropFirst("parent_".count)) }
        return key.hasPrefix("co_") ? key : nil
      }
    }
  }

  private func distinct(_ ids: [String], _ own: String) -> [String] {
    var seen: Set<String> = [own]
    return ids.filter { seen.insert($0).inserted }
  }
}
