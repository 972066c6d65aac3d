// A process of our own that the harness starts in order to kill it.

internal import CSluice
@unsafe @preconcurrency internal import Glibc
internal import SluiceCommand
internal import SluiceSystem

/// Confined to one thread.
final class DoomedProcess {
  let id: Int32
  private var hasEnded = false

  /// Starts `program`, which is this one, as `sluice-harness peer WORDS`. `input` becomes its
  /// standard input, `output` its standard output and errors, and `board` its descriptor 3.
  init(
    _ words: [String], program: String, input: Int32, output: Int32, board: Int32 = -1
  ) throws(HarnessError) {
    id = try needed(program) { () throws(Errno) in
      try spawn(
        [program, "peer"] + words,
        descriptors: [(input, 0), (output, 1), (output, 2), (board, 3)])
    }
  }

  deinit { kill() }

  /// Kills the process and waits until nothing of it is left.
  func kill() {
    guard !hasEnded else { return }
    hasEnded = true
    CSluice.kill(id, SIGKILL)
    _ = waitpid(id, nil, 0)
  }

  /// Whether the process has ended by itself, which is always a fault.
  func endedByItself() -> Bool {
    guard !hasEnded else { return false }
    hasEnded = waitpid(id, nil, WNOHANG) == id
    return hasEnded
  }
}
