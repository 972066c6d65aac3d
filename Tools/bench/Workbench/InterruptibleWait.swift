// The only way in which a benchmark waits: until there is something to read, for a limited time,
// and not after the user has interrupted. Ctrl-C thus unwinds the stack, and each owner takes down
// what it has started or made.

internal import CSluice
internal import SluiceSystem
internal import ToolSupport

/// Confined to the thread that made it, the only one of its process.
final class InterruptibleWait {
  private let signals: StopSignals

  /// From now on SIGINT, SIGTERM and SIGHUP end waits and nothing else.
  init() throws(Errno) { signals = try StopSignals() }

  /// Waits until `descriptor` has input or its end; false when the time is up.
  func awaitReadable(
    _ descriptor: Int32, until deadline: Int64
  ) throws(ToolError) -> Bool {
    while true {
      let left = deadline - Clock.monotonicNanoseconds()
      var entries = [
        pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      ]
      // Rounded up: otherwise the last millisecond would be spent spinning.
      let milliseconds = Int32(max(0, min(60_000, (left + 999_999) / 1_000_000)))
      _ = unsafe sluice_poll(&entries, 2, milliseconds)
      if entries[0].revents != 0, signals.next() { throw .interrupted }
      if entries[1].revents != 0 { return true }
      if left <= 0 { return false }
    }
  }

  func sleep(nanoseconds: Int64) throws(ToolError) {
    // A negative descriptor never has input.
    _ = try awaitReadable(-1, until: Clock.monotonicNanoseconds() + nanoseconds)
  }
}
