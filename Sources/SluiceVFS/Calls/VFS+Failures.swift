// Failures of calls that name a file.

internal import SluiceSystem

extension VFS {
  /// Reports the failure, and keeps it for `PRAGMA sluice_error` of the connection that this thread
  /// used last, because the call names no connection.
  @inline(never)
  static func fail(_ error: VFSError, _ operation: VFSOperation, _ path: [UInt8]) -> Int32 {
    let failure = Failure(error: error, operation: operation, path: path)
    OpenFile.registry.lastUsed()?.file.keep(failure)
    return report(failure)
  }
}
