// sluice-harness records model: some connections to an engine do random calls on two record stores, and
// a plain model says what each has to answer. One thread does all of them, in an order that the seed
// decides.

internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

final class RecordsModelRun {
  private let parameters: HarnessParameters
  private let sessionCount: Int
  private let operations: Int
  private let hasCanary: Bool
  private let stop: StopRequest
  private var generator: RecordsGenerator
  private var stores: [ModelStore]
  private var clients: [Client] = []
  private var outcome = Outcome()
  /// The last calls, for whoever has to understand a difference.
  private var steps: [String] = []

  struct Outcome {
    var operations = 0
    var messages = 0
    var refused = 0
    var loads = 0
    var loadedMessages = 0
    var erasures = 0
    var imports = 0
  }

  private final class Client {
    let connection: RecordConnection
    let store: Int
    /// The values that the engine may leave out of this client's loads.
    var inMemory: Set<String> = []

    init(_ connection: RecordConnection, store: Int) {
      self.connection = connection
      self.store = store
    }
  }

  private static let signatureInterval: UInt64 = 40
  private static let stepCountMaximum = 60

  init(
    _ parameters: HarnessParameters, sessions: Int, operations: Int, hasCanary: Bool,
    _ stop: StopRequest
  ) {
    self.parameters = parameters
    sessionCount = sessions
    self.operations = operations
    self.hasCanary = hasCanary
    self.stop = stop
    generator = RecordsGenerator(seed: parameters.seed)
    stores = Array(
      repeating: ModelStore(signatureInterval: Self.signatureInterval), count: 2)
  }

  func run() throws(HarnessError) -> Outcome {
    try HarnessEngine.use(below: parameters.directory) { (engine) throws(HarnessError) in
      for number in 0..<sessionCount { clients.append(try connect(engine, number % stores.count)) }
      while outcome.operations < operations {
        if outcome.operations % 100 == 0 { try stop.check() }
        outcome.operations += 1
        let index = generator.random.below(clients.count)
        if generator.random.once(in: 500) {
          let store = clients[index].store
          note(clients[index], "ends and connects again")
          clients[index].connection.end()
          clients[index] = try connect(engine, store)
        }
        try step(clients[index])
      }
      for client in clients { try verify(client) }
      clients = []
      return outcome
    }
  }

  private func connect(_ engine: HarnessEngine, _ store: Int) throws(HarnessError) -> Client {
    var options = RecordOpenOptions()
    options.signatureInterval = Self.signatureInterval
    if generator.random.once(in: 4) { options.durability = .full }
    return Client(
      try RecordsSide.open(engine.socket, "records\(store)", options), store: store)
  }

  private func step(_ client: Client) throws(HarnessError) {
    do {
      switch generator.random.below(40) {
      case 0..<16: try store(client)
      case 16..<26: try load(client)
      case 26, 27: try loadSeveral(client)
      case 28..<31: try knownState(client)
      case 31: try track(client)
      case 32: try lists(client)
      case 33..<36:
        let id = generator.id()
        note(client, "unmount \(id)")
        client.inMemory.remove(id)
        try client.connection.unmount(Array(id.utf8))
      case 36: try erase(client)
      case 37: try importing(client)
      case 38 where generator.random.once(in: 20): try verify(client)
      default: try knownState(client)
      }
    } catch let error as HarnessError {
      throw error
    } catch let error as RecordFailure {
      throw difference("a call failed: \(error.wording)")
    } catch { throw .failed("\(error)") }
  }

  /// The seed and the number of sessions repeat the run.
  private func difference(_ text: String) -> HarnessError {
    .difference(
      """
      seed \(parameters.seed), \(sessionCount) sessions, operation \(outcome.operations): \(text)
      the calls before, the last one at the end:
      \(steps.map { "  " + $0 }.joined(separator: "\n"))
      """)
  }

  /// Notes a call that begins.
  private func note(_ client: Client, _ text: String) {
    let index = clients.firstIndex { $0 === client } ?? -1
    if steps.count == Self.stepCountMaximum { steps.removeFirst() }
    steps.append("\(outcome.operations) client \(index), store \(client.store): \(text)")
  }

  private func expect<T: Equatable>(
    _ got: T, _ wanted: T, _ what: @autoclosure () -> String
  ) throws(HarnessError) {
    if got != wanted { throw difference("\(what()): the engine: \(got); the model: \(wanted)") }
  }

  // MARK: Steps

  private func store(_ client: Client) throws {
    var messages: [ModelStore.Message] = []
    var wanted: [ModelStore.Outcome] = []
    var goesOn = true
    for _ in 0..<1 + generator.random.below(4) {
      let message = generator.message(for: stores[client.store])
      messages.append(message)
      // Behind the first that is not stored, nothing is done.
      guard goesOn else { continue }
      let became = stores[client.store].store(message)
      wanted.append(became)
      switch became {
      case .stored: client.inMemory.insert(message.id)
      case .gaps:
        client.inMemory.insert(message.id)
        goesOn = false
      case .noHeader, .refused: goesOn = false
      }
    }
    if hasCanary, outcome.operations > 300, case .stored(let counts)? = wanted.last {
      wanted[wanted.count - 1] = .stored(counts + [7])
    }
    note(client, "store " + messages.map(\.summary).joined(separator: "; "))
    let got = try client.connection.store(messages.map { RecordStore($0) })
    outcome.messages += got.count
    if got.last?.isStored != true { outcome.refused += 1 }
    try expect(got.map(\.outcome), wanted, "a store of \(messages)")
  }

