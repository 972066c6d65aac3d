// A space of versioned documents: one file, one writer. All methods may be called by any thread, and
// block until they are done: transactions until they are durable.
//
// A thread that only reads goes three ways, the first that leads anywhere: a look at a live branch
// under its lock; a copy of a live branch, which it reads at leisure; the file, through a connection of
// its own. It never waits for the writer, except for the commit of the very branch that it reads.

internal import SluiceAutomerge
internal import SluiceServer
internal import SluiceSystem

/// How a space is opened.
package struct SpaceOptions: Sendable {
  /// What the documents in memory may take together, in bytes, as far as none of them is larger.
  package var liveByteCountMax = 256 << 20
  /// How long the writer waits for locks of other processes.
  package var busyMilliseconds: Int32 = 5000
  package var clock: any RecordClock = SystemClock()
  /// Whether snapshots are taken by threads of the space. If not, `takeDueSnapshots` does it.
  package var takesSnapshots = true

  package init() {}
}

package final class Space: Sendable {
  package let name: SpaceName
  let notary: SpaceNotary
  let options: SpaceOptions
  let live: LiveBranches
  let readers: SpaceReaders
  private let turn: WriteTurn<SpaceWriter>
  private let observers: ObserverList
  let keeper: SnapshotKeeper

  /// Opens a space. `SpaceDirectory` does it once for the whole process.
  init(
    _ name: SpaceName, at place: DatabasePlace, creates: Bool, _ notary: SpaceNotary,
    _ options: SpaceOptions
  ) throws(SpaceError) {
    self.name = name
    self.notary = notary
    self.options = options
    let connection = try SpaceConnection(
      name, at: place, for: creates ? .create : .write,
      busyMilliseconds: options.busyMilliseconds)
    live = LiveBranches(byteCountMax: options.liveByteCountMax)
    readers = SpaceReaders(name, at: place)
    let observers = ObserverList()
    self.observers = observers
    keeper = SnapshotKeeper()
    let live = live
    turn = WriteTurn(
      try asSpaceError { () throws(DatabaseError) in
        try SpaceWriter(connection, live, notary, clock: options.clock) { notices in
          for observer in observers.all { observer.spaceHasCommitted(notices) }
        }
      })
  }

  /// Ends the space's threads. No other call may be under way or come.
  package func close() { keeper.stop() }

  // MARK: Transactions

  /// Does a transaction. When this returns with a stored one, it outlives a loss of power.
  ///
  /// Throws if the space fails, for example because the disk is full: then nothing is stored. A
  /// refusal is a receipt.
  package func submit(_ request: TransactionRequest) throws(SpaceError) -> TransactionReceipt {
    let prepared = PreparedTransaction(request, notary)
    if let flaw = prepared.flaw { return flaw }
    // What is not in memory is loaded here, where it holds nobody up.
    for ref in prepared.refs { try warm(ref) }
    var receipt: TransactionReceipt?
    try write { (writer) throws(DatabaseError) in receipt = try writer.submit(prepared) }
    guard let receipt else { throw SpaceError(.storage, "the transaction has no receipt") }
    if receipt.isStored { takeSnapshotsIfDue(of: receipt.results.map(\.ref)) }
    return receipt
  }

  /// Does `body` in the writer's turn. It may be done twice; its last outcome counts.
  func write(_ body: (SpaceWriter) throws(DatabaseError) -> Void) throws(SpaceError) {
    try asSpaceError { () throws(DatabaseError) in
      try turn.perform(unless: { false }, body)
    }
  }

  // MARK: Observers

  /// Has an observer told of each commit from now on. It is not kept alive.
  package func add(_ observer: any SpaceObserver) { observers.add(observer) }

  package func remove(_ observer: any SpaceObserver) { observers.remove(observer) }

  // MARK: Settings

  package func settings() throws(SpaceError) -> SpaceSettings {
    try readers.read { (connection) throws(DatabaseError) in try connection.settings() }
  }

  package func set(_ settings: SpaceSettings) throws(SpaceError) {
    let checked = try SpaceSettings(settings.value)
    try write { (writer) throws(DatabaseError) in try writer.set(checked) }
  }

  package func invariants() throws(SpaceError) -> [Invariant] {
    try readers.read { (connection) throws(DatabaseError) in try connection.invariants() }
  }

  /// Replaces all invariants. They hold from the next transaction on, and say nothing of what is
  /// stored already.
  package func set(_ invariants: [Invariant]) throws(SpaceError) {
    guard invariants.count <= Invariant.countMax else {
      throw SpaceError(.limitReached, "a space has at most \(Invariant.countMax) invariants")
    }
    guard Set(invariants.map(\.name)).count == invariants.count else {
      throw SpaceError(.invalidArgument, "two invariants have one name")
    }
    try write { (writer) throws(DatabaseError) in try writer.set(invariants) }
  }
}

/// Observers of a space, held weakly.
private final class ObserverList: Sendable {
  private struct Weak: @unchecked Sendable { weak var observer: (any SpaceObserver)? }

  private let list = FutexLock<[Weak]>([])

  var all: [any SpaceObserver] {
    list.withLock { list in
      list.removeAll { $0.observer == nil }
      return list.compactMap(\.observer)
    }
  }

  func add(_ observer: any SpaceObserver) {
    list.withLock { $0.append(Weak(observer: observer)) }
  }

  func remove(_ observer: any SpaceObserver) {
    list.withLock { list in list.removeAll { $0.observer == nil || $0.observer === observer } }
  }
}
