// A VFS, called as SQLite calls it: by its structs, without SQLite's pager above it.

internal import CSQLite
internal import CSluice
internal import ToolSupport

/// A VFS, and the names of one database and of its journal.
@safe
final class VFSAccess {
  private let vfs: UnsafeMutablePointer<sqlite3_vfs>
  /// Made by sqlite3_create_filename, with the parameters behind it. Never freed.
  private let databaseName: UnsafePointer<CChar>
  private let journalName: UnsafePointer<CChar>

  init(_ sqlite: SQLiteLibrary, _ target: Target) throws(ToolError) {
    if let library = target.library { try sqlite.loadVFS(library) }
    guard let found = unsafe sqlite.findVFS(target.vfs) else {
      throw .failed("\(target.vfs): no such VFS")
    }
    unsafe vfs = found
    let words = target.parameters.flatMap { $0.split(separator: "=", maxSplits: 1) }
    let parameters = unsafe words.map { unsafe UnsafePointer(strdup(String($0))) }
    var list = unsafe parameters
    let name = unsafe sqlite.createFilename(
      target.path, target.path + "-journal", target.path + "-wal", Int32(words.count / 2), &list)
    guard let name = unsafe name, let journal = unsafe sqlite.journalFilename(name) else {
      throw .failed("out of memory")
    }
    unsafe databaseName = UnsafePointer(name)
    unsafe journalName = journal
  }

  func openDatabase() throws(ToolError) -> VFSFile {
    try unsafe VFSFile(vfs, databaseName, SQLITE_OPEN_MAIN_DB)
  }

  func openJournal() throws(ToolError) -> VFSFile {
    try unsafe VFSFile(vfs, journalName, SQLITE_OPEN_MAIN_JOURNAL)
  }

  func lookForJournal() throws(ToolError) {
    var isThere: Int32 = 0
    try must(
      unsafe vfs.pointee.xAccess(vfs, journalName, SQLITE_ACCESS_EXISTS, &isThere), "xAccess")
    precondition(isThere == 0, "no journal was made")
  }

  func deleteJournal() throws(ToolError) {
    try must(unsafe vfs.pointee.xDelete(vfs, journalName, 0), "xDelete")
  }
}

/// An open file of a VFS.
@safe
final class VFSFile {
  private let file: UnsafeMutablePointer<sqlite3_file>
  private let methods: UnsafePointer<sqlite3_io_methods>
  private var isOpen = true

  fileprivate init(
    _ vfs: UnsafeMutablePointer<sqlite3_vfs>, _ name: UnsafePointer<CChar>, _ kind: Int32
  ) throws(ToolError) {
    let room = unsafe UnsafeMutableRawPointer.allocate(
      byteCount: Int(vfs.pointee.szOsFile), alignment: 16)
    unsafe memset(room, 0, Int(vfs.pointee.szOsFile))
    unsafe file = room.assumingMemoryBound(to: sqlite3_file.self)
    var flags: Int32 = 0
    let code = unsafe vfs.pointee.xOpen(
      vfs, name, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | kind, &flags)
    guard code == SQLITE_OK, let found = unsafe file.pointee.pMethods else {
      unsafe room.deallocate()
      throw .unopenable("\(unsafe String(cString: name)): xOpen gives \(code)")
    }
    unsafe methods = found
  }

  deinit {
    if isOpen { _ = unsafe methods.pointee.xClose(file) }
    unsafe UnsafeMutableRawPointer(file).deallocate()
  }

  func close() throws(ToolError) {
    isOpen = false
    try must(unsafe methods.pointee.xClose(file), "xClose")
  }

  // MARK: Content

  @inline(__always)
  func read(_ page: UnsafeMutableRawPointer, at offset: Int64) throws(ToolError) {
    try must(unsafe methods.pointee.xRead(file, page, 4096, offset), "xRead")
  }

  @inline(__always)
  func write(_ page: UnsafeMutableRawPointer, at offset: Int64) throws(ToolError) {
    try must(unsafe methods.pointee.xWrite(file, page, 4096, offset), "xWrite")
  }

  func sync() throws(ToolError) {
    try must(unsafe methods.pointee.xSync(file, SQLITE_SYNC_NORMAL), "xSync")
  }

  @inline(__always)
  func byteCount() throws(ToolError) -> Int64 {
    var byteCount: sqlite3_int64 = 0
    try must(unsafe methods.pointee.xFileSize(file, &byteCount), "xFileSize")
    return byteCount
  }

  // MARK: Locks

  @inline(__always)
  func lock(_ level: Int32) throws(ToolError) {
    try must(unsafe methods.pointee.xLock(file, level), "xLock")
  }

  @inline(__always)
  func unlock(_ level: Int32) throws(ToolError) {
    try must(unsafe methods.pointee.xUnlock(file, level), "xUnlock")
  }

  /// Takes the locks up to `level` as SQLite does: it never asks for PENDING.
  @inline(__always)
  func climb(to level: Int32) throws(ToolError) {
    try lock(SQLITE_LOCK_SHARED)
    if level >= SQLITE_LOCK_RESERVED { try lock(SQLITE_LOCK_RESERVED) }
    if level >= SQLITE_LOCK_EXCLUSIVE { try lock(SQLITE_LOCK_EXCLUSIVE) }
  }

  func checkReservedLock() throws(ToolError) {
    var isReserved: Int32 = 0
    try must(unsafe methods.pointee.xCheckReservedLock(file, &isReserved), "xCheckReservedLock")
  }

  // MARK: WAL index

  func mapWALIndex() throws(ToolError) {
    var region: UnsafeMutableRawPointer?
    try must(unsafe methods.pointee.xShmMap(file, 0, 32768, 1, &region), "xShmMap")
  }

  func unmapWALIndex() { _ = unsafe methods.pointee.xShmUnmap(file, 1) }

  /// The lock of a reader.
  @inline(__always)
  func lockWALIndex() throws(ToolError) {
    let how = SQLITE_SHM_LOCK | SQLITE_SHM_SHARED
    try must(unsafe methods.pointee.xShmLock(file, firstReadLock, 1, how), "xShmLock")
  }

  @inline(__always)
  func unlockWALIndex() throws(ToolError) {
    let how = SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED
    try must(unsafe methods.pointee.xShmLock(file, firstReadLock, 1, how), "xShmLock")
  }
}

/// WAL_READ_LOCK(1) of SQLite.
private let firstReadLock: Int32 = 4

@inline(__always)
private func must(_ code: Int32, _ call: StaticString) throws(ToolError) {
  if code != SQLITE_OK { throw .failed("\(call) gives \(code)") }
}