  private func load(_ client: Client) throws {
    let id = generator.id()
    note(client, "load \(id)")
    let isThere = stores[client.store].values[id] != nil
    let wanted = stores[client.store].load(id, &client.inMemory)
    var got: [RecordMessage] = []
    let isFound = try client.connection.load(Array(id.utf8)) { got.append($0) }
    try expect(isFound, isThere, "whether \(id) is there")
    outcome.loads += 1
    outcome.loadedMessages += got.count
    for (index, message) in wanted.enumerated() {
      guard index < got.count else { throw difference("\(id): message \(index) is missing") }
      try expect(got[index].text, message.text, "\(id): message \(index) of \(wanted.count)")
    }
    try expect(got.count, wanted.count, "\(id): messages")
  }

  /// Loads at the same time: each gives its own value whole, whatever is sent for whom.
  private func loadSeveral(_ client: Client) throws {
    let ids = (0..<2 + generator.random.below(4)).map { _ in generator.id() }
    note(client, "load \(ids.joined(separator: ", ")) at the same time")
    var loads: [UInt32: String] = [:]
    for id in ids { loads[try client.connection.beginLoad(Array(id.utf8))] = id }
    var got: [UInt32: [RecordMessage]] = [:]
    while let (load, event) = try client.connection.loadedNext() {
      guard let id = loads[load] else { throw difference("load \(load) was not begun") }
      switch event {
      case .message(let message):
        client.inMemory.insert(String(decoding: message.id, as: UTF8.self))
        if message.id == Array(id.utf8) { got[load, default: []].append(message) }
      case .found, .notFound:
        let wanted = stores[client.store].messages(of: id)
        try expect(event == .found, !wanted.isEmpty, "whether \(id) is there")
        try expect(
          (got[load] ?? []).map(\.text), wanted.map(\.text), "\(id), loaded beside others")
        outcome.loads += 1
        loads[load] = nil
      case .failed(let reason):
        throw difference("\(id): \(String(decoding: reason, as: UTF8.self))")
      }
    }
    try expect(loads.count, 0, "loads without an end")
  }

  private func knownState(_ client: Client) throws {
    let id = generator.id()
    note(client, "known state of \(id)")
    try expect(
      try client.connection.knownState(Array(id.utf8)), stores[client.store].knownState(id),
      "the known state of \(id)")
  }

  private func track(_ client: Client) throws {
    let updates = (0..<generator.random.below(5)).map { _ in
      (id: generator.id(), peer: generator.peer(), isSynced: generator.random.once(in: 2))
    }
    note(client, "track \(updates)")
    for (id, peer, isSynced) in updates {
      stores[client.store].track(id, peer: peer, isSynced: isSynced)
    }
    try client.connection.track(
      updates.map {
        RecordSyncUpdate(id: Array($0.id.utf8), peer: Array($0.peer.utf8), isSynced: $0.isSynced)
      })
    if generator.random.once(in: 4) {
      let id = generator.id()
      stores[client.store].stopTracking(id)
      try client.connection.stopTracking(Array(id.utf8))
    }
    var got: [String] = []
    try client.connection.unsynced { got.append(String(decoding: $0, as: UTF8.self)) }
    try expect(got, stores[client.store].unsynced, "the unsynced values")
  }

  private func lists(_ client: Client) throws {
    note(client, "lists")
    let ids = stores[client.store].ids
    try expect(Int(try client.connection.count()), ids.count, "the number of values")
    let offset = generator.random.below(ids.count + 2)
    let limit = generator.random.below(10)
    let got = try client.connection.ids(limit: UInt64(limit), offset: UInt64(offset))
    try expect(
      got.map { String(decoding: $0, as: UTF8.self) },
      Array(ids.dropFirst(offset).prefix(limit)), "ids behind \(offset)")
  }

  private func erase(_ client: Client) throws {
    note(client, "erase")
    stores[client.store].eraseAll()
    try expect(
      try client.connection.erase(.all), stores[client.store].waitingForErasureCount,
      "how many wait for erasure")
    outcome.erasures += 1
  }

  /// An import: the others see the store as it was until it is committed.
  private func importing(_ client: Client) throws {
    note(client, "begin of an import")
    let before = stores[client.store]
    let inMemoryBefore = clients.map(\.inMemory)
    try client.connection.importing(.begin)
    let others = clients.filter { $0 !== client }
    for _ in 0..<generator.random.below(5) {
      if generator.random.once(in: 3), !others.isEmpty {
        let other = others[generator.random.below(others.count)]
        let present = stores[client.store]
        stores[client.store] = before
        defer { stores[client.store] = present }
        try knownState(other)
      } else if generator.random.once(in: 3) {
        try knownState(client)
      } else {
        try store(client)
      }
    }
    outcome.imports += 1
    let givesUp = generator.random.once(in: 3)
    note(client, givesUp ? "import given up" : "import committed")
    guard givesUp else { return try client.connection.importing(.commit) }
    try client.connection.importing(.giveUp)
    stores[client.store] = before
    // The engine does not forget what it took for stored; the client drops it.
    for (other, inMemory) in zip(clients, inMemoryBefore) {
      for id in other.inMemory.subtracting(inMemory) {
        other.inMemory.remove(id)
        try other.connection.unmount(Array(id.utf8))
      }
    }
  }

  private func verify(_ client: Client) throws(HarnessError) {
    note(client, "verify")
    var findings: [String] = []
    do throws(RecordFailure) {
      try client.connection.verify { findings.append(String(decoding: $0, as: UTF8.self)) }
    } catch { throw difference("verify: \(error.wording)") }
    try expect(findings, [], "verify")
  }
}
