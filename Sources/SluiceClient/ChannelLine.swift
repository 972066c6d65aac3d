// The regions of one channel, as the calls of a process share them.

internal import SluiceChannel
internal import SluiceSystem

/// One pair of regions, and the lock that lets one call through at a time.
final class ChannelLine: Sendable {
  let number: UInt32
  let end: FutexLock<ClientEnd>
  /// Used without the lock: its changes are atomic.
  let standingLocks: StandingLocks

  /// How many requests may be under way.
  let requestCountMaximum: Int

  init(number: UInt32, regions: consuming ChannelRegions) {
    self.number = number
    requestCountMaximum = regions.shape.slotCount
    standingLocks = regions.standingLocks
    end = FutexLock(ClientEnd(regions))
  }
}
