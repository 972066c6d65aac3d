// A quick check of a channel, for a thread that serves many channels.

internal import Synchronization

/// Says in one load, and without a reference to the channel, whether the channel may have a
/// request. It checks whether the word in which the next request shows has changed since this watch
/// was made. A watch is valid as long as the end that gave it. Only that end knows for certain:
/// after it has completed a request, an older watch says yes.
@safe
public struct RequestWatch {
  /// The `sequence` of the slot in which the next request will come.
  let sequence: SharedWord
  /// Its value until then.
  let idle: UInt32

  @inline(__always)
  public var hasRequest: Bool {
    unsafe sequence.pointee.load(ordering: .acquiring) != idle  // SYNC request
  }
}
