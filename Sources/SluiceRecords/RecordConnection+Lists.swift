// The calls of a connection that neither store nor load: known states, erasure, sync state, lists,
// locks, and imports.

public import SluiceWire

/// How far a peer has a value.
public struct RecordSyncUpdate: Equatable, Sendable {
  public var id: [UInt8]
  public var peer: [UInt8]
  /// Whether the peer has all of it.
  public var isSynced: Bool

  public init(id: [UInt8], peer: [UInt8], isSynced: Bool) {
    self.id = id
    self.peer = peer
    self.isSynced = isSynced
  }
}

extension RecordConnection {
  // MARK: Known states

  /// How many transactions are stored of each session of a value, in the order of the sessions'
  /// creation. Nil if the value is not in the store.
  public func knownState(_ id: [UInt8]) throws(RecordFailure) -> [RecordCounter]? {
    var counters: [RecordCounter] = []
    while true {
      let answer = try call(.knownState(id, offset: UInt64(counters.count)))
      if answer.status == .notFound { return nil }
      guard let page = answer.counters() else { throw malformed() }
      counters += page
      if !answer.page.hasMore { return counters }
      if page.isEmpty { throw malformed() }
    }
  }

  /// The program has dropped a value from its memory: a load sends it again where others depend on
  /// it. Does not wait for the engine.
  public func unmount(_ id: [UInt8]) throws(RecordFailure) { try post(.unmount(id)) }

  // MARK: Erasure

  /// Returns how many deleted values still wait for their erasure.
  @discardableResult
  public func erase(_ action: RecordsErasureAction) throws(RecordFailure) -> UInt64 {
    try call(.erase(action)).number
  }

  // MARK: Sync state

  /// Notes which values which peers have, in order. The values need not be there. Returns when it is
  /// durable.
  public func track(_ updates: [RecordSyncUpdate]) throws(RecordFailure) {
    var rest = updates[...]
    repeat { _ = try call(try .track(&rest)) } while !rest.isEmpty
  }

  /// Calls `body` with the ids that some peer does not have, each once, in the order of bytes.
  public func unsynced(_ body: ([UInt8]) -> Void) throws(RecordFailure) {
    var last: [UInt8] = []
    while true {
      let answer = try call(.unsynced(after: last))
      guard let ids = answer.items() else { throw malformed() }
      for id in ids { body(id) }
      if !answer.page.hasMore { return }
      guard let id = ids.last, id != last else { throw malformed() }
      last = id
    }
  }

  /// Forgets which peers do not have exactly this value. Does not wait for the engine.
  public func stopTracking(_ id: [UInt8]) throws(RecordFailure) { try post(.stopTracking(id)) }

  // MARK: Lists

  /// The ids of values in the order of their creation: those behind the first `offset`, at most
  /// `limit`.
  public func ids(limit: UInt64, offset: UInt64) throws(RecordFailure) -> [[UInt8]] {
    var list = RecordIDList(limit: limit, offset: offset)
    while let request = list.request {
      let answer = try call(request)
      guard list.take(answer) else { throw malformed() }
    }
    return list.ids
  }

  /// How many values there are.
  public func count() throws(RecordFailure) -> UInt64 { try call(.count).number }

  /// Checks the whole store, and calls `body` with what is wrong in it (UTF-8).
  public func verify(_ body: ([UInt8]) -> Void) throws(RecordFailure) {
    var offset: UInt64 = 0
    while true {
      let answer = try call(.verify(offset: offset))
      guard let findings = answer.items() else { throw malformed() }
      for finding in findings { body(finding) }
      let page = answer.page
      if !page.hasMore { return }
      guard page.nextOffset > offset else { throw malformed() }
      offset = page.nextOffset
    }
  }

  // MARK: Locks

  /// Acquires, renews or releases the lock of the reconciliation with a peer. The offset says how far
  /// the holder is.
  public func lock(
    _ action: RecordsLockAction, peer: [UInt8], holder: [UInt8], offset: UInt64 = 0
  ) throws(RecordFailure) -> (outcome: RecordsLockOutcome, offset: UInt64) {
    let request = RecordsLockRequest(action: action, peer: peer, holder: holder, offset: offset)
    guard case .lock(let reply) = try call(.lock(request)).reply else { throw malformed() }
    return (reply.outcome, reply.offset)
  }

  // MARK: Imports

  /// Begins, commits or gives up a transaction around this connection's stores. While it is open,
  /// nobody else stores.
  public func importing(_ action: RecordsImportAction) throws(RecordFailure) {
    _ = try call(.importing(action))
  }
}

/// Ids that are read page by page.
struct RecordIDList: Sendable {
  private(set) var ids: [[UInt8]] = []
  private let limit: UInt64
  private var offset: UInt64
  private var hasMore = true

