// SQLite's handle of an open file: a sqlite3_file with a reference to the object behind it.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

extension OpenFile {
  /// Stores the object in `file`, which keeps it until `detach`, and sets the methods of `file`.
  func attach(
    to file: UnsafeMutablePointer<sqlite3_file>, _ methods: UnsafePointer<sqlite3_io_methods>
  ) {
    let place = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: sluice_file.self)
    unsafe place.pointee.object = unsafe Unmanaged.passRetained(self).toOpaque()
    unsafe file.pointee.pMethods = unsafe methods
  }

  @inline(__always)
  static func reference(_ file: UnsafeMutablePointer<sqlite3_file>) -> Unmanaged<OpenFile> {
    let place = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: sluice_file.self)
    return unsafe Unmanaged.fromOpaque(place.pointee.object)
  }

  /// Closes the file and releases the object. A forked child does not touch an inherited file.
  static func detach(_ file: UnsafeMutablePointer<sqlite3_file>) -> Int32 {
    unsafe file.pointee.pMethods = nil
    let reference = unsafe reference(file)
    let open = unsafe reference.takeUnretainedValue()
    guard open.remote.channel.session.belongsToThisProcess else { return SQLITE_OK }
    open.wal = nil
    if open.token != 0 { OpenFile.registry.leave(open.token) }
    if open.kind == .wal { open.remote.channel.openWALCount.subtract(1, ordering: .relaxed) }
    var code = SQLITE_OK
    do throws(CallError) {
      try open.close()
    } catch .sessionLost {
      // The file was closed with the sidecar.
    } catch {
      code = report(.call(error), .close, open.path)
    }
    unsafe reference.release()
    return code
  }

  // MARK: Failures

  /// Keeps the failure for `PRAGMA sluice_error`.
  @inline(never)
  func keep(_ failure: Failure) {
    if !failure.error.isNotice(failure.operation) { lastFailure.withLock { $0 = failure } }
  }

  @inline(never)
  func fail(_ error: CallError, _ operation: VFSOperation) -> Int32 {
    fail(.call(error), operation)
  }

  /// Reports the failure of an operation on this file, and returns SQLite's result code for it.
  func fail(_ error: VFSError, _ operation: VFSOperation) -> Int32 {
    lastErrno = error.errno.rawValue
    let owner = database ?? self
    if error.endsSession { owner.walIndex?.letGo() }
    owner.wasTold(error, operation)
    let failure = Failure(error: error, operation: operation, path: path)
    owner.keep(failure)
    return report(failure)
  }
}
