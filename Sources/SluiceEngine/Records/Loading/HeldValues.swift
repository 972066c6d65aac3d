// The values of a store that are being loaded or erased in this engine: never both at a time, because
// a load is read page by page and gives the value as it was when it began.
//
// Erasure leaves a value alone while it is loaded. A load begins only on a snapshot that has all
// erasures of its value; with an older one it has to begin anew.
//
// Threads: any.

internal import SluiceSystem

final class HeldValues: Sendable {
  private struct State {
    var loadCounts: [[UInt8]: Int] = [:]
    var erasureCounts: [[UInt8]: Int] = [:]
    /// How many erasures were begun or ended.
    var time: UInt64 = 0
    /// When the last erasures of some values ended.
    var ended: [[UInt8]: UInt64] = [:]
    /// Erasures that ended before are not in `ended` any more.
    var isKnownSince: UInt64 = 0
  }

  private static let endedCountMaximum = 4096

  private let state = FutexLock(State())

  /// To be asked before a snapshot is taken.
  var time: UInt64 { state.withLock { $0.time } }

  /// Holds a value while it is loaded; nil if the snapshot, which was taken at `time`, may be older
  /// than an erasure of it.
  func holdForLoad(_ id: [UInt8], snapshotAt time: UInt64) -> LoadHold? {
    state.withLock { state in
      guard state.erasureCounts[id] == nil,
        state.time == time || time >= state.isKnownSince && state.ended[id, default: 0] <= time
      else { return nil }
      state.loadCounts[id, default: 0] += 1
      return LoadHold(self, id)
    }
  }

  fileprivate func endLoad(_ id: [UInt8]) {
    state.withLock { Self.decrease(&$0.loadCounts, id) }
  }

  /// False while the value is loaded. Otherwise `endErasure` follows when the erasure is committed or
  /// given up.
  func beginErasure(_ id: [UInt8]) -> Bool {
    state.withLock { state in
      guard state.loadCounts[id] == nil else { return false }
      state.erasureCounts[id, default: 0] += 1
      state.time += 1
      return true
    }
  }

  func endErasure(_ id: [UInt8]) {
    state.withLock { state in
      Self.decrease(&state.erasureCounts, id)
      state.time += 1
      if state.ended.count >= Self.endedCountMaximum {
        state.ended = [:]
        state.isKnownSince = state.time
      }
      state.ended[id] = state.time
    }
  }

  private static func decrease(_ counts: inout [[UInt8]: Int], _ id: [UInt8]) {
    let count = counts[id, default: 1] - 1
    counts[id] = count == 0 ? nil : count
  }
}

/// A value that is being loaded, until this is gone.
final class LoadHold: Sendable {
  private let values: HeldValues
  private let id: [UInt8]

  fileprivate init(_ values: HeldValues, _ id: [UInt8]) {
    self.values = values
    self.id = id
  }

  deinit { values.endLoad(id) }
}
