// Failures of calls that name a file.

internal import SluiceClient
internal import SluiceSystem

extension VFS {
  /// Reports the failure, and keeps it for `PRAGMA sluice_error` of the connection that this thread
  /// used last, because the call names no connection. `name` is a main database's, with its URI.
  @inline(never)
  static func fail(
    _ error: VFSError, _ operation: VFSOperation, _ path: [UInt8],
    _ name: UnsafePointer<CChar>?
  ) -> Int32 {
    let failure =
      unsafe refusal(error, operation, path, name)
      ?? Failure(error: error, operation: operation, path: path)
    OpenFile.registry.lastUsed()?.file.keep(failure)
    return report(failure)
  }

  /// The failure with the sidecar's root, if the name means a file that the sidecar does not serve:
  /// it leads out, or the host has the file that was looked for in the root. Nil for any other.
  @inline(never)
  private static func refusal(
    _ error: VFSError, _ operation: VFSOperation, _ path: [UInt8], _ name: UnsafePointer<CChar>?
  ) -> Failure? {
    var missing = path
    switch error {
    case .call(.refused(.outsideRoot, _)), .noDirectory: break
    case .call(.refused(.notFound, _)) where unsafe operation == .open && name != nil: break
    default: return nil
    }
    guard let session = unsafe try? session(of: path, name),
      let root = try? session.home.fullPathname([UInt8(ascii: "/")]).path
    else { return nil }
    if case .call(.refused(.outsideRoot, _)) = error {
    } else {
      guard root.count > 1, isBeneath(path, root), let inner = remainder(of: path, beneath: root)
      else { return nil }
      missing = inner
      var there = inner
      if case .noDirectory = error { there = directoryAndName(of: inner)?.directory ?? [] }
      guard realPath(of: there) != nil else { return nil }
    }
    return Failure(error: .outside(root: root), operation: operation, path: missing)
  }

  /// The session for a main database's name, or for the name of another file.
  static func session(
    of path: [UInt8], _ name: UnsafePointer<CChar>?
  ) throws(VFSError) -> Session {
    guard let name = unsafe name else { return try OpenFile.registry.channel(for: path).session }
    return try unsafe OpenFile.registry.sessions.session(
      socket: URIParameters.socket(of: name),
      milliseconds: URIParameters.connectMilliseconds(of: name))
  }
}
