// sluice harness-peer: the processes that `sluice harness` starts, in order to kill them.
//
// Each ends when its standard input does: with the harness, however that ends.

internal import CSluice
@unsafe @preconcurrency internal import Glibc
internal import SluiceSystem

let harnessPeerCommand = Command(
  name: "harness-peer", summary: "", help: "started by 'sluice harness', not by people",
  run: { words throws(CommandError) in
    var options = Options(words)
    switch options.word() {
    case "worker":
      BenchPeer.endWithInput()
      try KillWorker.run(&options)
    case "doomed": try DoomedClient.run(&options)
    default: throw .usage("'sluice harness' starts this")
    }
    return 0
  })

/// A process that is there to be killed. Confined to one thread.
final class DoomedProcess {
  let id: Int32
  private var hasEnded = false

  /// Starts this program as `sluice harness-peer WORDS`, with `input` as its standard input, `output`
  /// as its standard output and errors, and `board` as its descriptor 3.
  init(
    _ words: [String], program: String, input: Int32, output: Int32, board: Int32 = -1
  ) throws(HarnessError) {
    id = try needed(program) { () throws(Errno) in
      try spawn(
        [program, "harness-peer"] + words,
        descriptors: [(input, 0), (output, 1), (output, 2), (board, 3)])
    }
  }

  deinit { kill() }

  /// Kills it and waits until nothing of it is left.
  func kill() {
    guard !hasEnded else { return }
    hasEnded = true
    CSluice.kill(id, SIGKILL)
    _ = waitpid(id, nil, 0)
  }

  /// Whether it has ended by itself, which it never should.
  func endedByItself() -> Bool {
    guard !hasEnded else { return false }
    hasEnded = waitpid(id, nil, WNOHANG) == id
    return hasEnded
  }
}
