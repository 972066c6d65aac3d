// Standing in the sidecar's line for a lock.

internal import SluiceChannel
public import SluiceWire

extension RemoteFile {
  /// Blocks until it is this file's turn at a lock, at most `milliseconds`; false where the time is
  /// up, or at once where waiting could not help. The lock itself is asked for afterwards, and soon:
  /// the sidecar keeps others from it for a few milliseconds.
  /// - Parameter sleepsAtOnce: false where the lock is probably free.
  ///
  /// Not for a channel that others share: their calls would wait as well.
  public func awaitLock(
    _ lock: AwaitedLock, milliseconds: Int64, sleepsAtOnce: Bool = true
  ) throws(CallError) -> Bool {
    let limit = Int64(LockAwaitRequest.millisecondsMaximum)
    let request = LockAwaitRequest(
      lock: lock, milliseconds: UInt64(max(0, min(milliseconds, limit))))
    do throws(CallError) {
      _ = try unsafe channel.call(
        .lockAwait, file: id, request, sleepsAtOnce: sleepsAtOnce, replyingWith: NoFields.self)
      return true
    } catch .refused(.busy, _) {
      return false
    }
  }
}
