// What becomes of a file whose description has gone bad, on a file system that is not this kernel's own.
//
// There a server keeps the locks, and forgets them when the connection to it breaks. A file system that
// keeps POSIX's promise then fails whatever is done with the old description, for ever (EBADFD); others
// say that nobody answers (ENOTCONN, EIO) and then go on as if nothing had been. All clients of this
// sidecar share the description, so
//
//   - the first such failure ends the trust in every lock that stands on it: who holds one is told, by
//     `locksLost`, at the next call, and nothing is written or deleted on the strength of it;
//   - when none is held any more, the next who wants one gets a new description. Those who held none
//     go on without an error;
//   - a journal, whose deletion is a commit, is deleted only after the database's description has shown
//     that it is as it was.
//
// Threads: any. `doubt` is set by whoever meets a failure, and cleared under `state`.

internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

extension SharedFile {
  var isDoubtful: Bool { doubt.load(ordering: .acquiring) }

  /// Runs system calls on the description, and notes a failure that may mean the end of it.
  @inline(__always)
  func onDescription<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(FileError) -> R {
    do throws(Errno) {
      return try body()
    } catch {
      if !isLocal { noteFailure(error) }
      throw .system(error)
    }
  }

  @inline(never)
  private func noteFailure(_ errno: Errno) {
    guard errno.mayEndDescriptions else { return }
    // In this order: who finds the file free of doubt finds the loss counted.
    losses.wrappingAdd(1, ordering: .acquiringAndReleasing)
    doubt.store(true, ordering: .releasing)
  }

  /// Gives the file a new description. Throws `busy` while a lock stands on the old one: its holder has
  /// yet to learn that it is gone.
  func renew(_ state: borrowing State) throws(FileError) {
    guard state.sharedCount == 0 else { throw .busy }
    // The kernel does not tell a daemon of the locks that go with a description.
    _ = try? descriptor.setLock(.none, start: 0, byteCount: 0)
    do throws(Errno) {
      try renewDescription(of: descriptor, [isWritable ? .readWrite : .readOnly, .nonBlocking])
    } catch {
      throw .system(error)
    }
    doubt.store(false, ordering: .releasing)
  }

  /// The same for one who holds no lock; whether the file is free of doubt now.
  @discardableResult
  func renewIfUnused() -> Bool {
    guard isDoubtful else { return true }
    return state.withLock { state in
      if self.isDoubtful { try? self.renew(state) }
      return !self.isDoubtful
    }
  }

  /// Throws unless the description is as it was when the locks were put on it, as far as that can be
  /// asked: a file system that has lost them says so.
  func proveLocks() throws(FileError) {
    if isLocal { return }
    _ = try status()
    if isDoubtful { throw .locksLost }
  }

  /// Whether somebody outside is in the way of such a lock. Servers that each know a part of a file
  /// cannot answer (EIO) while a lock is on its way to them: they are asked again.
  func isBlocked(
    _ lock: ByteRangeLock, _ start: Int64, _ byteCount: Int64
  ) throws(FileError) -> Bool {
    for _ in 0..<(isLocal ? 0 : 10) {
      do throws(Errno) {
        return try descriptor.blocker(of: lock, start: start, byteCount: byteCount) != nil
      } catch .inputOutput {
        Clock.sleep(nanoseconds: 2_000_000)
      } catch {
        break
      }
    }
    // No failure of the description: what asks for a lock would have met that.
    return try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: start, byteCount: byteCount) != nil
    }
  }
}

extension Directory {
  /// Makes the entries durable. A directory has nothing but its description to be synced by: where that
  /// has gone bad, the next one does it.
  func synchronizeAnew() throws(Errno) {
    do throws(Errno) {
      try descriptor.synchronize()
    } catch {
      guard error.mayEndDescriptions, !descriptor.fileSystemKind().isLocal else { throw error }
      try renewDescription(of: descriptor, [.readOnly, .directory])
      // A disk that has failed to write may forget that by the second time.
      if error == .inputOutput { throw error }
      try descriptor.synchronize()
    }
  }
}

extension Errno {
  /// Whether a description may be of no use after this, though the file is well. What an error of the
  /// disk or of the request is known to be is not among these.
  var mayEndDescriptions: Bool {
    switch self {
    case .inputOutput, .badDescriptor, .badDescriptorState, .notConnected, .stale, .timedOut,
      .connectionReset, .connectionRefused, .brokenPipe:
      true
    default: false
    }
  }
}
