// Ctrl-C: the harness looks for it between two steps, and so removes everything that it made.

internal import SluiceSystem
internal import Synchronization

/// Any thread may call `check`, or only read `isMade`.
final class StopRequest: Sendable {
  private let signals: StopSignals
  private let made = Atomic<Bool>(false)

  /// From now on SIGINT, SIGTERM and SIGHUP are read here and do nothing else.
  init() throws(HarnessError) {
    do throws(Errno) { signals = try StopSignals() } catch { throw .system("signals", error) }
  }

  /// Throws once the user has interrupted the run.
  func check() throws(HarnessError) {
    if signals.next() { made.store(true, ordering: .relaxed) }
    if isMade { throw .interrupted }
  }

  var isMade: Bool { made.load(ordering: .relaxed) }
}
