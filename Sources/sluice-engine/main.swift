// The engine: a program of its own, because it links SQLite, which the file sidecar does without.
// `sluice engine` starts it.

internal import CSluice
internal import SluiceCommand
internal import SluiceEngine
internal import SluiceServer
internal import SluiceSystem

private let engineCommand = Command(
  name: "engine", summary: "",
  help: """
    usage: sluice engine --root DIR --socket PATH [OPTION …]

    Runs SQLite for the programs of this user that connect to PATH: they send SQL and get rows, and
    have no SQLite, no files and no locks. The databases lie below DIR. Their files are a file
    sidecar's, which this command starts and ends, or the one on --files. SIGTERM, SIGINT or SIGHUP
    ends the engine; what is not committed is rolled back.

      --root DIR            the directory whose databases are served
      --files SOCKET        use the file sidecar that listens on SOCKET, and its root, instead
      --own-files           open the files below DIR in the engine itself, through SQLite's own VFS:
                            commits are faster where processors are few, and an attacker that takes
                            the engine over has the files below DIR (Protocol/THREATS.md)
      --socket PATH         the socket to listen on; a socket of a dead engine is replaced
      --services NAME[,…]   serve these: sql, records, documents; the default is sql,records
      --key DIR             documents are signed by the key in DIR/server.key, which is made if it is not
                            there; the default is the --root
      --allow-user UID[,…]  let these users connect too; the default is its own user only
      --plugin LIB          make entities of files with the plugin in this shared library, before the
                            built-in ones (json, lines); may be given several times. Each call runs
                            in a process of its own, which has no files; see Protocol/PLUGINS.md
      --plugin-seconds N    how long a call of such a plugin may take (10)
      --connections N       the most connections at a time, each with a thread (120; with more than 126
                            some share a channel to their files, and wait for each other)
      --memory BYTES        the most memory that SQLite takes for all connections together; a statement that
                            wants more fails with "out of memory" (no limit)
      --no-confinement      keep rights and system calls that an engine does not need, for sanitizers,
                            debuggers and preloaded libraries
      --report-confinement  name each refused system call on standard error, once
      --quiet               do not report on standard output that the engine is ready
    """,
  run: serve)

private func serve(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  if options.flag("--private") {
    try options.finish()
    return try servePrivate()
  }
  if let directory = try options.value("--private-documents") {
    try options.finish()
    return try servePrivate(key: try serverKey(in: directory))
  }
  let root = try options.value("--root")
  let files = try options.value("--files")
  guard (root == nil) != (files == nil) else {
    throw .usage("name the databases' directory with --root, or a file sidecar with --files")
  }
  let hasOwnFiles = options.flag("--own-files")
  if hasOwnFiles, files != nil { throw .usage("--own-files and --files exclude each other") }
  guard let socket = try options.value("--socket") else { throw .usage("--socket PATH is missing") }
  var server = ServerConfiguration()
  server.users.formUnion(try options.allowedUsers())
  server.sessionsMaximum = try options.number("--connections", in: 1...1000, or: 120)
  let services = try options.value("--services").map(services) ?? [.sql, .records]
  let keyDirectory = try options.value("--key")
  let memory = try options.number("--memory", in: (4 << 20)...(1 << 50), or: 0)
  var confinement = Confinement.full
  if options.flag("--report-confinement") { confinement = .reporting }
  if options.flag("--no-confinement") { confinement = .none }
  let libraries = try options.values("--plugin")
  let pluginSeconds = try options.number("--plugin-seconds", in: 1...3600, or: 10)
  let isQuiet = options.flag("--quiet")
  try options.finish()
  var key: SigningKey?
  if services.contains(.documents) {
    guard let directory = keyDirectory ?? root else {
      throw .usage("with --files, name the directory of the documents' key with --key")
    }
    key = try serverKey(in: directory)
  } else if keyDirectory != nil {
    throw .usage("--key belongs to --services documents")
  }
  // First, because it forks: so that it has no descriptors, threads and rights of the rest.
  let plugins = try load(
    libraries, confines: confinement != .none, secondsMaximum: pluginSeconds)
  var sidecar: EngineSidecar?
  let keeper: EngineConfiguration.Files
  if let files {
    keeper = .sidecar(files)
  } else if hasOwnFiles {
    keeper = .own(try directory(root ?? ""))
  } else {
    let started = try startSidecar(root: root ?? "")
    keeper = .sidecar(started.socket)
    sidecar = started
  }
  var configuration = EngineConfiguration(
    files: keeper, server: server, confinement: confinement, plugins: plugins)
  configuration.memoryByteCountMaximum = Int64(memory)
  configuration.services = services
  configuration.key = key
  let code = try run(
    configuration, socket: socket, announcing: isQuiet ? nil : root ?? files)
  sidecar?.stop()
  return code
}

