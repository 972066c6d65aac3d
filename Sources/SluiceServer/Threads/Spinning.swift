// How many reactors may poll for long at a time.
//
// One processor is left to the clients. Reactors that poll on all processors keep the clients for
// which they wait from running: two busy clients on two processors took 0.7 to 1.5 µs for a null
// operation on average with one reactor, and 0.9 to 13 µs with two.
//
// Threads: any.

internal import SluiceSystem
internal import Synchronization

final class Spinning: Sendable {
  /// How many reactors are not asleep.
  private let awakeCount = Atomic<Int>(0)

  func noteAwake() { awakeCount.wrappingAdd(1, ordering: .relaxed) }
  func noteAsleep() { awakeCount.wrappingSubtract(1, ordering: .relaxed) }

  /// Whether a reactor may poll for long, because a processor is left for others.
  var hasRoom: Bool { awakeCount.load(ordering: .relaxed) <= max(1, processorCount - 1) }
}
