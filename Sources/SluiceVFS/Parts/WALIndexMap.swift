// A connection's view of the WAL index: the `-shm` file, mapped region by region as SQLite asks.
// The sidecar opens and measures the file and keeps its locks. All programs that have the database
// open share the memory, stock SQLite included.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

final class WALIndexMap {
  /// WAL_WRITE_LOCK and WAL_CKPT_LOCK in wal.c.
  static let writeLock = 0
  static let checkpointLock = 1

  /// Each unit is as large as a region, or as a page of memory if that is larger. A forked child
  /// has memory of its own at these addresses. SQLite continues to read there, and a child that
  /// rolls back its parent's transaction cleans up there. In the parent's memory, that would make
  /// the parent's transaction unreadable.
  private var units: [WALIndexPart] = []
  private var isReadOnly = false
  /// Keeps the locks that the connection has alone, until it knows that its sidecar is dead. Nil
  /// before the first of them, and where the process has no room for it.
  private var view: SharedMapping?
  private var hasAskedForView = false

  deinit {
    for unit in units { unit.showToChildren() }
    view?.mapping.showToChildren()
  }

  /// To be called before a lock is taken alone while outsiders may use the index: SQLite then writes
  /// there, also after its last call of a COMMIT. If the sidecar dies meanwhile, nobody else must.
  func makeLocksLast(of file: RemoteFile) throws(CallError) {
    if hasAskedForView || units.isEmpty || isReadOnly { return }
    hasAskedForView = true
    guard let view = try file.openWALIndexView() else { return }
    // A child must not keep the locks of its parent.
    if (try? view.mapping.hideFromChildren()) != nil { self.view = view }
  }

  /// xShmMap: stores the address of a region in `out`; or nil if the index is smaller and must not
  /// be extended.
  func map(
    region: Int, byteCount: Int, extends: Bool, isReadOnly wantsReadOnly: Bool, of file: RemoteFile,
    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) throws(VFSError) -> Int32 {
    let unitByteCount = max(byteCount, memoryPageByteCount)
    let start = region * byteCount
    let needed = (start + byteCount + unitByteCount - 1) / unitByteCount * unitByteCount
    if units.count * unitByteCount < needed {
      if units.isEmpty { Self.closeUnusedDescriptors() }
      let request = WALIndexMapRequest(
        byteCount: Int64(needed), extends: extends, isReadOnly: wantsReadOnly,
        wantsDescriptor: false)
      let answer = try call { () throws(CallError) in try file.joinWALIndex(request) }
      isReadOnly = answer.isReadOnly
      guard answer.byteCount >= Int64(needed) else { return resultCode }
      while units.count * unitByteCount < needed {
        try mapUnit(unitByteCount, of: file, answer.file, request)
      }
    }
    let unit = units[start / unitByteCount]
    unsafe out.pointee = unsafe unit.start + start % unitByteCount
    return resultCode
  }

  /// How many transactions the index has seen (`iChange` of its header; file format, section 4.2.1);
  /// zero before it is mapped.
  @inline(__always)
  var transactionCount: UInt32 {
    guard let first = units.first else { return 0 }
    return unsafe first.start.load(fromByteOffset: 8, as: UInt32.self)
  }

  /// How many frames the WAL has (`mxFrame`); zero before the index is mapped.
  var frameCount: UInt32 {
    guard let first = units.first else { return 0 }
    return unsafe first.start.load(fromByteOffset: 16, as: UInt32.self)
  }

  /// Whether a connection has the right to write now. Its holder says so, in the bytes that SQLite
  /// reserves for locks and never reads or writes.
  var isWriting: Bool {
    get {
      guard let first = units.first else { return false }
      return unsafe first.start.load(fromByteOffset: 120, as: UInt32.self) != 0
    }
    set {
      guard let first = units.first, !isReadOnly else { return }
      unsafe first.start.storeBytes(of: newValue ? 1 : 0, toByteOffset: 120, as: UInt32.self)
    }
  }

  /// The lock whose mark a reader shares if it gets no mark of its own (`aReadMark` in the header;
  /// file format, section 4.2.2); nil if there is none.
  var newestReadMark: Int? {
    guard let first = units.first else { return nil }
    let frameCount = frameCount
    var newest: (lock: Int, mark: UInt32)?
    for lock in ReadMarks.locks {
      let mark = unsafe first.start.load(fromByteOffset: 88 + 4 * lock, as: UInt32.self)
      if mark <= frameCount, mark >= newest?.mark ?? 0 { newest = (lock, mark) }
    }
    return newest?.lock
  }

  /// The sidecar is dead, and with it every lock of this connection. Other connections may rebuild
  /// the index or write to it, while SQLite still has to clean up what it wrote there itself. From
  /// now on SQLite does that in private memory. Locks that lasted end now.
  func letGo() {
    for unit in units { unit.letGo() }
    view?.mapping.showToChildren()
    view = nil
    hasAskedForView = false
  }

  /// Maps the index of `file` at the addresses that were let go, because SQLite keeps these
  /// addresses.
  func mapAgain(of file: RemoteFile) throws(CallError) {
    // A read-only index may be too small, and cannot be extended.
    guard !isReadOnly else { throw .sessionLost }
    var offset: Int64 = 0
    for index in units.indices {
      let byteCount = units[index].byteCount
      let request = WALIndexMapRequest(
        byteCount: offset + Int64(byteCount), extends: true, isReadOnly: false,
        wantsDescriptor: false)
      let answer = try file.joinWALIndex(request)
      let range = MappedRange(offset: offset, byteCount: byteCount, isWritable: true)
      guard !answer.isReadOnly, answer.byteCount >= request.byteCount,
        let next = try file.mapWALIndex(request, range, inPlaceOf: units[index])
      else { throw .sessionLost }
      units[index] = next
      offset += Int64(byteCount)
    }
  }

  /// Closes descriptors of indexes that could not be closed earlier, if they can be closed by now.
  static func closeUnusedDescriptors() {
    if !KeptDescriptors.isEmpty { csqlite_beside_unix_vfs { KeptDescriptors.closeUnused() } }
  }

  private var resultCode: Int32 { isReadOnly ? SQLITE_READONLY : SQLITE_OK }

  private func mapUnit(
    _ byteCount: Int, of file: RemoteFile, _ number: FileNumber, _ request: WALIndexMapRequest
  ) throws(VFSError) {
    let range = MappedRange(
      offset: Int64(units.count * byteCount), byteCount: byteCount, isWritable: !isReadOnly)
    // The part is there already if another connection has mapped it.
    let unit = try call { () throws(CallError) -> WALIndexPart? in
      if let copy = file.copyWALIndexPart(of: number, range) { return copy }
      return try file.mapWALIndex(request, range)
    }
    guard let unit else { throw .system(.outOfMemory) }
    do throws(Errno) { try unit.hideFromChildren() } catch { throw .system(error) }
    units.append(unit)
  }
}
