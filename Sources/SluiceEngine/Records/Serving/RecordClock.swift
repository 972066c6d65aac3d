// The time that erasure and locks go by. Tests have one that stands still.

internal import SluiceSystem

package protocol RecordClock: Sendable {
  /// Since 1970.
  var realtimeMilliseconds: Int64 { get }
  var monotonicMilliseconds: Int64 { get }
}

package struct SystemClock: RecordClock {
  package init() {}
  package var realtimeMilliseconds: Int64 { Int64(Clock.realtimeMilliseconds()) }
  package var monotonicMilliseconds: Int64 { Clock.monotonicNanoseconds() / 1_000_000 }
}
