// Times the calls of a VFS as SQLite's pager makes them, under the locks that the pager would hold.

internal import CSQLite
internal import CSluice
internal import SluiceSystem
internal import ToolSupport

@safe
final class VFSTimer {
  private let vfs: VFSAccess
  private let count: Int
  private let pageCount: Int64
  private let page: UnsafeMutableRawPointer
  private let database: VFSFile

  /// Opens the database and reads all of it once.
  init(_ sqlite: SQLiteLibrary, _ target: Target, count: Int) throws(ToolError) {
    self.count = count
    unsafe page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    vfs = try VFSAccess(sqlite, target)
    database = try vfs.openDatabase()
    try database.lock(SQLITE_LOCK_SHARED)
    pageCount = try database.byteCount() / 4096
    for index in 0..<pageCount { try unsafe database.read(page, at: index * 4096) }
    try database.unlock(SQLITE_LOCK_NONE)
  }

  deinit { unsafe page.deallocate() }

  func time(_ call: VFSCall) throws(ToolError) -> Samples {
    let count = call.times(of: self.count)
    switch call {
    case .read:
      return try repeated(count, under: SQLITE_LOCK_SHARED) { (index) throws(ToolError) in
        try unsafe database.read(page, at: offset(index))
      }
    case .fileSize:
      return try repeated(count, under: SQLITE_LOCK_SHARED) { (_) throws(ToolError) in
        _ = try database.byteCount()
      }
    case .checkReservedLock:
      return try repeated(count, under: SQLITE_LOCK_SHARED) { (_) throws(ToolError) in
        try database.checkReservedLock()
      }
    case .access:
      return try repeated(count, under: SQLITE_LOCK_SHARED) { (_) throws(ToolError) in
        try vfs.lookForJournal()
      }
    case .sharedLock:
      return try repeated(count) { (_) throws(ToolError) in
        try database.lock(SQLITE_LOCK_SHARED)
        try database.unlock(SQLITE_LOCK_NONE)
      }
    case .exclusiveLock:
      return try repeated(count) { (_) throws(ToolError) in
        try database.climb(to: SQLITE_LOCK_EXCLUSIVE)
        try database.unlock(SQLITE_LOCK_SHARED)
        try database.unlock(SQLITE_LOCK_NONE)
      }
    case .walLock: return try timeWALLocks(count)
    case .write: return try timeWrites(count)
    case .writeSync:
      return try repeated(count, under: SQLITE_LOCK_EXCLUSIVE) { (index) throws(ToolError) in
        try unsafe database.write(page, at: offset(index))
        try database.sync()
      }
    case .journal:
      return try repeated(count, under: SQLITE_LOCK_RESERVED) { (_) throws(ToolError) in
        try passJournal()
      }
    case .openClose:
      return try repeated(count) { (_) throws(ToolError) in try vfs.openDatabase().close() }
    }
  }

  // MARK: Calls that need more than a line

  private func timeWrites(_ count: Int) throws(ToolError) -> Samples {
    var samples = Samples(capacity: count)
    try database.climb(to: SQLITE_LOCK_EXCLUSIVE)
    for index in 0..<count {
      if index % VFSCall.writesBetweenSyncs == 0 { try database.sync() }
      let start = Clock.monotonicNanoseconds()
      try unsafe database.write(page, at: offset(index))
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    try database.sync()
    try database.unlock(SQLITE_LOCK_NONE)
    return samples
  }

  private func timeWALLocks(_ count: Int) throws(ToolError) -> Samples {
    // SQLite holds it while the database is open in WAL mode.
    try database.lock(SQLITE_LOCK_SHARED)
    try database.mapWALIndex()
    let samples = try repeated(count) { (_) throws(ToolError) in
      try database.lockWALIndex()
      try database.unlockWALIndex()
    }
    database.unmapWALIndex()
    try database.unlock(SQLITE_LOCK_NONE)
    return samples
  }

  private func passJournal() throws(ToolError) {
    let journal = try vfs.openJournal()
    try unsafe journal.write(page, at: 0)
    try journal.sync()
    try journal.close()
    try vfs.deleteJournal()
  }

  // MARK: The frame

  /// Walks over the file in long steps, so that the processor cannot guess the next page.
  private func offset(_ index: Int) -> Int64 { (Int64(index) * 7919) % pageCount * 4096 }

  /// Times each call of `body` under a lock of that level, after some calls that are not timed.
  @inline(__always)
  private func repeated(
    _ count: Int, under level: Int32 = SQLITE_LOCK_NONE,
    _ body: (Int) throws(ToolError) -> Void
  ) throws(ToolError) -> Samples {
    var samples = Samples(capacity: count)
    if level > SQLITE_LOCK_NONE { try database.climb(to: level) }
    for index in 0..<count / 10 { try body(index) }
    for index in 0..<count {
      let start = Clock.monotonicNanoseconds()
      try body(index)
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    if level > SQLITE_LOCK_NONE { try database.unlock(SQLITE_LOCK_NONE) }
    return samples
  }
}
