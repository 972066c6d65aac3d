// sluice run: an unmodified program with its databases in a sidecar.

internal import CSluice
internal import SluiceSystem

let runCommand = Command(
  name: "run", summary: "run a program with its SQLite databases in a sidecar",
  help: """
    usage: sluice run [--root DIR | --socket PATH] [--] COMMAND [ARGUMENT …]

    Runs COMMAND, which must link libsqlite3 dynamically, with Sluice as its default VFS. The
    program needs no change: libsluice.so is preloaded into it and into all that it starts.

      --root DIR      let a sidecar of its own serve DIR, and `/` and relative names mean DIR; the
                      sidecar ends with the command and all that it started
      --socket PATH   use the sidecar that listens there
                      With neither, each process has a private sidecar, and names mean what they
                      always did.

    The library is ../lib/libsluice.so beside this program, or what SLUICE_LIBRARY names. The exit
    code is the command's.
    """,
  takesCommand: true, run: runProgram)

private func runProgram(_ words: [String]) throws(CommandError) -> Int32 {
  let (own, command) = splitCommand(words)
  var options = Options(own)
  let root = try options.value("--root")
  let socket = try options.value("--socket")
  try options.finish()
  guard !command.isEmpty else { throw .usage("which command?") }
  guard root == nil || socket == nil else { throw .usage("--root and --socket exclude each other") }
  let program = try ownPath()
  var preload = try library(beside: program)
  if let before = unsafe environmentValue("LD_PRELOAD") {
    unsafe preload += ":" + String(cString: before)
  }
  var lifeline: Int32 = -1
  if let root {
    let sidecar = try startSidecar(program, root: root)
    set("SLUICE_SOCKET", sidecar.socket)
    lifeline = sidecar.lifeline
  } else if let socket {
    set("SLUICE_SOCKET", socket)
  } else {
    set("SLUICE_SIDECAR", program)
    set("SLUICE_SOCKET", "")
  }
  set("LD_PRELOAD", preload)
  set("SLUICE_DEFAULT", "1")
  do throws(Errno) {
    try become(command.map(zeroTerminated), keeping: lifeline)
  } catch {
    throw .failed("run: \(command[0]): \(unsafe String(cString: error.text))")
  }
}

/// The options of `run`, and the command behind them.
func splitCommand(_ words: [String]) -> (own: [String], command: [String]) {
  var index = 0
  while index < words.count {
    let word = words[index]
    if word == "--" { return (Array(words[..<index]), Array(words[(index + 1)...])) }
    guard word.hasPrefix("-") else { break }
    index += word == "--root" || word == "--socket" ? 2 : 1
  }
  let end = min(index, words.count)
  return (Array(words[..<end]), Array(words[end...]))
}

private func set(_ name: String, _ value: String) {
  setEnvironmentValue(zeroTerminated(name), zeroTerminated(value))
}

private func ownPath() throws(CommandError) -> String {
  do throws(Errno) {
    return String(decoding: try unsafe readSymbolicLink("/proc/self/exe"), as: UTF8.self)
  } catch {
    throw .failed("run: /proc/self/exe: \(unsafe String(cString: error.text))")
  }
}

private func library(beside program: String) throws(CommandError) -> String {
  if let named = unsafe environmentValue("SLUICE_LIBRARY") { return unsafe String(cString: named) }
  let directory = program.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(2).joined(separator: "/")
  let path = directory + "/lib/libsluice.so"
  guard unsafe access(zeroTerminated(path), R_OK) == 0 else {
    throw .failed("run: \(path): not there; name the library in SLUICE_LIBRARY")
  }
  return path
}

/// Starts a sidecar that lasts as long as the descriptor `lifeline` is open anywhere.
private func startSidecar(
  _ program: String, root: String
) throws(CommandError) -> (socket: String, lifeline: Int32) {
  do throws(Errno) {
    let pair = try SocketPair()
    let socket = try unusedSocketPath()
    let words = ["serve", "--root", root, "--socket", socket, "--quiet", "--lifeline"]
    let sidecar = try unsafe SpawnedProcess.start(
      zeroTerminated(program), arguments: words.map(zeroTerminated), descriptor: pair.theirs)
    // It says on standard error why it does not start.
    for _ in 0..<1000 {
      if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil {
        let ours = pair.ours
        return (socket, ours.release())
      }
      if !processExists(sidecar.id) { break }
      Clock.sleep(nanoseconds: 10_000_000)
    }
  } catch {
    throw .failed("run: sidecar: \(unsafe String(cString: error.text))")
  }
  throw .failed("run: the sidecar for \(root) did not start")
}

private func unusedSocketPath() throws(Errno) -> String {
  var random: UInt64 = 0
  try unsafe withUnsafeMutableBytes(of: &random) { (bytes) throws(Errno) in
    try unsafe fillWithRandomBytes(bytes)
  }
  let directory = unsafe environmentValue("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  return "\(directory)/sluice-\(String(random, radix: 36)).socket"
}
