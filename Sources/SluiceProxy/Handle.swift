// One session's open file, and the map from the ids that the client names to such handles.
// Confined to the session's reactor.

internal import SluiceWire
internal import Synchronization

final class Handle {
  let id: UInt64
  let file: SharedFile
  let kind: FileKind
  let isWritable: Bool
  /// The channel on which it was opened, and with which it goes.
  let channel: UInt32
  /// Where it lies; nil for an unnamed file.
  let location: Location?
  /// Its name as the client wrote it, by which its journals find their directory.
  let path: [UInt8]
  /// The directory entry is new and not yet durable.
  var needsDirectorySync: Bool

  /// What it holds; SHARED also while that is kept beyond its transaction.
  var held = LockLevel.none
  /// What it holds of the database's WAL index; nil until it joins.
  var walIndex: WALIndexMembership?
  /// The file's count of losses when the lock was taken.
  var lossCount: UInt32 = 0
  /// How long locks are kept after their transaction, 0 for not at all.
  let keepNanoseconds: Int64
  /// When a kept lock goes.
  var keptUntil: Int64?

  init(
    id: UInt64, file: SharedFile, request: OpenRequest, channel: UInt32, location: Location?,
    needsDirectorySync: Bool, keepNanoseconds: Int64
  ) {
    self.id = id
    self.file = file
    self.channel = channel
    self.location = location
    self.needsDirectorySync = needsDirectorySync
    self.keepNanoseconds = keepNanoseconds
    kind = request.kind
    isWritable = request.options.contains(.readWrite) && file.isWritable
    path = request.path ?? []
  }

  // MARK: Locks

  func lock(to level: LockLevel, now: Int64) throws(FileError) {
    guard level != .none else { throw .misuse }
    if held == .none { lossCount = file.lossCount(now: now) }
    keptUntil = nil
    do throws(FileError) {
      try file.lock(id, held: &held, to: level, now: now)
    } catch {
      let isRefused = error == .busy || error == .busyInLine
      if isRefused, level > .shared, held < .reserved { file.wasRefused(id, .reserved) }
      throw error
    }
  }

  /// Lowers the lock. Of a lock that is to be kept SHARED stays: were more kept, its holder would
  /// take a hot journal that it left itself for that of a living writer.
  func unlock(to level: LockLevel, now: Int64) throws(FileError) {
    let keeps = level == .none && keepNanoseconds > 0 && held > .none
    if keeps, file.lossCount(now: now) == lossCount {
      try file.unlock(id, held: &held, to: .shared)
      keptUntil = now + keepNanoseconds
    } else {
      try file.unlock(id, held: &held, to: level)
    }
  }

  /// Gives back a lock that was kept long enough.
  func dropKeptLock(now: Int64) {
    guard let keptUntil, now >= keptUntil else { return }
    self.keptUntil = nil
    _ = try? file.unlock(id, held: &held, to: .none)
  }

  /// Gives back every lock; what cannot be told to anybody is not told.
  func dropLocks() {
    keptUntil = nil
    _ = try? file.unmapWALIndex(id, &walIndex, deletes: false)
    _ = try? file.unlock(id, held: &held, to: .none)
    file.leaveLine(id)
  }

  /// Throws when a lock that the client relies on is gone.
  @inline(__always)
  func checkLocks(now: Int64) throws(FileError) {
    if held != .none, file.lossCount(now: now) != lossCount { throw .locksLost }
  }
}

/// Ids of open files. An id is an index and how many were given in the whole sidecar before it, so
/// that none comes twice and none of another session's is ever right here.
struct HandleMap {
  private static let given = Atomic<UInt64>(0)
  private var handles: [Handle?] = []
  private var freeIndices: [Int] = []
  let limit: Int

  init(limit: Int) {
    precondition(limit <= 1 << 16, "the index has 16 bits")
    self.limit = limit
  }

  var isFull: Bool { freeIndices.isEmpty && handles.count >= limit }

  /// The id that the next handle inserted must bear.
  func nextID() -> UInt64 {
    let count = HandleMap.given.wrappingAdd(1, ordering: .relaxed).newValue
    return count << 16 | UInt64(freeIndices.last ?? handles.count)
  }

  mutating func insert(_ handle: Handle) {
    if let index = freeIndices.popLast() {
      handles[index] = handle
    } else {
      handles.append(handle)
    }
  }

  @inline(__always)
  func find(_ id: UInt64) -> Handle? {
    let index = Int(id & 0xffff)
    guard index < handles.count, let handle = handles[index], handle.id == id else { return nil }
    return handle
  }

  mutating func remove(_ handle: Handle) {
    let index = Int(handle.id & 0xffff)
    handles[index] = nil
    freeIndices.append(index)
  }

  var all: [Handle] { handles.compactMap { $0 } }

  /// Whether one of them is of `file`.
  func contains(_ file: SharedFile) -> Bool { handles.contains { $0?.file === file } }
}