  init(limit: UInt64, offset: UInt64) {
    self.limit = limit
    self.offset = offset
  }

  /// Nil if all are there.
  var request: RecordRequest? {
    let rest = limit - UInt64(ids.count)
    return hasMore && rest > 0 ? .ids(RecordsPageRequest(offset: offset, limit: rest)) : nil
  }

  /// False if the answer is malformed.
  mutating func take(_ answer: RecordAnswer) -> Bool {
    let page = answer.page
    guard let items = answer.items(), UInt64(items.count) <= limit - UInt64(ids.count),
      !page.hasMore || page.nextOffset > offset
    else { return false }
    ids += items
    hasMore = page.hasMore
    offset = page.nextOffset
    return true
  }
}

extension RecordRequest {
  static func knownState(_ id: [UInt8], offset: UInt64) -> RecordRequest {
    page(.recordsKnownState, .knownState(RecordsKnownStateRequest(id: id, offset: offset)))
  }

  static func unmount(_ id: [UInt8]) -> RecordRequest {
    short(.recordsUnmount, .id(RecordIDRequest(id: id)))
  }

  static func erase(_ action: RecordsErasureAction) -> RecordRequest {
    short(.recordsErase, .erase(RecordsErasureRequest(action: action)))
  }

  static func unsynced(after last: [UInt8]) -> RecordRequest {
    page(.recordsUnsynced, .page(RecordsPageRequest(after: last)))
  }

  static func stopTracking(_ id: [UInt8]) -> RecordRequest {
    short(.recordsStopTracking, .id(RecordIDRequest(id: id)))
  }

  static func ids(_ arguments: RecordsPageRequest) -> RecordRequest {
    page(.recordsIDs, .page(arguments))
  }

  static var count: RecordRequest { short(.recordsCount) }

  static func verify(offset: UInt64) -> RecordRequest {
    page(.recordsVerify, .page(RecordsPageRequest(offset: offset)))
  }

  static func lock(_ arguments: RecordsLockRequest) -> RecordRequest {
    short(.recordsLock, .lock(arguments))
  }

  static func importing(_ action: RecordsImportAction) -> RecordRequest {
    short(.recordsImport, .importing(RecordsImportRequest(action: action)))
  }

  static var close: RecordRequest { short(.recordsClose) }

  /// As many updates as fit into a request; they are removed from `updates`.
  static func track(
    _ updates: inout ArraySlice<RecordSyncUpdate>
  ) throws(RecordFailure) -> RecordRequest {
    var writer = RecordByteWriter()
    writer.number(UInt32(0))
    var count: UInt32 = 0
    while let update = updates.first {
      let byteCount = 9 + update.id.count + update.peer.count
      guard byteCount <= pageByteCount - 4 else { throw .tooLarge }
      if writer.count + byteCount > pageByteCount { break }
      writer.number(UInt8(update.isSynced ? 1 : 0))
      writer.string(update.id)
      writer.string(update.peer)
      count += 1
      updates.removeFirst()
    }
    writer.overwrite(count, at: 0)
    return RecordRequest(
      operation: .recordsTrack, payload: writer.bytes[...], room: messageByteCount)
  }

  private static func page(
    _ operation: Operation, _ arguments: RecordArguments
  ) -> RecordRequest {
    RecordRequest(operation: operation, arguments: arguments, room: pageByteCount)
  }

  private static func short(
    _ operation: Operation, _ arguments: RecordArguments = .none
  ) -> RecordRequest {
    RecordRequest(operation: operation, arguments: arguments, room: messageByteCount)
  }
}

extension RecordAnswer {
  /// The strings of a page; nil if it is malformed.
  func items() -> [[UInt8]]? {
    read { (reader) throws(WireError) in unsafe Array(try reader.string()) }
  }

  /// The counters of a page; nil if it is malformed.
  func counters() -> [RecordCounter]? {
    read { (reader) throws(WireError) in
      let session = unsafe Array(try reader.string())
      return RecordCounter(session: session, count: try reader.number(UInt64.self))
    }
  }

  private func read<T>(_ item: (inout RecordByteReader) throws(WireError) -> T) -> [T]? {
    unsafe payload.withUnsafeBytes { (bytes) -> [T]? in
      // The least item is an empty string.
      guard page.itemCount <= UInt64(bytes.count / 4) else { return nil }
      var reader = unsafe RecordByteReader(bytes)
      do throws(WireError) {
        var items: [T] = []
        for _ in 0..<page.itemCount { items.append(try item(&reader)) }
        try reader.finish()
        return items
      } catch {
        return nil
      }
    }
  }
}
