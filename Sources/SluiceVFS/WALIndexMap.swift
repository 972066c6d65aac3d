// A connection's view of the WAL index: the `-shm` file, mapped region by region as SQLite asks. The
// sidecar opens and measures it and keeps its locks; the memory is shared by everybody who has the
// database open, stock SQLite included.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

final class WALIndexMap {
  /// WAL_CKPT_LOCK in wal.c.
  static let checkpointLock = 1

  /// Each as large as a region, or as a page of memory where that is larger. In a forked child there
  /// is memory of its own at their addresses: SQLite goes on reading there, and a child that rolls back
  /// what its parent began tidies up there, which would make the parent's transaction unreadable.
  private var units: [SharedMapping] = []
  private var isReadOnly = false

  deinit { for unit in units { unit.mapping.showToChildren() } }

  /// xShmMap: puts the address of a region into `out`, or nil where the index is not that large and
  /// is not to be extended.
  func map(
    region: Int, byteCount: Int, extends: Bool, of file: OpenFile,
    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) throws(VFSError) -> Int32 {
    let unitByteCount = max(byteCount, memoryPageByteCount)
    let start = region * byteCount
    let needed = (start + byteCount + unitByteCount - 1) / unitByteCount * unitByteCount
    if units.count * unitByteCount < needed {
      if units.isEmpty { Self.closeUnusedDescriptors() }
      let request = WALIndexMapRequest(
        byteCount: Int64(needed), extends: extends, isReadOnly: file.isWALIndexReadOnly,
        wantsDescriptor: false)
      let answer = try call { () throws(CallError) in try file.remote.joinWALIndex(request) }
      isReadOnly = answer.isReadOnly
      guard answer.byteCount >= Int64(needed) else { return resultCode }
      while units.count * unitByteCount < needed { try mapUnit(unitByteCount, of: file, request) }
    }
    let unit = units[start / unitByteCount]
    unsafe out.pointee = unsafe unit.start + start % unitByteCount
    return resultCode
  }

  /// The sidecar is dead, and with it every lock of this connection: others may set the index up anew
  /// or be writing to it, while SQLite still means to tidy up what it wrote there itself. From here on
  /// it does that in memory of its own.
  func letGo() { for unit in units { unit.mapping.letGo() } }

  /// Maps the index of `file` in the place of what was let go, for SQLite keeps the addresses.
  func mapAgain(of file: RemoteFile) throws(CallError) {
    // An index that is there for reading only may be too small, and cannot be extended.
    guard !isReadOnly else { throw .sessionLost }
    var offset: Int64 = 0
    for unit in units {
      let byteCount = unit.mapping.byteCount
      let request = WALIndexMapRequest(
        byteCount: offset + Int64(byteCount), extends: true, isReadOnly: false,
        wantsDescriptor: false)
      let answer = try file.joinWALIndex(request)
      let range = MappedRange(offset: offset, byteCount: byteCount, isWritable: true)
      guard !answer.isReadOnly, answer.byteCount >= request.byteCount,
        try file.mapWALIndex(request, range, inPlaceOf: unit) != nil
      else { throw .sessionLost }
      offset += Int64(byteCount)
    }
  }

  /// Descriptors of indexes that could not be closed before, where they can by now.
  static func closeUnusedDescriptors() {
    if !KeptDescriptors.isEmpty { csqlite_beside_unix_vfs { KeptDescriptors.closeUnused() } }
  }

  private var resultCode: Int32 { isReadOnly ? SQLITE_READONLY : SQLITE_OK }

  private func mapUnit(
    _ byteCount: Int, of file: OpenFile, _ request: WALIndexMapRequest
  ) throws(VFSError) {
    let range = MappedRange(
      offset: Int64(units.count * byteCount), byteCount: byteCount, isWritable: !isReadOnly)
    let unit = try call { () throws(CallError) in try file.remote.mapWALIndex(request, range) }
    guard let unit else { throw .system(.outOfMemory) }
    do throws(Errno) { try unit.mapping.hideFromChildren() } catch { throw .system(error) }
    units.append(unit)
  }
}
