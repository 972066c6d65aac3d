// Ctrl-C, as the harness hears it: between two steps, so that everything it made is taken down.

internal import SluiceSystem
internal import Synchronization

/// Any thread may check, or only ask `isMade`.
final class StopRequest: Sendable {
  private let signals: StopSignals
  private let made = Atomic<Bool>(false)

  /// From now on SIGINT, SIGTERM and SIGHUP are read here and do nothing else.
  init() throws(HarnessError) {
    do throws(Errno) { signals = try StopSignals() } catch { throw .system("signals", error) }
  }

  /// Throws once the user wants no more.
  func check() throws(HarnessError) {
    if signals.next() { made.store(true, ordering: .relaxed) }
    if isMade { throw .interrupted }
  }

  var isMade: Bool { made.load(ordering: .relaxed) }
}
