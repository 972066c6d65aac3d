// The sqlite3_io_methods: SQLite's calls on an open file. Each callback finds its object, makes one
// call, and turns an error into a result code.

internal import CSQLite
internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum IOMethods {
  /// The usual table. Never freed.
  private nonisolated(unsafe) static let table = unsafe makeTable()

  /// The table of a database that can have no WAL index. SQLite checks for xShmMap before it enters
  /// WAL mode or opens a database in WAL mode, unless it has locked the file exclusively.
  private nonisolated(unsafe) static let tableWithoutWALIndex = {
    let table = unsafe makeTable()
    unsafe table.pointee.xShmMap = nil
    unsafe table.pointee.xShmLock = nil
    unsafe table.pointee.xShmBarrier = nil
    unsafe table.pointee.xShmUnmap = nil
    return unsafe table
  }()

  /// The table for this file, as its sqlite3_file points to it.
  static func table(for file: OpenFile) -> UnsafePointer<sqlite3_io_methods> {
    unsafe UnsafePointer(file.canHaveWALIndex ? table : tableWithoutWALIndex)
  }

  private static func makeTable() -> UnsafeMutablePointer<sqlite3_io_methods> {
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    unsafe table.initialize(to: sqlite3_io_methods())
    unsafe table.pointee.iVersion = 3
    unsafe table.pointee.xClose = { file in unsafe OpenFile.detach(file!) }
    unsafe table.pointee.xRead = { file, buffer, byteCount, offset in
      unsafe IOMethods.read(
        file!, UnsafeMutableRawBufferPointer(start: buffer, count: Int(byteCount)), offset)
    }
    unsafe table.pointee.xWrite = { file, buffer, byteCount, offset in
      let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: Int(byteCount))
      return unsafe IOMethods.perform(.write, on: file!) { (file) throws(CallError) in
        try unsafe file.write(bytes, at: offset)
      }
    }
    unsafe table.pointee.xTruncate = { file, byteCount in
      unsafe IOMethods.perform(.truncate, on: file!) { (file) throws(CallError) in
        try file.truncate(toByteCount: byteCount)
      }
    }
    unsafe table.pointee.xSync = { file, _ in
      unsafe IOMethods.perform(.sync, on: file!) { (file) throws(CallError) in
        try file.sync()
      }
    }
    unsafe table.pointee.xFileSize = { file, byteCount in
      unsafe IOMethods.perform(.fileSize, on: file!) { (file) throws(CallError) in
        unsafe byteCount!.pointee = try file.byteCount()
      }
    }
    unsafe addLocks(to: table)
    unsafe addMappings(to: table)
    unsafe table.pointee.xFileControl = { file, code, argument in
      unsafe FileControl.perform(file!, code, argument)
    }
    unsafe table.pointee.xSectorSize = { _ in 4096 }
    unsafe table.pointee.xDeviceCharacteristics = { file in
      unsafe OpenFile.reference(file!)._withUnsafeGuaranteedRef {
        $0.isPowersafeOverwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0
      }
    }
    return unsafe table
  }

  private static func addLocks(to table: UnsafeMutablePointer<sqlite3_io_methods>) {
    unsafe table.pointee.xLock = { file, level in
      unsafe IOMethods.withFile(file!, .lock) { (file) throws(VFSError) in
        let level = LockLevel(rawValue: UInt64(level))!
        guard file.mayTake(level) else { return csqlite_ioerr_lock }
        try file.lock(level)
        return SQLITE_OK
      }
    }
    unsafe table.pointee.xUnlock = { file, level in
      unsafe IOMethods.perform(.unlock, on: file!) { (file) throws(CallError) in
        try file.unlock(LockLevel(rawValue: UInt64(level))!)
      }
    }
    unsafe table.pointee.xCheckReservedLock = { file, result in
      unsafe result!.pointee = 0
      return unsafe IOMethods.perform(.checkReservedLock, on: file!) { (file) throws(CallError) in
        unsafe result!.pointee = try file.remote.isReserved() ? 1 : 0
      }
    }
  }

  @inline(__always)
  static func perform(
    _ operation: VFSOperation, on file: UnsafeMutablePointer<sqlite3_file>,
    _ body: (OpenFile) throws(CallError) -> Void
  ) -> Int32 {
    unsafe OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      do throws(CallError) {
        try body(file)
        return SQLITE_OK
      } catch {
        return file.fail(error, operation)
      }
    }
  }

  @inline(__always)
  private static func read(
    _ file: UnsafeMutablePointer<sqlite3_file>, _ buffer: UnsafeMutableRawBufferPointer,
    _ offset: Int64
  ) -> Int32 {
    unsafe OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      do throws(CallError) {
        let byteCount = try unsafe file.read(into: buffer, at: offset)
        if byteCount == buffer.count { return SQLITE_OK }
        unsafe memset(buffer.baseAddress! + byteCount, 0, buffer.count - byteCount)
        return csqlite_ioerr_short_read
      } catch {
        return file.fail(error, .read)
      }
    }
  }
}
