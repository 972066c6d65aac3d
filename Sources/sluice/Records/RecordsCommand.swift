// sluice records: looks into a record store, checks it, and moves its values.

internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceJSON
internal import SluiceRecords
internal import SluiceSystem

let recordsCommand = Command(
  name: "records", summary: "list, show, check, export and import a record store",
  help: """
    usage: sluice records [OPTION …] STORE ls
           sluice records [OPTION …] STORE show ID
           sluice records [OPTION …] STORE verify
           sluice records [OPTION …] STORE erase
           sluice records [OPTION …] STORE export [ID …] > FILE
           sluice records [OPTION …] STORE import < FILE

    Works on the engine of SLUICE_SQL_SOCKET or --socket, whose root STORE is relative to; without a
    socket, on an engine of its own, for which STORE is a file of this machine.

      ls       the ids of all values and the number of their transactions
      show     a value's header and sessions; with --json its messages, one a line
      verify   checks that rows, counters and lists agree, and prints what does not
      erase    erases now what waits for its erasure: deleted values that have a delete session
      export   all values, or those named, as JSON lines: one message a line
      import   stores the messages of such a file, all of them or, if one cannot be stored, none

      --socket PATH   the engine's socket
      --create        with import: make the store if it is not there
      --json          ls, show, verify: JSON lines

    Exit code 1 if verify found something or the value is not there, 2 if it could not be done.
    """,
  run: runRecords)

private func runRecords(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let named = unsafe environmentValue("SLUICE_SQL_SOCKET").map { unsafe text(of: $0) }
  let socket = try options.value("--socket") ?? named
  let creates = options.flag("--create")
  let wantsJSON = options.flag("--json")
  guard let store = options.word() else { throw .usage("which store?") }
  guard let action = options.word() else {
    throw .usage("what? ls, show, verify, erase, export or import")
  }
  var ids: [[UInt8]] = []
  while let id = options.word() { ids.append(bytes(of: id)) }
  try options.finish()
  guard ["ls", "show", "verify", "erase", "export", "import"].contains(action) else {
    throw .usage("'\(action)' is nothing to do; there are ls, show, verify, erase, export, import")
  }
  guard action == "show" ? ids.count == 1 : ids.isEmpty || action == "export" else {
    throw .usage(action == "show" ? "show which value?" : "\(action) takes no id")
  }
  do throws(RecordFailure) {
    var opening = RecordOpenOptions()
    opening.mode = creates && action == "import" ? .either : .open
    opening.durability = .full
    let connection = try RecordConnection(
      try connect(socket), path: bytes(of: store), options: opening)
    let tool = RecordsTool(connection, wantsJSON: wantsJSON)
    let code = try tool.run(action, ids)
    try connection.close()
    return code
  } catch {
    throw .failed("records: \(store): \(String(decoding: error.message, as: UTF8.self))")
  }
}

private func connect(_ socket: String?) throws(RecordFailure) -> RingSession {
  do throws(ConnectError) {
    if let socket { return try RingSession.connect(toSocket: zeroTerminated(socket)) }
    return try RingSession.startPrivateEngine()
  } catch {
    throw .notConnected(error)
  }
}

private struct RecordsTool {
  let connection: RecordConnection
  let wantsJSON: Bool

  init(_ connection: RecordConnection, wantsJSON: Bool) {
    self.connection = connection
    self.wantsJSON = wantsJSON
  }

  func run(_ action: String, _ ids: [[UInt8]]) throws(RecordFailure) -> Int32 {
    switch action {
    case "ls": try list()
    case "show": try wantsJSON ? export(ids) : show(ids[0])
    case "verify": try verify()
    case "erase": try erase()
    case "export": try export(ids)
    default: try importLines()
    }
  }

