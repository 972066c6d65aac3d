// sluice run: runs an unmodified program whose databases are in a sidecar.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let runCommand = Command(
  name: "run", summary: "run a program with its SQLite databases in a sidecar",
  help: """
    usage: sluice run [--sandbox] [--quiet] [--root DIR [--also DIR[:ro] …] | --socket PATH] [--]
                      COMMAND [ARGUMENT …]

    Runs COMMAND, which must link libsqlite3 dynamically, with Sluice as its default VFS. The
    program needs no change: libsluice.so is preloaded into it and into all programs that it starts.

      --root DIR      start a sidecar that serves DIR. Names that lead into DIR mean the same as
                      without Sluice, and any other name begins in DIR: /app.db is DIR/app.db. The
                      sidecar ends when COMMAND has ended and no program that it started has had a
                      database open for ten seconds
      --also DIR[:ro] serve DIR too, by the host's own names; with :ro its files are only read. May be
                      given several times (see sluice help serve)
      --socket PATH   use the sidecar that listens there; if it does not serve this user, COMMAND is
                      not started, and the exit code is 1
                      Without --root and --socket, COMMAND and all programs that it starts share a
                      sidecar, and names mean the same as without Sluice. A program that changes its
                      user, rights or root directory gets a private sidecar of its own.
      --sandbox       COMMAND and the programs that it starts can change no file, owner, permission or
                      time on this machine, except /dev/null and their terminal. They change
                      databases through the sidecar. Needs --root or --socket, and Landlock
                      (Linux 6.2); without Landlock COMMAND is not started, and the exit code is 1

      --quiet         do not tell the first failure of Sluice in COMMAND on standard error

    The library is the file that SLUICE_LIBRARY names, or else ../lib/libsluice.so beside this
    program. The exit code is COMMAND's.
    """,
  ownWords: { splitCommand($0).own }, run: runProgram)

private func runProgram(_ words: [String]) throws(CommandError) -> Int32 {
  let (own, command) = splitCommand(words)
  var options = Options(own)
  let root = try options.value("--root")
  let also = try options.values("--also")
  let socket = try options.value("--socket")
  let isSandboxed = options.flag("--sandbox")
  let isQuiet = options.flag("--quiet")
  try options.finish()
  guard !command.isEmpty else { throw .usage("which command?") }
  guard root == nil || socket == nil else { throw .usage("--root and --socket exclude each other") }
  guard root != nil || also.isEmpty else { throw .usage("--also needs --root") }
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
  guard !preload.contains(where: { $0 == " " || $0 == ":" }) else {
    throw .failed("run: \(preload): LD_PRELOAD can have no path with a space or a colon")
  }
  if let before = unsafe environmentValue("LD_PRELOAD") {
    unsafe preload += ":" + text(of: before)
  }
  if let socket, let obstacle = obstacle(onSocket: socket) {
    printError("sluice: run: \(socket): \(obstacle); the command was not started")
    return 1
  }
  try chooseSidecar(program, root: root, also: also, socket: socket)
  set("LD_PRELOAD", preload)
  set("SLUICE_DEFAULT", "1")
  set("SLUICE_TELL", isQuiet ? "" : teller())
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

/// Starts the sidecar, if need be, and tells the command of it in the environment.
private func chooseSidecar(
  _ program: String, root: String?, also: [String], socket: String?
) throws(CommandError) {
  if let socket {
    set("SLUICE_SOCKET", socket)
    return
  }
  if let root {
    do throws(SidecarStartError) {
      set(
        "SLUICE_SOCKET",
        try SharedSidecar.startForThisProcess(program, root: root, also: also))
    } catch {
      throw .failed("run: \(error.text)")
    }
    return
  }
  // For programs that may not use the sidecar that is started here.
  set("SLUICE_SIDECAR", program)
  set("SLUICE_SOCKET", "")
  set("SLUICE_RUN", "")
  do throws(SidecarStartError) {
    let socket = zeroTerminated(try SharedSidecar.startForThisProcess(program, root: nil))
    let mark = Standing.current.mark.dropLast() + [CChar(bitPattern: UInt8(ascii: " "))]
    setEnvironmentValue(zeroTerminated("SLUICE_RUN"), mark + socket)
  } catch {
    // A sandbox may allow no socket to have a name.
    printError("sluice: run: \(error.text); each program has a sidecar of its own")
  }
}

/// Splits the words of `run` into its options and the command after them.
func splitCommand(_ words: [String]) -> (own: [String], command: [String]) {
  var index = 0
  while index < words.count {
    let word = words[index]
    if word == "--" { return (Array(words[..<index]), Array(words[(index + 1)...])) }
    guard word.hasPrefix("-") else { break }
    index += ["--root", "--also", "--socket"].contains(word) ? 2 : 1
  }
  let end = min(index, words.count)
  return (Array(words[..<end]), Array(words[end...]))
}

private func set(_ name: String, _ value: String) {
  setEnvironmentValue(zeroTerminated(name), zeroTerminated(value))
}
