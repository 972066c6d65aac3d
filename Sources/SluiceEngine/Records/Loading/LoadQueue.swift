// The loads of one client, and which of them gives the next frame: a load's first message comes at
// once, then the highest priority first, and the oldest of equals.
//
// Before each message come the values on which it depends and which the client does not have in
// memory, each with its own before it. A value counts as in memory before its first message is
// sent, which ends cycles. The walk is a stack on the heap, so that a long chain of groups does no
// harm.

internal import SluiceWire

final class LoadQueue {
  /// The values that the client has: stored or loaded by it, and not dropped since.
  private(set) var inMemory: Set<[UInt8]> = []
  private var loads: [Load] = []
  /// Loads ended and messages given since this was last taken.
  var counts = RecordCounts()

  /// A client that holds more gets some dependencies twice.
  private static let inMemoryCountMaximum = 1 << 20
  /// The most loads at a time.
  static let countMaximum = 4096

  private final class Load {
    let number: UInt32
    let id: [UInt8]
    /// The value itself first, then the dependencies that are being sent before it.
    var path: [ValueLoad] = []
    /// Nil until the value was looked up.
    var priority: UInt8?
    var hasSent = false

    init(_ number: UInt32, _ id: [UInt8]) {
      self.number = number
      self.id = id
    }

    /// Less comes first.
    var rank: UInt8 { hasSent ? 1 + (priority ?? 3) : 0 }
  }

  var isEmpty: Bool { loads.isEmpty }
  var isFull: Bool { loads.count >= Self.countMaximum }

  func add(_ number: UInt32, _ id: [UInt8]) { loads.append(Load(number, id)) }

  func noteInMemory(_ id: [UInt8]) {
    if inMemory.count < Self.inMemoryCountMaximum { inMemory.insert(id) }
  }

  func noteUnmounted(_ id: [UInt8]) { inMemory.remove(id) }

  func removeAll() {
    loads = []
    inMemory = []
  }

  // MARK: Frames

  /// A consistent state of the store, from which loads are read.
  struct Snapshot {
    let store: RecordStore
    let values: HeldValues
    /// Of `values`, before the snapshot was taken.
    let time: UInt64
  }

  enum Progress {
    case written
    /// There is no load.
    case idle
    /// A value that has to begin may have been erased since the snapshot.
    case needsFreshSnapshot
  }

  /// Writes the next frame of some load.
  func writeFrame(
    from snapshot: Snapshot, to writer: inout RecordByteWriter
  ) throws(DatabaseError) -> Progress {
    guard let load = loads.min(by: { $0.rank < $1.rank }) else { return .idle }
    let start = writer.count
    do throws(DatabaseError) {
      return try writeFrame(of: load, from: snapshot, to: &writer)
    } catch {
      writer.truncate(to: start)
      remove(load)
      writer.frame(load.number, .failed) { $0.write(error.message.utf8) }
      return .written
    }
  }

  private func writeFrame(
    of load: Load, from snapshot: Snapshot, to writer: inout RecordByteWriter
  ) throws(DatabaseError) -> Progress {
    if load.priority == nil {
      switch try begin(load.id, from: snapshot) {
      case .value(let value):
        load.priority = value.priority
        load.path = [value]
      case .none:
        remove(load)
        writer.frame(load.number, .notFound) { _ in }
        return .written
      case .stale: return .needsFreshSnapshot
      }
    }
    while let value = load.path.last {
      guard value.hasMore else {
        load.path.removeLast()
        continue
      }
      if let dependency = try value.nextDependency(in: snapshot.store) {
        guard !inMemory.contains(dependency) else { continue }
        switch try begin(dependency, from: snapshot) {
        case .value(let next): load.path.append(next)
        case .none: break
        case .stale:
          value.putBack(dependency)
          return .needsFreshSnapshot
        }
        continue
      }
      if load.path.count == 1 { load.hasSent = true }
      try writer.frame(load.number, .message) { (writer) throws(DatabaseError) in
        try value.writeMessage(from: snapshot.store, to: &writer)
      }
      counts.chunks += 1
      return .written
    }
    remove(load)
    writer.frame(load.number, .found) { _ in }
    counts.loads += 1
    return .written
  }

  /// Ends a load that cannot go on, if it is under way, and says why.
  func fail(_ number: UInt32, _ reason: String, in writer: inout RecordByteWriter) {
    guard let load = loads.last(where: { $0.number == number }) else { return }
    remove(load)
    writer.frame(number, .failed) { $0.write(reason.utf8) }
  }

  private enum Beginning {
    case value(ValueLoad)
    /// The value is not in the store.
    case none
    case stale
  }

  private func begin(
    _ id: [UInt8], from snapshot: Snapshot
  ) throws(DatabaseError) -> Beginning {
    guard let hold = snapshot.values.holdForLoad(id, snapshotAt: snapshot.time) else {
      return .stale
    }
    guard let value = try ValueLoad(id, from: snapshot.store, hold) else { return .none }
    noteInMemory(id)
    return .value(value)
  }

  private func remove(_ load: Load) { loads.removeAll { $0 === load } }
}

extension RecordByteWriter {
  /// Writes a frame around what `body` writes.
  fileprivate mutating func frame<E: Error>(
    _ number: UInt32, _ kind: RecordFrameKind, _ body: (inout RecordByteWriter) throws(E) -> Void
  ) throws(E) {
    self.number(number)
    self.number(kind.rawValue)
    let place = count
    self.number(UInt32(0))
    try body(&self)
    overwrite(UInt32(count - place - 4), at: place)
  }
}
