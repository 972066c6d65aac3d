// sluice serve: the sidecar.

internal import CSluice
internal import SluiceChannel
internal import SluiceCommand
internal import SluiceFiles
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

let serveCommand = Command(
  name: "serve", summary: "run the sidecar that owns the files below a directory",
  help: """
    usage: sluice serve --root DIR [--also DIR[:ro] …] --socket PATH [OPTION …]

    Serves SQLite databases below DIR to the programs of this user that connect to PATH. No path and
    no link leads a client out of the directories that are served. SIGTERM, SIGINT or SIGHUP ends the sidecar.

      --root DIR            the directory whose databases are served
      --also DIR[:ro]       serve DIR too, by the host's own names: /usr/share/proj/proj.db means that
                            file. With :ro its files are only read (DIR:rw is a DIR that ends so).
                            May be given several times
      --socket PATH         the socket to listen on; a socket of a dead sidecar is replaced
      --allow-user UID[,…]  let these users connect too (the socket's file is then open to all, and
                            the sidecar checks each user); the default is its own user only
      --read-only           change no file: databases behave as on a disk that is mounted read-only
      --quota BYTES         the most bytes that all files beneath DIR may have together (also 16K,
                            200M, 4G); a write that would exceed it gets SQLITE_FULL. Files in an
                            also-directory outside DIR do not count
      --sessions-per-user N   the most programs of one user at a time (an equal share of 1024)
      --channels-per-session N  the most channels of one program: one, and one for each connection (64)
      --files-per-session N     the most files that one program has open at a time (4096)
      --implicit-locks MS   keep a connection's lock for MS milliseconds after its transaction (0)
      --keep-open MS        keep a database open for MS milliseconds after its last close, so that the
                            next open costs less (1000; 0 for not at all). A stock program is not
                            hindered, but a file system cannot be unmounted meanwhile
      --reactors N          share the sessions among N threads before one of them has 127 channels
                            (one less than there are processors, but at least one; if the control
                            group has a quota, as many as the quota allows)
      --read-window MIB     memory that the read windows of all databases may take together, in MiB;
                            0 for none (a quarter of the machine's memory or of the control group's
                            limit, 4096 at most). They grow as needed while an eighth of the limit
                            stays free, and give memory back when others need it, with or without N
      --no-posted-writes    clients wait for each write, not only for a call that depends on it
      --no-owned-knowledge  clients ask again for sizes, and for journals that were absent
      --no-group-commit     each commit in WAL mode has a sync of its own
      --no-standing-locks   clients ask for each lock, even if no other client needs it
      --no-confinement      keep rights and system calls that a sidecar does not need, for sanitizers,
                            debuggers and preloaded libraries (private sidecars:
                            SLUICE_CONFINEMENT=0)
      --report-confinement  name each refused system call on standard error, once (private sidecars:
                            SLUICE_CONFINEMENT=report)
      --quiet               do not report on standard output that the sidecar is ready

    Clients name the socket in SLUICE_SOCKET or in the database's URI:
      file:app.db?vfs=sluice&socket=PATH
    """,
  run: serve)

private func serve(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  // The VFS starts a private sidecar this way. Its client has the other end of descriptor 3.
  if options.flag("--private") {
    let capabilities = try options.value("--capabilities")
    try options.finish()
    return try servePrivate(capabilities: capabilities)
  }
  // `sluice run` starts a sidecar for the host's own names this way.
  let servesHostNames = options.flag("--host-names")
  let capabilities = try options.value("--capabilities")
  let root = servesHostNames ? nil : try options.value("--root")
  guard root != nil || servesHostNames else { throw .usage("--root DIR is missing") }
  guard let socket = try options.value("--socket") else {
    throw .usage("--socket PATH is missing")
  }
  var configuration = SidecarConfiguration(rootPath: root.map(zeroTerminated))
  if root != nil { configuration.alsoDirectories = try options.values("--also").map(alsoDirectory) }
  configuration.server.users.formUnion(try options.allowedUsers())
  try takeLimits(&options, &configuration)
  configuration.implicitLockMilliseconds = try options.number(
    "--implicit-locks", in: 0...3_600_000, or: 0)
  configuration.keepOpenMilliseconds = try options.number(
    "--keep-open", in: 0...3_600_000, or: configuration.keepOpenMilliseconds)
  try takeShortcuts(&options, &configuration)
  // For tests: makes a fast disk slow.
  configuration.syncDelayMilliseconds = try options.number("--sync-delay", in: 0...60_000, or: 0)
  configuration.confinement = try confinement()
  if options.flag("--report-confinement") { configuration.confinement = .reporting }
  if options.flag("--no-confinement") { configuration.confinement = .none }
  let isQuiet = options.flag("--quiet")
  // `sluice run` starts a sidecar this way. Descriptor 3 becomes readable when the command ends.
  // Then the sidecar goes on while it has sessions, and some seconds more.
  let hasLifeline = options.flag("--lifeline") && descriptorIsOpen(3)
  configuration.server.linger = try options.number("--linger", in: 0...3_600_000, or: 0)
  try options.finish()
  if servesHostNames { try serveInTheNameOfClients(capabilities: capabilities) }
  do throws(SidecarError) {
    let sidecar = try Sidecar(
      configuration, socketPath: zeroTerminated(socket),
      lifeline: hasLifeline ? SharedDescriptor(FileDescriptor(owning: 3)) : nil)
    if !isQuiet {
      let others = configuration.alsoDirectories.map { also in
        let isReadOnly = also.isReadOnly || configuration.isReadOnly
        return "; also \(name(of: also))\(isReadOnly ? " (read only)" : "")"
      }
      printLine(
        "sluice: serving \(root ?? "/")\(others.joined()) on \(socket), process \(getpid())")
      printLine("sluice: \(root ?? "/") is on \(sidecar.rootFileSystem.consequence)")
      for (also, kind) in zip(configuration.alsoDirectories, sidecar.alsoFileSystems) {
        printLine("sluice: \(name(of: also)) is on \(kind.consequence)")
      }
    }
    try sidecar.run()
  } catch {
    throw .failed(error.description)
  }
  return 0
}

