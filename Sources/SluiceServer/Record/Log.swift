// The lines that the process writes on standard error. No client can fill a disk with them: for
// each cause only so many lines are written, and those left out are counted.
//
// Threads: any.

internal import CSluice
internal import SluiceSystem

package enum Log {
  /// Who caused a line.
  package enum Cause: Hashable, Sendable {
    case own
    case user(UInt32)
    /// All users whom the sidecar does not serve, together, because they choose how many they are.
    case strangers

    var name: String {
      switch self {
      case .own: "the sidecar"
      case .user(let number): "user \(number)"
      case .strangers: "users who are not served"
      }
    }
  }

  /// Something that an operator should know, for example that a session broke the protocol.
  package static func warning(_ text: String, cause: Cause = .own) {
    let now = Clock.monotonicNanoseconds()
    let leftOut = allowances.withLock { allowances in
      allowances[cause, default: LogAllowance(now: now)].take(now: now)
    }
    guard let leftOut else { return }
    if leftOut > 0 { write(omission(cause, leftOut)) }
    write("sluice: \(text)\n")
  }

  /// Says how many lines were left out and not yet counted. Nothing more is written after this.
  package static func finish() {
    let rest = allowances.withLock { allowances in
      defer { allowances = [:] }
      return allowances
    }
    for (cause, allowance) in rest where allowance.leftOutCount > 0 {
      write(omission(cause, allowance.leftOutCount))
    }
  }

  private static func omission(_ cause: Cause, _ count: Int) -> String {
    "sluice: log: \(count) lines because of \(cause.name) were left out\n"
  }

  private static let allowances = FutexLock<[Cause: LogAllowance]>([:])

  private static func write(_ line: String) {
    var line = line
    line.withUTF8 { bytes in
      // The other end may be closed. That is no reason to stop.
      _ = unsafe CSluice.write(2, bytes.baseAddress, bytes.count)
    }
  }
}

/// How many lines one cause may still write: twenty at once, then one a second.
struct LogAllowance {
  static let logLinesMaximum = 20
  private static let lineNanoseconds: Int64 = 1_000_000_000

  private var lineCount = logLinesMaximum
  private var filledAt: Int64
  private(set) var leftOutCount = 0

  init(now: Int64) { filledAt = now }

  /// Whether a line may be written now: how many were left out before it, or nil if it must be left
  /// out as well.
  mutating func take(now: Int64) -> Int? {
    let earned = (now - filledAt) / Self.lineNanoseconds
    filledAt += earned * Self.lineNanoseconds
    lineCount = min(Self.logLinesMaximum, lineCount + Int(earned))
    guard lineCount > 0 else {
      leftOutCount += 1
      return nil
    }
    lineCount -= 1
    defer { leftOutCount = 0 }
    return leftOutCount
  }
}
