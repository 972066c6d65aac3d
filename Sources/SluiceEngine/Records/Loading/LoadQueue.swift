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

  /// Writes the next frame of some load; false if there is no load.
  func writeFrame(
    from store: RecordStore, to writer: inout RecordByteWriter
  ) throws(DatabaseError) -> Bool {
    guard let load = loads.min(by: { $0.rank < $1.rank }) else { return false }
    let start = writer.count
    do throws(DatabaseError) {
      try writeFrame(of: load, from: store, to: &writer)
    } catch {
      writer.truncate(to: start)
      remove(load)
      writer.frame(load.number, .failed) { $0.write(error.message.utf8) }
    }
    return true
  }

  private func writeFrame(
    of load: Load, from store: RecordStore, to writer: inout RecordByteWriter
  ) throws(DatabaseError) {
    if load.priority == nil {
      guard let value = try begin(load.id, from: store) else {
        remove(load)
        return writer.frame(load.number, .notFound) { _ in }
      }
      load.priority = value.priority
      load.path = [value]
    }
    while let value = load.path.last {
      guard value.hasMore else {
        load.path.removeLast()
        continue
      }
      if let dependency = try value.nextDependency(in: store) {
        if !inMemory.contains(dependency), let next = try begin(dependency, from: store) {
          load.path.append(next)
        }
        continue
      }
      if load.path.count == 1 { load.hasSent = true }
      return try writer.frame(load.number, .message) { (writer) throws(DatabaseError) in
        try value.writeMessage(from: store, to: &writer)
      }
    }
    remove(load)
    writer.frame(load.number, .found) { _ in }
  }

  private func begin(_ id: [UInt8], from store: RecordStore) throws(DatabaseError) -> ValueLoad? {
    guard let value = try ValueLoad(id, from: store) else { return nil }
    noteInMemory(id)
    return value
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