/// `DIR`, `DIR:ro` or `DIR:rw`.
private func alsoDirectory(_ word: String) -> AlsoDirectory {
  let isReadOnly = word.hasSuffix(":ro")
  let path = isReadOnly || word.hasSuffix(":rw") ? String(word.dropLast(3)) : word
  return AlsoDirectory(path: zeroTerminated(path), isReadOnly: isReadOnly)
}

private func name(of directory: AlsoDirectory) -> String {
  text(ofBytes: directory.path.dropLast().map { UInt8(bitPattern: $0) })
}

/// How many threads serve, and what clients may do without waiting for them.
private func takeShortcuts(
  _ options: inout Options, _ configuration: inout SidecarConfiguration
) throws(CommandError) {
  if let count = try options.value("--reactors") {
    guard let count = Int(count), (1...64).contains(count) else {
      throw .usage("--reactors takes a number from 1 to 64")
    }
    configuration.reactorCount = count
  }
  if let mebibytes = try options.value("--read-window") {
    guard let count = Int(mebibytes), (0...1 << 20).contains(count) else {
      throw .usage("--read-window takes MiB from 0 to 1048576")
    }
    configuration.windowByteCountMaximum = count << 20
    if count == 0 { configuration.shortcuts.remove(.readWindow) }
  }
  if options.flag("--no-posted-writes") { configuration.shortcuts.remove(.postedWrites) }
  if options.flag("--no-owned-knowledge") { configuration.shortcuts.remove(.ownedKnowledge) }
  if options.flag("--no-standing-locks") { configuration.shortcuts.remove(.standingLocks) }
  if options.flag("--no-group-commit") { configuration.shortcuts.remove(.groupCommit) }
}

private func takeLimits(
  _ options: inout Options, _ configuration: inout SidecarConfiguration
) throws(CommandError) {
  configuration.isReadOnly = options.flag("--read-only")
  if let quota = try options.value("--quota") {
    guard let byteCount = byteCount(quota) else {
      throw .usage("--quota takes a number of bytes, or one with K, M, G or T")
    }
    configuration.quotaByteCount = byteCount
  }
  if let count = try options.value("--sessions-per-user") {
    guard let count = Int(count), (1...1024).contains(count) else {
      throw .usage("--sessions-per-user takes a number from 1 to 1024")
    }
    configuration.server.sessionsPerUser = count
  }
  configuration.server.channelsPerSessionMaximum = try options.number(
    "--channels-per-session", in: 2...127, or: configuration.server.channelsPerSessionMaximum)
  configuration.filesPerSessionMaximum = try options.number(
    "--files-per-session", in: 1...65536, or: configuration.filesPerSessionMaximum)
}

/// "200M" in bytes; nil if the text is not a size.
private func byteCount(_ text: String) -> Int64? {
  let units = ["K": 10, "M": 20, "G": 30, "T": 40]
  let shift = text.last.flatMap { units[String($0)] }
  guard let number = Int64(shift == nil ? text[...] : text.dropLast()), number >= 0 else {
    return nil
  }
  let (product, overflows) = number.multipliedReportingOverflow(by: 1 << Int64(shift ?? 0))
  return overflows ? nil : product
}

private func servePrivate(capabilities: String?) throws(CommandError) -> Int32 {
  guard descriptorIsOpen(3) else {
    throw .failed("serve --private: descriptor 3 is not open; the VFS starts this, not you")
  }
  try serveInTheNameOfClients(capabilities: capabilities)
  var configuration = SidecarConfiguration(rootPath: nil)
  configuration.confinement = try confinement()
  do throws(SidecarError) {
    let sidecar = try Sidecar(configuration, client: FileDescriptor(owning: 3))
    try sidecar.run()
  } catch {
    throw .failed(error.description)
  }
  return 0
}

/// Prepares this process to do what its clients would do themselves, by the host's own names.
/// `capabilities` are the clients'. This process must not have more than those, whatever it got by
/// being executed.
private func serveInTheNameOfClients(capabilities: String?) throws(CommandError) {
  if let capabilities {
    guard let kept = UInt64(capabilities) else { throw .usage("--capabilities takes a number") }
    do throws(Errno) { try keepCapabilities(kept) } catch {
      throw .failed("serve: capset: \(unsafe String(cString: error.text))")
    }
  }
  // A client sends its umask with each new file, and keeps to its own file-size limit.
  setUmask(0)
  raiseFileSizeLimit()
  // Keep no file system busy except those of the databases.
  _ = unsafe chdir("/")
}

/// The value of SLUICE_CONFINEMENT, because a private sidecar gets no options.
func confinement() throws(CommandError) -> Confinement {
  guard let value = unsafe environmentValue("SLUICE_CONFINEMENT") else { return .full }
  switch unsafe String(cString: value) {
  case "0": return .none
  case "1": return .full
  case "report": return .reporting
  default: throw .usage("SLUICE_CONFINEMENT is 0, 1 or report")
  }
}
