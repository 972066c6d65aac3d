// The sqlite3_io_methods: what SQLite does with an open file. Each callback finds its object, does
// one call, and turns what it throws into a result code.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum IOMethods {
  /// The table that every file points to. Never freed.
  nonisolated(unsafe) static let table: UnsafeMutablePointer<sqlite3_io_methods> = {
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    table.initialize(to: sqlite3_io_methods())
    table.pointee.iVersion = 1
    table.pointee.xClose = { file in OpenFile.detach(file!) }
    table.pointee.xRead = { file, buffer, byteCount, offset in
      IOMethods.read(file!, UnsafeMutableRawBufferPointer(start: buffer, count: Int(byteCount)), offset)
    }
    table.pointee.xWrite = { file, buffer, byteCount, offset in
      let bytes = UnsafeRawBufferPointer(start: buffer, count: Int(byteCount))
      return IOMethods.perform(.write, on: file!) { (file) throws(CallError) in
        try file.remote.write(bytes, at: offset)
      }
    }
    table.pointee.xTruncate = { file, byteCount in
      IOMethods.perform(.truncate, on: file!) { (file) throws(CallError) in
        try file.remote.truncate(toByteCount: byteCount)
      }
    }
    table.pointee.xSync = { file, _ in
      IOMethods.perform(.sync, on: file!) { (file) throws(CallError) in try file.remote.sync() }
    }
    table.pointee.xFileSize = { file, byteCount in
      IOMethods.perform(.fileSize, on: file!) { (file) throws(CallError) in
        byteCount!.pointee = try file.remote.byteCount()
      }
    }
    addLocks(to: table)
    table.pointee.xFileControl = { file, code, argument in IOMethods.fileControl(file!, code, argument) }
    table.pointee.xSectorSize = { _ in 4096 }
    table.pointee.xDeviceCharacteristics = { file in
      OpenFile.reference(file!)._withUnsafeGuaranteedRef {
        $0.isPowersafeOverwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0
      }
    }
    return table
  }()

  private static func addLocks(to table: UnsafeMutablePointer<sqlite3_io_methods>) {
    table.pointee.xLock = { file, level in
      IOMethods.perform(.lock, on: file!) { (file) throws(CallError) in
        Registry.use(file.token)
        let level = LockLevel(rawValue: UInt64(level))!
        if file.level >= level { return }
        try file.remote.lock(level)
        file.level = level
      }
    }
    table.pointee.xUnlock = { file, level in
      IOMethods.perform(.unlock, on: file!) { (file) throws(CallError) in
        let level = LockLevel(rawValue: UInt64(level))!
        if file.level <= level && file.level <= .shared { return }
        file.level = level
        try file.remote.unlock(level)
      }
    }
    table.pointee.xCheckReservedLock = { file, result in
      result!.pointee = 0
      return IOMethods.perform(.checkReservedLock, on: file!) { (file) throws(CallError) in
        result!.pointee = try file.remote.isReserved() ? 1 : 0
      }
    }
  }

  @inline(__always)
  private static func perform(
    _ operation: VFSOperation, on file: UnsafeMutablePointer<sqlite3_file>,
    _ body: (OpenFile) throws(CallError) -> Void
  ) -> Int32 {
    OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      do throws(CallError) {
        try body(file)
        return SQLITE_OK
      } catch {
        return fail(error, operation, file)
      }
    }
  }

  @inline(never)
  private static func fail(
    _ error: CallError, _ operation: VFSOperation, _ file: OpenFile
  ) -> Int32 {
    file.lastErrno = error.errno.rawValue
    return report(.call(error), operation, file.path)
  }

  @inline(__always)
  private static func read(
    _ file: UnsafeMutablePointer<sqlite3_file>, _ buffer: UnsafeMutableRawBufferPointer,
    _ offset: Int64
  ) -> Int32 {
    OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      do throws(CallError) {
        let byteCount = try file.remote.read(into: buffer, at: offset)
        if byteCount == buffer.count { return SQLITE_OK }
        memset(buffer.baseAddress! + byteCount, 0, buffer.count - byteCount)
        return csqlite_ioerr_short_read
      } catch {
        return fail(error, .read, file)
      }
    }
  }

  private static func fileControl(
    _ file: UnsafeMutablePointer<sqlite3_file>, _ code: Int32, _ argument: UnsafeMutableRawPointer?
  ) -> Int32 {
    OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      guard let argument else { return SQLITE_NOTFOUND }
      let number = argument.assumingMemoryBound(to: Int32.self)
      switch code {
      case SQLITE_FCNTL_LOCKSTATE:
        number.pointee = Int32(file.level.rawValue)
      case SQLITE_FCNTL_LAST_ERRNO:
        number.pointee = file.lastErrno
      case SQLITE_FCNTL_VFSNAME:
        argument.assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self).pointee =
          csqlite_copy("sluice")
      case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
        if number.pointee >= 0 { file.isPowersafeOverwrite = number.pointee != 0 }
        number.pointee = file.isPowersafeOverwrite ? 1 : 0
      default:
        return SQLITE_NOTFOUND
      }
      return SQLITE_OK
    }
  }
}
