// What the sidecar has to say, one line each on standard error. Nobody can fill a disk with it: of
// each cause only so many lines are written, and those left out are counted.
//
// Threads: any.

internal import CSluice
internal import SluiceSystem

enum Log {
  /// Whose doing a line is.
  enum Cause: Hashable {
    case own
    case user(UInt32)
    /// All whom the sidecar does not serve: how many they are is theirs to choose.
    case strangers

    var name: String {
      switch self {
      case .own: "the sidecar"
      case .user(let number): "user \(number)"
      case .strangers: "users who are not served"
      }
    }
  }

  /// Something that an operator should know: a session that broke the protocol, say.
  static func warning(_ text: String, cause: Cause = .own) {
    let now = Clock.monotonicNanoseconds()
    let leftOut = allowances.withLock { allowances in
      allowances[cause, default: LogAllowance(now: now)].take(now: now)
    }
    guard let leftOut else { return }
    if leftOut > 0 { write(omission(cause, leftOut)) }
    write("sluice: \(text)\n")
  }

  /// Says what was left out and not told yet, for nothing more will be said.
  static func finish() {
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
      // Nobody may be listening any more; that is no reason to stop.
      _ = unsafe CSluice.write(2, bytes.baseAddress, bytes.count)
    }
  }
}

/// How many lines one cause may still write: some at once, then one a second.
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
