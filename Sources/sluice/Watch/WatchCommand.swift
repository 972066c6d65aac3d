// sluice watch: the process that watches a `sluice run` and reports at its end. Only `run` starts it.

internal import CSluice
internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceSystem

let watchCommand = Command(
  name: "watch", summary: "",
  help: """
    usage: sluice watch --process ID --library PATH [--quiet] [--answer]

    'sluice run' starts this. Descriptor 3 is the socket on which the processes of the run tell of
    databases that they open without Sluice. When process ID has ended, the report is written on
    standard error, and `run --require` gets its answer.
    """, run: watchProcess)

private func watchProcess(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let process = try options.number("--process", in: 1...Int(Int32.max), or: 0)
  guard let library = try options.value("--library") else { throw .usage("--library is missing") }
  let isQuiet = options.flag("--quiet")
  let answers = options.flag("--answer")
  try options.finish()
  guard process > 0, descriptorIsOpen(3), let value = unsafe environmentValue("SLUICE_WATCH"),
    let name = unsafe WatchName(text(of: value))
  else { throw .usage("'sluice run' starts this") }
  let watcher = Watcher(
    socket: FileDescriptor(owning: 3), watch: name, library: library, command: Int32(process))
  do throws(Errno) {
    try watcher.watch(until: try FileDescriptor.processEnd(of: Int32(process)))
  } catch .noProcess {
    watcher.conclude()
  } catch {
    throw .failed("watch: \(unsafe String(cString: error.text))")
  }
  if !isQuiet { watcher.report() }
  if answers { WatchAnswer.send(name, isGood: watcher.findings.isEmpty) }
  return 0
}

/// Starts the watcher of this process, which is about to become the command, and returns
/// SLUICE_WATCH for it. Nil without a name, and with a message if there can be no watcher.
func startWatcher(
  _ program: String, _ name: WatchName?, library: String, isQuiet: Bool, answers: Bool
) -> String? {
  guard let name else { return nil }
  do throws(Errno) {
    let socket = try abstractSocket(name.name)
    setEnvironmentValue(zeroTerminated("SLUICE_WATCH"), zeroTerminated(name.value))
    let words =
      ["watch", "--process", String(getpid()), "--library", library]
      + (isQuiet ? ["--quiet"] : []) + (answers ? ["--answer"] : [])
    _ = try unsafe SpawnedProcess.start(
      zeroTerminated(program), arguments: words.map(zeroTerminated), descriptor: socket)
    return name.value
  } catch {
    printError(
      "sluice: run: \(unsafe String(cString: error.text)); nobody can tell which programs do not use"
        + " Sluice")
    return nil
  }
}

/// Tells the watcher if the command, which nothing that is preloaded executes, cannot be reached.
/// Whether the command could not even be started with the library in LD_PRELOAD.
func tellObstacle(toCommand name: String, library: String, watch: String) -> Bool {
  let room = 4096
  let name = zeroTerminated(name)
  return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: room) { buffer in
    unsafe name.withUnsafeBufferPointer { name in
      let path = unsafe sluice_reach_search(name.baseAddress!, buffer.baseAddress!, room)
      var program: Int32 = -1
      let kind = unsafe sluice_reach_obstacle(
        WellKnownDescriptor.workingDirectory, path, zeroTerminated(library), &program)
      guard program >= 0 else { return false }
      let file = FileDescriptor(owning: program)
      unsafe sluice_reach_tell(zeroTerminated(watch), kind, 0, path, "", "", file.rawValue)
      return kind == Int32(Circumvention.otherCLibrary.rawValue)
    }
  }
}
