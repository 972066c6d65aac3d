// sluice run: runs an unmodified program whose databases are in a sidecar.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let runCommand = Command(
  name: "run", summary: "run a program with its SQLite databases in a sidecar",
  help: """
    usage: sluice run [--sandbox] [--root DIR | --socket PATH] [--] COMMAND [ARGUMENT …]

    Runs COMMAND, which must link libsqlite3 dynamically, with Sluice as its default VFS. The
    program needs no change: libsluice.so is preloaded into it and into all programs that it starts.

      --root DIR      start a sidecar that serves DIR. Names that lead into DIR mean the same as
                      without Sluice, and any other name begins in DIR: /app.db is DIR/app.db. The
                      sidecar ends when COMMAND has ended and no program that it started has had a
                      database open for ten seconds
      --socket PATH   use the sidecar that listens there
                      Without --root and --socket each process has a private sidecar, and names mean
                      the same as without Sluice.
      --sandbox       COMMAND and the programs that it starts can change no file, owner, permission or
                      time on this machine, except /dev/null and their terminal. They change
                      databases through the sidecar. Needs --root or --socket, and Landlock
                      (Linux 6.2); without Landlock COMMAND is not started, and the exit code is 1

    The library is the file that SLUICE_LIBRARY names, or else ../lib/libsluice.so beside this
    program. The exit code is COMMAND's.
    """,
  ownWords: { splitCommand($0).own }, run: runProgram)

private func runProgram(_ words: [String]) throws(CommandError) -> Int32 {
  let (own, command) = splitCommand(words)
  var options = Options(own)
  let root = try options.value("--root")
  let socket = try options.value("--socket")
  let isSandboxed = options.flag("--sandbox")
  try options.finish()
  guard !command.isEmpty else { throw .usage("which command?") }
  guard root == nil || socket == nil else { throw .usage("--root and --socket exclude each other") }
  if isSandboxed {
    // A private sidecar would be in the sandbox too. A sandbox with a sidecar for all of the host's
    // names would be no sandbox.
    guard root != nil || socket != nil else { throw .usage("--sandbox needs --root or --socket") }
    if let obstacle = Sandbox.obstacle {
      printError("sluice: run: --sandbox: \(obstacle); the command was not started")
      return 1
    }
  }
  let program: String
  var preload: String
  do throws(InstallationError) {
    program = try Installation.program()
    preload = try Installation.library(beside: program)
  } catch {
    throw .failed("run: \(error.text)")
  }
  if let before = unsafe environmentValue("LD_PRELOAD") {
    unsafe preload += ":" + String(cString: before)
  }
  if let root {
    do throws(SidecarStartError) {
      set("SLUICE_SOCKET", try SharedSidecar.startForThisProcess(program, root: root))
    } catch {
      throw .failed("run: \(error.text)")
    }
  } else if let socket {
    set("SLUICE_SOCKET", socket)
  } else {
    set("SLUICE_SIDECAR", program)
    set("SLUICE_SOCKET", "")
  }
  set("LD_PRELOAD", preload)
  set("SLUICE_DEFAULT", "1")
  if isSandboxed {
    do throws(Errno) {
      try Sandbox.enter()
    } catch {
      printError("sluice: run: --sandbox: \(unsafe String(cString: error.text)); not started")
      return 1
    }
  }
  do throws(Errno) {
    try become(command.map(zeroTerminated))
  } catch {
    throw .failed("run: \(command[0]): \(unsafe String(cString: error.text))")
  }
}

/// Splits the words of `run` into its options and the command after them.
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
