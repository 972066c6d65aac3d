// A client of `records kill`: a process that stores, loads and deletes values through the engine until it
// is killed. On the board it says what it begins and what was acknowledged to it. When the engine
// dies it waits for the next one. Whenever it has connected, it looks whether its value is as it
// must be.
//
// A client has one value at a time. Each message adds transactions to both of its sessions. After some
// messages the value is deleted and erased, and the next one begins. The number on the board is
// that of the value times `numbersOfValue`, plus that of the messages stored, and `deleted` when the
// delete session was stored.

internal import CSluice
internal import SluiceCommand
internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class RecordsWorker {
  private let board: KillBoard
  private let worker: Int
  private let socket: String
  private let acknowledgesEarly: Bool
  private var random: SplitMix64
  private var connection: RecordConnection?

  static let store = "kill.records"
  private static let numbersOfValue: UInt64 = 1000
  private static let deleted: UInt64 = 999
  private static let messageCountMaximum: UInt64 = 60

  /// Why a call did not succeed.
  private enum Trouble: Error {
    /// As when an engine dies.
    case lost
    case wrong(String)
  }

  /// What `sluice-harness peer records` does. Descriptor 3 is the board.
  static func run(_ options: inout Options) throws(CommandError) {
    let worker = try options.number("--worker", in: 0...1000, or: 0)
    let workers = try options.number("--workers", in: 1...1000, or: 1)
    let seed = try options.number("--seed", in: 0...Int.max, or: 0)
    let early = options.flag("--acknowledge-early")
    guard let socket = try options.value("--socket"), descriptorIsOpen(3) else {
      throw .usage("'sluice-harness' starts this")
    }
    try options.finish()
    let board: KillBoard
    do throws(Errno) {
      board = try KillBoard(FileDescriptor(owning: 3), workers: workers)
    } catch { throw .failed("peer: \(unsafe String(cString: error.text))") }
    RecordsWorker(board, worker, socket: socket, seed: UInt64(seed), acknowledgesEarly: early)
      .work()
  }

  private init(
    _ board: KillBoard, _ worker: Int, socket: String, seed: UInt64, acknowledgesEarly: Bool
  ) {
    self.board = board
    self.worker = worker
    self.socket = socket
    self.acknowledgesEarly = acknowledgesEarly
    random = SplitMix64(seed: seed)
  }

  private func work() {
    while true {
      do throws(Trouble) {
        try connect()
        board[worker, .state] = WorkerState.working.rawValue
        while true { try step() }
      } catch {
        if case .wrong(let text) = error {
          board.setText(text, of: worker)
          board[worker, .state] = WorkerState.failed.rawValue
          return
        }
        board[worker, .state] = WorkerState.disconnected.rawValue
        board[worker, .callBegan] = 0
        connection = nil
        Clock.sleep(nanoseconds: 1_000_000)
      }
    }
  }

  // MARK: The board

  private var acknowledged: UInt64 {
    get { board[worker, .acknowledged, SQLWorker.store] }
    set { board[worker, .acknowledged, SQLWorker.store] = newValue }
  }
  private var begun: UInt64 {
    get { board[worker, .begun, SQLWorker.store] }
    set { board[worker, .begun, SQLWorker.store] = max(newValue, begun) }
  }

  private var value: UInt64 { acknowledged / Self.numbersOfValue }
  private var messageCount: UInt64 { acknowledged % Self.numbersOfValue }

  // MARK: What must be there

  private func connect() throws(Trouble) {
    var options = RecordOpenOptions()
    options.busyMilliseconds = 30_000
    // Kept signatures are frequent.
    options.signatureInterval = 3000
    if random.once(in: 2) { options.durability = .full }
    do throws(HarnessError) {
      connection = try RecordsSide.open(socket, Self.store, options)
    } catch { throw .lost }
    // The one before, the present one, and the next one, if its first message was begun.
    if value > 0 { try look(at: value - 1, atLeast: Self.deleted, atMost: Self.deleted) }
    let number = try look(at: value, atLeast: messageCount, atMost: atMost(value))
    acknowledged = value * Self.numbersOfValue + number
    if number == Self.deleted {
      acknowledged += 1
      acknowledged += try look(at: value, atLeast: 0, atMost: atMost(value))
    }
  }

  /// How far the messages of a value were begun.
  private func atMost(_ value: UInt64) -> UInt64 {
    begun / Self.numbersOfValue > value
      ? Self.deleted : begun < value * Self.numbersOfValue ? 0 : begun % Self.numbersOfValue
  }

  /// Loads a value, and looks whether all is there that was acknowledged, and nothing that was not
  /// begun. How many messages are there.
  @discardableResult
  private func look(
    at value: UInt64, atLeast: UInt64, atMost: UInt64
  ) throws(Trouble) -> UInt64 {
    var content = KillValue()
    let id = id(value)
    try call { (connection) throws(RecordFailure) in
      _ = try connection.load(Array(id.utf8)) { content.take($0) }
    }
    content.end()
    if let flaw = content.flaw { throw .wrong("\(id): \(flaw)") }
    let found = content.isDeleted ? Self.deleted : content.messageCount
    if found < atLeast {
      throw .wrong("\(id): message \(atLeast) was acknowledged, and \(found) is the last")
    }
    if found > atMost { throw .wrong("\(id): message \(found) was never begun") }
    return found
  }

  // MARK: Steps

  private func id(_ value: UInt64) -> String { "co_zW\(worker)x\(value)" }

  private func step() throws(Trouble) {
    if messageCount >= Self.messageCountMaximum || messageCount > 3 && random.once(in: 40) {
      return try delete()
    }
    switch random.below(8) {
    case 0: try importMessages()
    case 1: try lookAgain()
    default: try storeMessages(1 + random.below(random.once(in: 4) ? 20 : 2))
    }
  }

  /// The engine completes what a killed client had submitted, perhaps after its successor has looked.
  /// So there may be more than the successor knows of, and even the tombstone. False if it is there.
  @discardableResult
  private func lookAgain() throws(Trouble) -> Bool {
    let found = try look(at: value, atLeast: messageCount, atMost: atMost(value))
    if found == Self.deleted { acknowledged = (value + 1) * Self.numbersOfValue }
    return found != Self.deleted
  }

  private func messages(_ count: Int) -> [RecordStore] {
    (messageCount..<messageCount + UInt64(count)).map {
      RecordStore(KillValue.message(id(value), $0, byteCount: 20 + random.below(400)))
    }
  }

  private func storeMessages(_ count: Int) throws(Trouble) {
    let messages = messages(count)
    begun = acknowledged + UInt64(count)
    if acknowledgesEarly { acknowledged += UInt64(count) }
    var results: [RecordStoreResult] = []
    try call { (connection) throws(RecordFailure) in results = try connection.store(messages) }
    guard results.count == count, results.last?.isStored == true else {
      guard try lookAgain() else { return }
      throw .wrong("\(id(value)): a store after message \(messageCount): \(results)")
    }
    if !acknowledgesEarly { acknowledged += UInt64(count) }
  }

  /// Stores messages in a transaction, which may be given up.
  private func importMessages() throws(Trouble) {
    let messages = messages(1 + random.below(5))
    let commits = random.once(in: 2)
    if commits { begun = acknowledged + UInt64(messages.count) }
    var results: [RecordStoreResult] = []
    try call { (connection) throws(RecordFailure) in
      try connection.importing(.begin)
      results = try connection.store(messages)
      try connection.importing(commits ? .commit : .giveUp)
    }
    guard results.count == messages.count, results.last?.isStored == true else {
      guard try lookAgain() else { return }
      throw .wrong("\(id(value)): an import after message \(messageCount): \(results)")
    }
    if commits { acknowledged += UInt64(messages.count) }
  }

  /// Stores a delete session, and erases the value, or lets others do that.
  private func delete() throws(Trouble) {
    let tombstone = RecordStore(KillValue.tombstone(id(value)), deleteIsValid: true)
    begun = value * Self.numbersOfValue + Self.deleted
    var results: [RecordStoreResult] = []
    try call { (connection) throws(RecordFailure) in
      results = try connection.store([tombstone])
    }
    guard results.last?.isStored == true else { throw .wrong("a tombstone: \(results)") }
    acknowledged = value * Self.numbersOfValue + Self.deleted
    if random.below(3) > 0 {
      try call { (connection) throws(RecordFailure) in _ = try connection.erase(.all) }
    }
    acknowledged += 1
  }

  private func call(_ body: (RecordConnection) throws(RecordFailure) -> Void) throws(Trouble) {
    guard let connection else { throw .lost }
    board[worker, .callBegan] = UInt64(Clock.monotonicNanoseconds())
    do throws(RecordFailure) { try body(connection) } catch {
      switch error {
      // I/O errors, while the file sidecar of a dead engine dies.
      case .sqlite(let code, _) where code & 0xff == 10: throw .lost
      case .call, .notConnected: throw .lost
      default: throw .wrong(error.wording)
      }
    }
    board[worker, .callBegan] = 0
  }
}
