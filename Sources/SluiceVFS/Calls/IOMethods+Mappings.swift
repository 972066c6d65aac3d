// The methods of versions 2 and 3: the WAL index in shared memory, and pages of the database by
// pointer.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

extension IOMethods {
  static func addMappings(to table: UnsafeMutablePointer<sqlite3_io_methods>) {
    unsafe table.pointee.xShmMap = { file, region, byteCount, extends, out in
      unsafe out!.pointee = nil
      return unsafe IOMethods.withFile(file!, .mapWALIndex) { (file) throws(VFSError) in
        try unsafe file.mapWALIndex(
          region: Int(region), byteCount: Int(byteCount), extends: extends != 0, out!)
      }
    }
    unsafe table.pointee.xShmLock = { file, first, count, flags in
      let kind: WALLockKind =
        flags & SQLITE_SHM_UNLOCK != 0
        ? .unlock : flags & SQLITE_SHM_SHARED != 0 ? .shared : .exclusive
      return unsafe IOMethods.withFile(file!, .lockWALIndex) { (file) throws(VFSError) in
        try file.lockWALIndex(first: Int(first), count: Int(count), kind) ? SQLITE_OK : SQLITE_BUSY
      }
    }
    unsafe table.pointee.xShmBarrier = { file in
      fullMemoryBarrier()
      unsafe OpenFile.reference(file!)._withUnsafeGuaranteedRef { $0.writerPassesBarrier() }
    }
    unsafe table.pointee.xShmUnmap = { file, deletes in
      unsafe IOMethods.withFile(file!, .mapWALIndex) { (file) throws(VFSError) in
        guard file.walIndex != nil else { return SQLITE_OK }
        file.walIndex = nil
        defer { WALIndexMap.closeUnusedDescriptors() }
        try call { () throws(CallError) in
          try file.remote.unmapWALIndex(deletes: deletes != 0, waits: false)
        }
        return SQLITE_OK
      }
    }
    unsafe table.pointee.xFetch = { file, offset, byteCount, out in
      unsafe out!.pointee = nil
      return unsafe IOMethods.withFile(file!, .map) { (file) throws(VFSError) in
        unsafe out!.pointee = unsafe try call { () throws(CallError) in
          try unsafe file.fetch(at: offset, byteCount: Int(byteCount))
        }
        return SQLITE_OK
      }
    }
    unsafe table.pointee.xUnfetch = { file, _, page in
      unsafe OpenFile.reference(file!)._withUnsafeGuaranteedRef { file in
        if unsafe page != nil { file.knowledge?.giveBack() }
        return SQLITE_OK
      }
    }
  }

  @inline(__always)
  static func withFile(
    _ file: UnsafeMutablePointer<sqlite3_file>, _ operation: VFSOperation,
    _ body: (OpenFile) throws(VFSError) -> Int32
  ) -> Int32 {
    unsafe OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      do throws(VFSError) { return try body(file) } catch { return file.fail(error, operation) }
    }
  }
}