  private func name(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Looking

  private static let pageCount: UInt64 = 1000

  /// Calls `body` with the id of each value, in the order of their creation.
  private func forEachID(
    _ body: ([UInt8]) throws(RecordFailure) -> Void
  ) throws(RecordFailure) {
    var offset: UInt64 = 0
    while true {
      let ids = try connection.ids(limit: Self.pageCount, offset: offset)
      for id in ids { try body(id) }
      if ids.count < Int(Self.pageCount) { return }
      offset += Self.pageCount
    }
  }

  private func list() throws(RecordFailure) -> Int32 {
    try forEachID { (id) throws(RecordFailure) in
      let counters = try connection.knownState(id) ?? []
      let count = counters.reduce(0) { $0 + $1.count }
      if wantsJSON {
        print(
          #"{"id":\#(name(JSONText.quoted(id))),"sessions":\#(counters.count),"transactions":\#(count)}"#
        )
      } else {
        print("\(name(id))  \(counters.count) sessions  \(count) transactions")
      }
    }
    return 0
  }

  private func show(_ id: [UInt8]) throws(RecordFailure) -> Int32 {
    guard let counters = try connection.knownState(id) else { return absent(id) }
    var header: [UInt8] = []
    _ = try connection.load(id) { message in
      if message.id == id { header = message.header ?? [] }
    }
    print("id      \(name(id))")
    print("header  \(name(header))")
    for counter in counters {
      print("session \(name(counter.session))  \(counter.count) transactions")
    }
    return 0
  }

  private func absent(_ id: [UInt8]) -> Int32 {
    printError("sluice: records: \(name(id)): the store has no such value")
    return 1
  }

  private func verify() throws(RecordFailure) -> Int32 {
    var count = 0
    try connection.verify { finding in
      count += 1
      print(wantsJSON ? name(JSONText.quoted(finding)) : name(finding))
    }
    if !wantsJSON, count == 0 { print("\(try connection.count()) values, nothing wrong") }
    return count == 0 ? 0 : 1
  }

  private func erase() throws(RecordFailure) -> Int32 {
    let remaining = try connection.erase(.all)
    print(
      remaining == 0
        ? "all deleted values are erased" : "\(remaining) deleted values wait for their erasure")
    return 0
  }

  // MARK: Moving

  private func export(_ ids: [[UInt8]]) throws(RecordFailure) -> Int32 {
    var code: Int32 = 0
    func export(_ id: [UInt8]) throws(RecordFailure) {
      // What it depends on has a line of its own.
      let isFound = try connection.load(id) { message in
        if message.id == id { print(name(RecordLine.text(of: message))) }
      }
      if !isFound { code = absent(id) }
    }
    if ids.isEmpty {
      try forEachID(export)
    } else {
      for id in ids { try export(id) }
    }
    return code
  }

  /// Messages that go into one request, at most.
  private static let batchCount = 64

  private func importLines() throws(RecordFailure) -> Int32 {
    try connection.importing(.begin)
    var messages: [RecordStore] = []
    var lineNumber = 0
    var isGood = true
    while isGood, let line = readLine() {
      lineNumber += 1
      if line.allSatisfy(\.isWhitespace) { continue }
      guard let message = RecordLine.message(of: Array(line.utf8)) else {
        printError("sluice: records: line \(lineNumber): no message in JSON")
        isGood = false
        break
      }
      messages.append(RecordStore(message))
      if messages.count == Self.batchCount {
        isGood = try store(&messages, until: lineNumber)
      }
    }
    if isGood { isGood = try store(&messages, until: lineNumber) }
    try connection.importing(isGood ? .commit : .giveUp)
    if !isGood { printError("sluice: records: import: nothing was stored") }
    return isGood ? 0 : 2
  }

  /// Stores messages of which the last is on line `end`; false if one cannot be stored.
  private func store(
    _ messages: inout [RecordStore], until end: Int
  ) throws(RecordFailure) -> Bool {
    defer { messages = [] }
    guard !messages.isEmpty else { return true }
    let results = try connection.store(messages)
    guard let last = results.last, !last.isStored else { return true }
    let value = name(messages[results.count - 1].message.id)
    let why =
      switch last {
      case .refused(let text): name(text)
      case .noHeader: "the first message of a value needs a header"
      case .gaps, .stored: "transactions before these are missing"
      }
    printError("sluice: records: \(value), before line \(end + 1): \(why)")
    return false
  }
}
