// How a client stands in the sidecar's line for a lock.

internal import SluiceChannel
public import SluiceWire

extension RemoteFile {
  /// Blocks until this file's turn for a lock comes, for at most `milliseconds`. False if the time
  /// is up; false at once if waiting could not help. The caller then requests the lock itself, and
  /// soon: the sidecar keeps others from the lock for a few milliseconds only.
  /// - Parameter sleepsAtOnce: false if the lock is probably free.
  ///
  /// Not for a shared channel, because the other users' calls would wait as well.
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