/// The absolute path of a directory.
private func directory(_ path: String) throws(CommandError) -> String {
  guard let resolved = unsafe realpath(path, nil) else {
    throw .failed("root \(path): no such directory, or it may not be entered")
  }
  defer { unsafe free(resolved) }
  return unsafe String(cString: resolved)
}

private func services(_ names: String) throws(CommandError) -> EngineOffer.Services {
  var services: EngineOffer.Services = []
  for name in names.split(separator: ",", omittingEmptySubsequences: false) {
    switch name {
    case "sql": services.insert(.sql)
    case "records": services.insert(.records)
    case "documents": services.insert(.documents)
    default:
      throw .usage("--services: '\(name)' is no service; there are sql, records and documents")
    }
  }
  return services
}

private func serverKey(in directory: String) throws(CommandError) -> SigningKey {
  do {
    let root = try unsafe FileDescriptor.open(zeroTerminated(directory), [.directory, .readOnly])
    return try ServerKeyFile.key(in: root)
  } catch let error as Errno {
    throw .failed("\(directory): \(error.message)")
  } catch {
    throw .failed("\(directory)/\(ServerKeyFile.name): \(error)")
  }
}

private func load(
  _ libraries: [String], confines: Bool, secondsMaximum: Int
) throws(CommandError) -> PluginSet {
  do throws(PluginError) {
    return try PluginSet(loading: libraries, confines: confines, secondsMaximum: secondsMaximum)
  } catch {
    throw .failed(error.message)
  }
}

/// The file sidecar of this engine. It ends with the engine.
private final class EngineSidecar {
  private var sidecar: SharedSidecar?
  let socket: String

  init(_ sidecar: consuming SharedSidecar) {
    socket = sidecar.socket
    self.sidecar = .some(sidecar)
  }

  func stop() { sidecar.take()?.stop() }
}

private func startSidecar(root: String) throws(CommandError) -> EngineSidecar {
  do {
    let program = try Installation.sidecar(beside: try Installation.program())
    return EngineSidecar(
      try SharedSidecar.start(
        program, root: root,
        options: ["--channels-per-session", "127", "--files-per-session", "65536"]))
  } catch let error as InstallationError {
    throw .failed(error.text)
  } catch let error as SidecarStartError {
    throw .failed("root \(root): \(error.text)")
  } catch {
    throw .failed("\(error)")
  }
}

private func run(
  _ configuration: EngineConfiguration, socket: String, announcing place: String?
) throws(CommandError) -> Int32 {
  do throws(EngineError) {
    let engine = try EngineProcess(configuration, socketPath: zeroTerminated(socket))
    if let place { printLine("sluice: SQL for \(place) on \(socket), process \(getpid())") }
    try engine.run()
  } catch {
    throw .failed(error.text)
  }
  return 0
}

/// A client starts its own engine this way, and has the other end of descriptor 3. The databases
/// are the host's, by its own names.
private func servePrivate(key: SigningKey? = nil) throws(CommandError) -> Int32 {
  guard descriptorIsOpen(3) else {
    throw .failed("--private: descriptor 3 is not open; a client starts this, not you")
  }
  do throws(EngineError) {
    var configuration = EngineConfiguration(files: .privateSidecar)
    configuration.key = key
    let engine = try EngineProcess(configuration, client: FileDescriptor(owning: 3))
    try engine.run()
  } catch {
    throw .failed(error.text)
  }
  return 0
}

// Before anything is opened: what is printed must not go to a socket.
fillStandardDescriptors()
exit(engineCommand.runAsProgram(Arguments.words, knownIn: "sluice"))
