// A quick look at a channel, for a thread that looks at many channels.

internal import Synchronization

/// Whether a channel may have requests, in one load and without a reference to it: whether the word
/// where the next one shows has changed since this look was made. Good as long as the end that gave
/// it, which knows for certain. When it has completed a request, a look from before says yes.
@safe
public struct RequestWatch {
  /// That of the slot where the request would stand.
  let sequence: SharedWord
  /// What it is while there is none.
  let idle: UInt32

  @inline(__always)
  public var hasRequest: Bool {
    unsafe sequence.pointee.load(ordering: .acquiring) != idle  // SYNC request
  }
}
