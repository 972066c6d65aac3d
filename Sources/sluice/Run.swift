// sluice run: runs an unmodified program whose databases are in a sidecar.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let runCommand = Command(
  name: "run", summary: "run a program with its SQLite databases in a sidecar",
  help: """
    usage: sluice run [OPTION …] [--root DIR [--also DIR[:ro] …] | --socket PATH] [--]
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
                      databases through the sidecar, and have a /dev/shm of their own. At the end
                      standard error tells what the sandbox refused. Needs --root or --socket, and
                      Landlock (Linux 6.2); without Landlock COMMAND is not started, and the exit
                      code is 1
      --writable DIR  in the sandbox, everything in DIR and beneath it may be changed; may be given
                      several times

      --require       exit with code 2 if the report below names a program. Only with this option and
                      with --sandbox, COMMAND is a child of this program, which ends as COMMAND does
      --quiet         on standard error, tell neither the first failure of Sluice in COMMAND, nor the
                      report, nor what the sandbox refused

    When COMMAND has ended, a report on standard error names each program that opened a database
    without Sluice, or cannot be reached and has SQLite: why, and what to do. 'env -i' and the like
    do not take Sluice away from a program; SLUICE_DEFAULT=0 in its environment does.

    The library is the file that SLUICE_LIBRARY names, or else ../lib/libsluice.so beside this
    program. The exit code is COMMAND's, unless this program could not start it (1, 2) or --require
    has something to say.
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
  let writable = try options.values("--writable")
  let isRequired = options.flag("--require")
  try options.finish()
  guard !command.isEmpty else { throw .usage("which command?") }
  guard root == nil || socket == nil else { throw .usage("--root and --socket exclude each other") }
  guard isSandboxed || writable.isEmpty else { throw .usage("--writable needs --sandbox") }
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
  let places = isSandboxed ? try WritablePlaces(writable) : nil
  let program: String
  var library: String
  do throws(InstallationError) {
    program = try Installation.program()
    library = try Installation.library(beside: program)
  } catch {
    throw .failed("run: \(error.text)")
  }
  library = absolutePath(library)
  if let obstacle = preloadObstacle(library) {
    throw .failed("run: \(library): \(obstacle); the command was not started")
  }
  guard !library.contains(where: { $0 == " " || $0 == ":" }) else {
    throw .failed("run: \(library): LD_PRELOAD can have no path with a space or a colon")
  }
  let preloadBefore = unsafe environmentValue("LD_PRELOAD").map { unsafe text(of: $0) } ?? ""
  if let socket, let obstacle = obstacle(onSocket: socket) {
    printError("sluice: run: \(socket): \(obstacle); the command was not started")
    return 1
  }
  try chooseSidecar(program, root: root, also: also, socket: socket)
  let name = WatchName()
  var sandbox: Sandbox?
  do throws(Errno) {
    sandbox = try places.map { (places) throws(Errno) in
      let socket = unsafe environmentValue("SLUICE_SOCKET").map { unsafe text(of: $0) } ?? ""
      return try Sandbox(places: places, socket: socket, isQuiet: isQuiet)
    }
    if sandbox != nil || isRequired {
      let answer = isRequired ? try WatchAnswer(of: name) : nil
      if case .front(let ending) = try CommandProcess.split(sandbox?.supervisor) {
        return answer?.isGood() == false ? 2 : ending.adopt()
      }
    }
  } catch {
    throw .failed("run: \(unsafe String(cString: error.text)); the command was not started")
  }
  let watch = startWatcher(
    program, isQuiet && !isRequired ? nil : name, library: library, isQuiet: isQuiet,
    answers: isRequired)
  if isRequired, watch == nil { return 2 }
  set("SLUICE_WATCH", watch ?? outerWatch())
  set("LD_PRELOAD", preloadBefore.isEmpty ? library : library + ":" + preloadBefore)
  set("SLUICE_DEFAULT", "1")
  do throws(Errno) {
    try sandbox?.enter()
  } catch {
    printError("sluice: run: --sandbox: \(unsafe String(cString: error.text)); not started")
    return 1
  }
  if tellObstacle(toCommand: command[0], library: library, watch: watch ?? "") {
    set("LD_PRELOAD", preloadBefore)
  }
  set("SLUICE_TELL", isQuiet ? "" : teller())
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
    index += ["--root", "--also", "--socket", "--writable"].contains(word) ? 2 : 1
  }
  let end = min(index, words.count)
  return (Array(words[..<end]), Array(words[end...]))
}

/// SLUICE_WATCH for a run without a watcher: within another run, that one's watcher is told.
private func outerWatch() -> String {
  unsafe environmentValue("SLUICE_WATCH").map { unsafe text(of: $0) } ?? "-"
}

private func set(_ name: String, _ value: String) {
  setEnvironmentValue(zeroTerminated(name), zeroTerminated(value))
}
