// SQLite's own VFS on a disk whose syncs take longer. `sluice serve --sync-delay` does the same for
// Sluice: both sleep first and then sync.
//
// The unix VFS does not let a program replace fsync or fdatasync: its table of system calls
// (xSetSystemCall) has neither. So this is a copy of the VFS whose files have another xSync. A sync
// that xDelete makes is not delayed: in WAL mode there is none.

internal import CSQLite
internal import CSluice
internal import SluiceSystem
internal import ToolSupport

/// SQLite knows only its first member.
@safe
struct SlowSyncVFS {
  private typealias Open =
    @convention(c) (
      UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?,
      UnsafeMutablePointer<sqlite3_file>?,
      Int32, UnsafeMutablePointer<Int32>?
    ) -> Int32

  private var vfs: sqlite3_vfs
  private let baseOpen: Open
  /// Where a file's `SlowMethods` are, behind the file object of the base.
  private let methodsOffset: Int
  private let delayNanoseconds: Int64

  /// Registers the copy for the whole process and returns its name.
  static func register(
    _ sqlite: SQLiteLibrary, over base: String, delayMilliseconds: Int
  ) throws(ToolError) -> String {
    guard let found = unsafe sqlite.findVFS(base) else { throw .failed("\(base): no such VFS") }
    let name = base + "-slow-sync"
    // Never freed: SQLite keeps it.
    let copy = UnsafeMutablePointer<SlowSyncVFS>.allocate(capacity: 1)
    unsafe copy.initialize(
      to: SlowSyncVFS(
        over: found.pointee, name: strdup(name), delayMilliseconds: delayMilliseconds))
    let code = unsafe sqlite.registerVFS(
      UnsafeMutableRawPointer(copy).assumingMemoryBound(to: sqlite3_vfs.self), 0)
    guard code == SQLITE_OK else { throw .failed("\(name): sqlite3_vfs_register gives \(code)") }
    return name
  }

  private init(over base: sqlite3_vfs, name: UnsafePointer<CChar>, delayMilliseconds: Int) {
    unsafe vfs = unsafe base
    unsafe baseOpen = unsafe base.xOpen
    let alignment = MemoryLayout<SlowMethods>.alignment
    methodsOffset = unsafe (Int(base.szOsFile) + alignment - 1) / alignment * alignment
    delayNanoseconds = Int64(delayMilliseconds) * 1_000_000
    unsafe vfs.zName = unsafe name
    unsafe vfs.szOsFile = Int32(methodsOffset + MemoryLayout<SlowMethods>.size)
    unsafe vfs.xOpen = { vfs, name, file, flags, outFlags in
      let slow = unsafe UnsafeMutableRawPointer(vfs!).assumingMemoryBound(to: SlowSyncVFS.self)
      return unsafe slow.pointee.open(vfs, name, file!, flags, outFlags)
    }
  }

  private func open(
    _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?,
    _ file: UnsafeMutablePointer<sqlite3_file>, _ flags: Int32,
    _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    let code = unsafe baseOpen(vfs, name, file, flags, outFlags)
    guard code == SQLITE_OK, let base = unsafe file.pointee.pMethods else { return code }
    let methods = unsafe (UnsafeMutableRawPointer(file) + methodsOffset)
      .bindMemory(to: SlowMethods.self, capacity: 1)
    unsafe methods.initialize(
      to: SlowMethods(over: base.pointee, delayNanoseconds: delayNanoseconds))
    unsafe file.pointee.pMethods =
      unsafe UnsafeRawPointer(methods).assumingMemoryBound(to: sqlite3_io_methods.self)
    return code
  }
}

/// The methods of one open file. SQLite knows only the first member.
@safe
private struct SlowMethods {
  typealias Sync = @convention(c) (UnsafeMutablePointer<sqlite3_file>?, Int32) -> Int32

  private var methods: sqlite3_io_methods
  private let baseSync: Sync
  private let delayNanoseconds: Int64

  init(over base: sqlite3_io_methods, delayNanoseconds: Int64) {
    methods = base
    unsafe baseSync = unsafe base.xSync
    self.delayNanoseconds = delayNanoseconds
    unsafe methods.xSync = { file, flags in
      let slow = unsafe UnsafeRawPointer(file!.pointee.pMethods!)
        .assumingMemoryBound(to: SlowMethods.self)
      Clock.sleep(nanoseconds: unsafe slow.pointee.delayNanoseconds)
      return unsafe slow.pointee.baseSync(file, flags)
    }
  }
}
