// sluice sql: a small shell over the SQL boundary.

internal import CSluice
internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceSQL
internal import SluiceSystem

let sqlCommand = Command(
  name: "sql", summary: "run SQL on an engine, from a shell or at a prompt",
  help: """
    usage: sluice sql [OPTION …] DATABASE [SQL]

    Runs statements on the engine of SLUICE_SQL_SOCKET or --socket, whose root DATABASE is relative
    to; without a socket, on an engine of its own, for which DATABASE is a file of this machine.
    Without SQL, statements are read from standard input: at a prompt, where that is a terminal.
    Ctrl-C interrupts the statement under way, and ends the shell where there is none.

      --socket PATH   the engine's socket
      --create        make the database if it is not there
      --read-only     change nothing
      --state         with the state pipeline: tables state, file, version and others
      --wait MS       how long statements wait for the locks of others (5000)
      --json          rows as JSON: an array for each statement; blobs as hexadecimal digits
      --csv           rows as CSV, with a line of names
      --timer         tell how long each statement took

    Exit code 1 when a statement failed, 2 when the database could not be opened.
    """,
  run: runSQL)

private func runSQL(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let named = unsafe environmentValue("SLUICE_SQL_SOCKET").map { unsafe text(of: $0) }
  let socket = try options.value("--socket") ?? named
  let creates = options.flag("--create")
  let isReadOnly = options.flag("--read-only")
  let hasState = options.flag("--state")
  let wait = try options.number("--wait", in: 0...3_600_000, or: 5000)
  let wantsJSON = options.flag("--json")
  let wantsCSV = options.flag("--csv")
  let tellsTime = options.flag("--timer")
  guard let database = options.word() else { throw .usage("which database?") }
  let sql = options.word()
  try options.finish()
  guard !(wantsJSON && wantsCSV) else { throw .usage("--json or --csv, not both") }
  guard !(creates && isReadOnly) else { throw .usage("--create or --read-only, not both") }
  var openOptions: SQLOpenOptions = isReadOnly ? .readOnly : []
  if hasState { openOptions.insert(.state) }
  let connection: SQLConnection
  do throws(SQLFailure) {
    connection = try SQLConnection(
      try connect(socket), path: bytes(of: database), mode: creates ? .either : .open,
      options: openOptions, busyMilliseconds: Int64(wait))
  } catch {
    throw .failed("sql: \(database): \(String(decoding: error.message, as: UTF8.self))")
  }
  try attendToInterrupts(of: connection)
  let form: RowForm =
    wantsJSON ? .json : wantsCSV ? .csv : isatty(1) == 1 ? .table : .lines
  let shell = SQLShell(connection, form, tellsTime: tellsTime)
  if let sql { return shell.run(sql) ? 0 : 1 }
  if isatty(0) == 1 {
    shell.runAtPrompt()
    return 0
  }
  var script = ""
  while let line = readLine(strippingNewline: false) { script += line }
  return shell.run(script) ? 0 : 1
}

private func connect(_ socket: String?) throws(SQLFailure) -> RingSession {
  do throws(ConnectError) {
    if let socket { return try RingSession.connect(toSocket: zeroTerminated(socket)) }
    return try RingSession.startPrivateEngine()
  } catch {
    throw .notConnected(error)
  }
}

/// Ctrl-C and SIGTERM interrupt the statement under way. If none is, they end the process.
private func attendToInterrupts(of connection: SQLConnection) throws(CommandError) {
  let interrupted = Interrupted(connection)
  do throws(Errno) {
    let signals = try StopSignals()
    let kept = SignalWait(signals)
    try Thread("sluice-signals") {
      while kept.next() { if !interrupted.cancel() { _exit(130) } }
    }.detach()
  } catch {
    throw .failed("sql: signals: \(error.message)")
  }
}

/// Only `cancel` of the connection is called in the other thread, which may be.
private struct Interrupted: @unchecked Sendable {
  private let connection: SQLConnection

  init(_ connection: SQLConnection) { self.connection = connection }

  /// False if no statement is under way.
  func cancel() -> Bool { connection.cancel() }
}

private final class SignalWait: Sendable {
  private let signals: StopSignals

  init(_ signals: consuming StopSignals) { self.signals = signals }

  /// Waits for a signal.
  func next() -> Bool {
    while !signals.descriptor.awaitReadable(timeoutMilliseconds: 60_000) {}
    return signals.next()
  }
}
