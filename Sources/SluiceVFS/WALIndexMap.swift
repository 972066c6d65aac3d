// A connection's view of the WAL index: the `-shm` file, mapped region by region as SQLite asks. The
// sidecar opens and measures it and keeps its locks; the memory is shared by everybody who has the
// database open, stock SQLite included.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

final class WALIndexMap {
  /// A forked child inherits the memory, so that what SQLite remembers of it stays readable there;
  /// locking it is what the child cannot.
  private final class Unit {
    let mapping: Mapping

    init(_ mapping: consuming Mapping) { self.mapping = mapping }
  }

  private var descriptor: SharedDescriptor?
  /// Each as large as a region, or as a page of memory where that is larger.
  private var units: [Unit] = []
  private var isReadOnly = false

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
      guard try ask(file, byteCount: needed, extends: extends) >= Int64(needed) else {
        return resultCode
      }
      try mapUnits(upTo: needed / unitByteCount, unitByteCount)
    }
    let unit = units[start / unitByteCount]
    unsafe out.pointee = unsafe unit.mapping.start + start % unitByteCount
    return resultCode
  }

  private var resultCode: Int32 { isReadOnly ? SQLITE_READONLY : SQLITE_OK }

  private func ask(
    _ file: OpenFile, byteCount: Int, extends: Bool
  ) throws(VFSError) -> Int64 {
    let request = WALIndexMapRequest(
      byteCount: Int64(byteCount), extends: extends, isReadOnly: file.isWALIndexReadOnly,
      wantsDescriptor: descriptor == nil)
    let answer = try call { () throws(CallError) in try file.remote.mapWALIndex(request) }
    if let passed = answer.descriptor { descriptor = passed }
    isReadOnly = answer.isReadOnly
    return answer.byteCount
  }

  private func mapUnits(upTo count: Int, _ unitByteCount: Int) throws(VFSError) {
    do throws(Errno) {
      while units.count < count {
        let mapping = try Mapping(
          descriptor!.descriptor, offset: Int64(units.count * unitByteCount),
          byteCount: unitByteCount, writable: !isReadOnly, inheritable: true)
        units.append(Unit(mapping))
      }
    } catch {
      throw .system(error)
    }
  }
}
