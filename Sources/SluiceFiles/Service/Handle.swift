// An open file of one session, and the map from the ids that the client uses to handles. Confined
// to the session's thread.

internal import SluiceChannel
internal import SluiceWire
internal import Synchronization

final class Handle {
  let id: UInt64
  let file: SharedFile
  let kind: FileKind
  let isWritable: Bool
  /// The channel on which it was opened. When that channel closes, the handle closes.
  let channel: UInt32
  /// Its place; nil for an unnamed file.
  let location: Location?
  /// Its name as the client wrote it. The names of its journals begin with this name.
  let path: [UInt8]
  /// Whether the directory entry is new and not yet durable.
  var needsDirectorySync: Bool

  /// Whether its client uses addresses in the database's read window.
  var isPinned = false
  /// Of a WAL: the number of the last promise that it would be durable.
  var promise: UInt64 = 0

  /// Its locks. SHARED counts as held while it is kept beyond its transaction.
  let holder: LockHolder
  /// How long a lock is kept after its transaction; 0 for not at all.
  let keepNanoseconds: Int64
  /// When the kept lock is given back; nil if none is kept.
  var keptUntil: Int64?

  init(
    id: UInt64, file: SharedFile, request: OpenRequest, channel: UInt32, location: Location?,
    needsDirectorySync: Bool, keepNanoseconds: Int64, standing: StandingLocks?
  ) {
    self.id = id
    self.file = file
    holder = LockHolder(id: id, standing: standing)
    holder.lossCount = file.lossCount
    self.channel = channel
    self.location = location
    self.needsDirectorySync = needsDirectorySync
    self.keepNanoseconds = keepNanoseconds
    kind = request.kind
    // Another session may have the file open by another name, and for writing.
    isWritable =
      request.options.contains(.readWrite) && file.isWritable && location?.isReadOnly != true
    path = request.path ?? []
  }

  // MARK: Locks

  func lock(to level: LockLevel, now: Int64) throws(FileError) {
    keptUntil = nil
    do throws(FileError) {
      try file.lock(holder, to: level, now: now)
    } catch {
      if error.isRefusal, level > .shared { file.wasRefused(holder, .reserved) }
      throw error
    }
  }

  /// Lowers the lock. If the lock is to be kept, SHARED stays and no more: with more, the holder
  /// would take its own hot journal for that of a living writer.
  func unlock(to level: LockLevel, now: Int64) throws(FileError) {
    let keeps = level == .none && keepNanoseconds > 0
    if keeps, file.lossCount(now: now) == holder.lossCount {
      let had = try file.unlock(holder, to: .shared)
      if had > .none { keptUntil = now + keepNanoseconds }
    } else {
      try file.unlock(holder, to: level)
    }
  }

  /// Gives back a lock that was kept long enough.
  func dropKeptLock(now: Int64) {
    guard let keptUntil, now >= keptUntil else { return }
    self.keptUntil = nil
    _ = try? file.unlock(holder, to: .none)
  }

  /// Gives back every lock. A failure is not reported, because no client is there to hear it.
  func dropLocks() {
    keptUntil = nil
    file.dropLocks(of: holder)
  }

  /// Throws when a lock that the client relies on is gone.
  @inline(__always)
  func checkLocks(now: Int64) throws(FileError) {
    let count = file.lossCount(now: now)
    if count != holder.lossCount { try checkLocks(lossCount: count) }
  }

  @inline(never)
  private func checkLocks(lossCount count: UInt32) throws(FileError) {
    if file.holdsAnything(holder) { throw .locksLost }
    holder.lossCount = count
  }
}

/// The open files of a session by id. An id consists of an index and of how many ids the whole
/// sidecar gave before. So no id comes twice, and no id of another session is valid here.
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

  /// The id for the handle that is inserted next.
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
