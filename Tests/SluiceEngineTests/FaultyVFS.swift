// SQLite's own VFS, of which a chosen write, sync or read fails. For one test at a time.

import CEngine

enum FaultyVFS {
  static let name = "sluice-test-faults"

  enum Call: CaseIterable { case write, sync, read, truncate }

  /// The call that fails, counted from now; with `isForEver` also those behind it.
  struct Fault {
    var call: Call
    var number: Int
    var code: Int32
    var isForEver = false
    var hasFailed = false
  }

  nonisolated(unsafe) static var fault: Fault?

  /// The methods of SQLite's files by those that stand in their place.
  nonisolated(unsafe) private static var originals:
    [UnsafePointer<sqlite3_io_methods>: UnsafePointer<sqlite3_io_methods>] = unsafe [:]
  nonisolated(unsafe) private static var base = unsafe sqlite3_vfs_find(nil)!

  /// Whether this call fails, and with which code.
  private static func failure(_ call: Call) -> Int32? {
    guard var fault = unsafe fault, fault.call == call else { return nil }
    fault.number -= 1
    let fails = fault.number == 0 || fault.number < 0 && fault.isForEver
    if fails { fault.hasFailed = true }
    unsafe self.fault = fault
    return fails ? fault.code : nil
  }

  private static func original(
    _ file: UnsafeMutablePointer<sqlite3_file>?
  ) -> UnsafePointer<sqlite3_io_methods> {
    unsafe originals[file!.pointee.pMethods]!
  }

  static let register: Void = {
    let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    unsafe vfs.initialize(to: base.pointee)
    unsafe vfs.pointee.zName = UnsafePointer(strdup(name))
    unsafe vfs.pointee.pNext = nil
    unsafe vfs.pointee.xOpen = { (_, name, file, flags, out) in
      let code = unsafe base.pointee.xOpen(base, name, file, flags, out)
      let kinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL
      if code == SQLITE_OK, flags & kinds != 0 { unsafe FaultyVFS.replaceMethods(of: file!) }
      return code
    }
    unsafe sqlite3_vfs_register(vfs, 0)
  }()

  private static func replaceMethods(of file: UnsafeMutablePointer<sqlite3_file>) {
    let known = unsafe file.pointee.pMethods!
    if let (replaced, _) = unsafe originals.first(where: { unsafe $0.value == known }) {
      return unsafe file.pointee.pMethods = replaced
    }
    let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    unsafe methods.initialize(to: known.pointee)
    unsafe methods.pointee.xWrite = { (file, bytes, count, offset) in
      if let code = FaultyVFS.failure(.write) { return code }
      return unsafe FaultyVFS.original(file).pointee.xWrite(file, bytes, count, offset)
    }
    unsafe methods.pointee.xRead = { (file, bytes, count, offset) in
      if let code = FaultyVFS.failure(.read) { return code }
      return unsafe FaultyVFS.original(file).pointee.xRead(file, bytes, count, offset)
    }
    unsafe methods.pointee.xSync = { (file, flags) in
      if let code = FaultyVFS.failure(.sync) { return code }
      return unsafe FaultyVFS.original(file).pointee.xSync(file, flags)
    }
    unsafe methods.pointee.xTruncate = { (file, size) in
      if let code = FaultyVFS.failure(.truncate) { return code }
      return unsafe FaultyVFS.original(file).pointee.xTruncate(file, size)
    }
    unsafe originals[methods] = known
    unsafe file.pointee.pMethods = UnsafePointer(methods)
  }
}
