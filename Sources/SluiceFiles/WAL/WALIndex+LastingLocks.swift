// Locks that outlive this sidecar: those that a client has alone while outsiders use the index.
//
// SQLite changes the index in mapped memory and asks nobody: a writer adds the frames there that it
// has written, and shows its transaction there after the last call of its COMMIT. If the sidecar died
// and the writer's lock died with it, an outsider would write at the same time, and the index would
// mix the frames of both. So such a lock stands on a description of the file that the client has
// mapped. The kernel keeps the lock until the client learns of the death and lets go of that mapping,
// or dies too.
//
// A client asks for this description, its view, before it asks for such a lock. The locks of a client
// without a view, and all shared locks, stand on the sidecar's own description. In a file system whose
// mappings do not keep the description, as overlayfs, all locks end with the sidecar. Under the
// database's `state`.

internal import SluiceSystem

extension WALIndex {
  /// From now on the locks that `holder` takes alone stand on `view`. None may stand on another.
  func letLocksLast(of holder: LockHolder, on view: SharedDescriptor) throws(FileError) {
    if let former = holder.view, isInUse(former) { throw .misuse }
    if !isReadOnly { holder.view = view }
  }

  private func isInUse(_ view: SharedDescriptor) -> Bool { views.contains { $0 === view } }

  /// Places exclusive locks on a view, all of them or none. The switch stands beside them: nobody may
  /// empty the index as its first user while the client may still write there.
  func lockLasting(_ range: Range<Int>, on view: SharedDescriptor) throws(FileError) {
    try lock(.shared, at: Self.deadManSwitch, on: view)
    do throws(FileError) {
      try lock(.exclusive, at: byte(range.lowerBound), count: range.count, on: view)
    } catch {
      try? leaveSwitch(on: view)
      throw error
    }
    for lock in range { views[lock] = view }
  }

  /// Takes off the file a lasting lock that its holder gives back.
  func endLasting(_ lock: Int, on view: SharedDescriptor) throws(FileError) {
    views[lock] = nil
    try self.lock(.none, at: byte(lock), on: view)
    try leaveSwitch(on: view)
  }

  private func leaveSwitch(on view: SharedDescriptor) throws(FileError) {
    if !isInUse(view) { try lock(.none, at: Self.deadManSwitch, on: view) }
  }

  /// Takes all of them off the file, because no outsider has it open any more.
  func endLastingLocks() throws(Errno) {
    for lock in views.indices {
      guard let view = views[lock] else { continue }
      _ = try view.descriptor.setLock(.none, start: 0, byteCount: 0)
      views[lock] = nil
    }
  }
}
