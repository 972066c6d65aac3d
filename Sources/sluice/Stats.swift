// sluice stats: shows the counters of the shared sidecars and engines on this machine. It reads their
// metrics regions and asks no process anything.

internal import CSluice
internal import SluiceCommand
internal import SluiceFiles
internal import SluiceSystem

let statsCommand = Command(
  name: "stats", summary: "show the counters of the running shared sidecars and engines",
  help: """
    usage: sluice stats [--socket PATH | --pid N] [--json]

    Shows for each shared sidecar of this machine its root, its socket and how many operations of
    each kind it has done since its start; and for each engine its statements, the rows that it gave,
    and how often a statement was kept compiled. Private ones have no counters. Exit code 1 when there
    is none to show.

      --socket PATH   only the sidecar or engine that serves this socket
      --pid N         only this process
      --json          an array of objects, with every kind of operation
    """,
  run: stats)

private func stats(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let socket = try options.value("--socket")
  let process = try options.value("--pid").map { (text) throws(CommandError) in
    guard let number = Int32(text), number > 0 else {
      throw .usage("--pid takes a process's number")
    }
    return number
  }
  let wantsJSON = options.flag("--json")
  try options.finish()
  if socket != nil, process != nil { throw .usage("--socket or --pid, not both") }

  var readings = MetricsReading.all()
  if let process { readings.removeAll { $0.process != process } }
  if let socket { readings.removeAll { !$0.serves(socket) } }
  guard !readings.isEmpty else {
    printError("sluice: stats: " + absence(socket: socket, process: process))
    return 1
  }
  let now = UInt64(max(0, Clock.realtimeMilliseconds()))
  if wantsJSON {
    print("[\n" + readings.map(\.json).joined(separator: ",\n") + "\n]")
  } else {
    print(readings.map { $0.table(nowMilliseconds: now) }.joined(separator: "\n\n"))
  }
  return 0
}

private func absence(socket: String?, process: Int32?) -> String {
  if let socket { return "no shared sidecar serves socket \(socket)" }
  if let process { return "process \(process) is no shared sidecar" }
  return "no shared sidecar is running"
}

private func resolved(_ path: String) -> String? {
  guard let path = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(path) }
  return unsafe String(cString: path)
}

extension MetricsReading {
  /// Whether `path` leads to this sidecar's socket. The sidecar shows the path that it was given,
  /// which may be relative to its own working directory.
  fileprivate func serves(_ path: String) -> Bool {
    if socketPath == path { return true }
    let own = socketPath.hasPrefix("/") ? socketPath : "/proc/\(process)/cwd/\(socketPath)"
    guard let own = resolved(own) else { return false }
    return own == resolved(path)
  }

  fileprivate func table(nowMilliseconds: UInt64) -> String {
    let secondsUp =
      nowMilliseconds > startedMilliseconds
      ? (nowMilliseconds - startedMilliseconds) / 1000 : 0
    var lines = [
      "\(isEngine ? "engine" : "sidecar")".padded(to: 10)
        + "process \(process), up \(duration(seconds: secondsUp))",
      "\(isEngine ? "files" : "root")".padded(to: 10) + rootPath,
      "socket    \(socketPath)",
      "sessions  \(grouped(sessionsOpened)) opened, \(grouped(sessionsClosed)) closed,"
        + " \(grouped(sessionsRefused)) refused",
    ]
    if isEngine {
      lines.append(
        "SQL       \(grouped(statementCount)) statements, \(grouped(prepareHitCount)) of them kept"
          + " compiled, \(grouped(rowCount)) rows")
      lines.append(
        "records   \(grouped(storedMessageCount)) messages stored, \(grouped(loadCount)) loads of"
          + " \(grouped(loadedMessageCount)) messages, \(grouped(erasedValueCount)) values erased")
    } else {
      lines += [
        "leases    \(grouped(leasesTaken)) taken, \(grouped(leasesBroken)) broken",
        "commits   \(grouped(syncsPromised)) shared \(grouped(syncsShared)) syncs",
      ]
    }
    var rows = operations.filter { $0.count > 0 }
      .map { (name: "\($0.operation)", count: grouped($0.count)) }
    rows.append(("in all", grouped(operations.reduce(0) { $0 &+ $1.count })))
    let nameWidth = rows.reduce(0) { max($0, $1.name.count) } + 2
    let countWidth = rows.reduce(0) { max($0, $1.count.count) }
    lines += rows.enumerated().map { index, row in
      (index == 0 ? "did" : "").padded(to: 10) + row.name.padded(to: nameWidth)
        + String(repeating: " ", count: countWidth - row.count.count) + row.count
    }
    return lines.joined(separator: "\n")
  }

  private var statementCount: UInt64 { prepareHitCount &+ prepareMissCount }

  fileprivate var json: String {
    let own =
      isEngine
      ? """
      "sql": {"statements": \(statementCount), "prepare_hits": \(prepareHitCount), \
      "prepare_misses": \(prepareMissCount), "rows": \(rowCount)},
          "records": {"stored": \(storedMessageCount), "loads": \(loadCount), \
      "chunks": \(loadedMessageCount), "erased": \(erasedValueCount)},
      """
      : """
      "leases": {"taken": \(leasesTaken), "broken": \(leasesBroken)},
          "group_commit": {"commits": \(syncsPromised), "syncs": \(syncsShared)},
      """
    let counts = operations.map { "\(quoted("\($0.operation)")): \($0.count)" }
    return """
        {
          "process": \(process),
          \(quoted(isEngine ? "files" : "root")): \(quoted(rootPath)),
          "socket": \(quoted(socketPath)),
          "started_ms": \(startedMilliseconds),
          "sessions": {"opened": \(sessionsOpened), "closed": \(sessionsClosed), \
      "refused": \(sessionsRefused)},
          \(own)
          "operations": {\(counts.joined(separator: ", "))}
        }
      """
  }
}

private func duration(seconds: UInt64) -> String {
  switch seconds {
  case ..<60: "\(seconds) s"
  case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
  case ..<86_400: "\(seconds / 3600) h \(seconds / 60 % 60) min"
  default: "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
  }
}
