// What all measured processes have in common.
//
// Each process prepares itself, says `ready`, waits for a line on its standard input, does its work
// and prints its report. It ends when its standard input does: when the benchmark ends, however
// that ends.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

enum BenchPeer {
  /// Tells the benchmark that this process is ready, and waits for its word to start.
  static func awaitStart() {
    print("ready")
    flushStandardOutput()
    var byte: UInt8 = 0
    while unsafe read(0, &byte, 1) == 1, byte != UInt8(ascii: "\n") {}
    if byte != UInt8(ascii: "\n") { _exit(0) }
    endWithInput()
  }

  /// Calls `body` again and again for `seconds`, at least once. The time of each call lasts until the
  /// next one begins, so that their sum is the time of all.
  @inline(__always)
  static func repeated(
    seconds: Double, _ body: () throws(ToolError) -> Void
  ) throws(ToolError) -> Samples {
    var times = Samples(capacity: 100_000)
    var last = Clock.monotonicNanoseconds()
    let end = last + Int64(seconds * 1e9)
    repeat {
      try body()
      let now = Clock.monotonicNanoseconds()
      times.append(now - last)
      last = now
    } while last < end
    return times
  }

  /// Calls `body` with 0 up to `count - 1`. Times as above.
  @inline(__always)
  static func repeated(
    count: Int, _ body: (Int) throws(ToolError) -> Void
  ) throws(ToolError) -> Samples {
    var index = 0
    var times = Samples(capacity: count)
    var last = Clock.monotonicNanoseconds()
    while index < count {
      try body(index)
      index += 1
      let now = Clock.monotonicNanoseconds()
      times.append(now - last)
      last = now
    }
    return times
  }

  /// Takes a peer's own options off its command line.
  static func parse<Result>(
    _ body: () throws(CommandError) -> Result
  ) throws(ToolError) -> Result {
    do throws(CommandError) {
      return try body()
    } catch {
      switch error {
      case .usage(let text), .failed(let text): throw .failed("peer: \(text)")
      }
    }
  }
}
