// sluice documents: looks into a space of versioned documents, checks it, and moves its documents.

internal import CSluiceCommand
internal import SluiceAutomerge
internal import SluiceCommand
internal import SluiceDocuments
internal import SluiceSystem

let documentsCommand = Command(
  name: "documents", summary: "list, show, check, export and import versioned documents",
  help: """
    usage: sluice documents [OPTION …] DIRECTORY spaces
           sluice documents [OPTION …] DIRECTORY branches SPACE [DOC]
           sluice documents [OPTION …] DIRECTORY heads | log | cat SPACE DOC
           sluice documents [OPTION …] DIRECTORY export SPACE DOC > FILE
           sluice documents [OPTION …] DIRECTORY import SPACE DOC < FILE
           sluice documents [OPTION …] DIRECTORY verify | gc SPACE
           sluice documents list-spaces
           sluice documents list-branches --space SPACE
           sluice documents export-snapshot --space SPACE --doc DOC --branch B [--seq N] --out FILE
           sluice documents import-snapshot --space SPACE --doc DOC --branch B --file FILE

    Works on the engine of SLUICE_SQL_SOCKET or --socket, to whose root DIRECTORY is relative; without
    a socket, on an engine of its own, for which DIRECTORY is one of this machine. SPACE is a did:key.
    The last four forms take the directory of SPACES_DIR, or .spaces.

      spaces     the spaces of a directory of this machine
      branches   each document's branches and the number of their last change
      heads      the hashes of a branch's heads, one a line
      log        what transactions did to a branch, the newest first
      cat        a document as JSON
      export     a document as an Automerge file
      import     stores the changes of such a file that the branch does not have. The file must have
                 all that the branch has
      verify     checks chain, signatures, heads, snapshots and receipts, and prints what is wrong
      gc         deletes the snapshots, which are made anew when they are needed

      --socket PATH   the engine's socket
      --create        with import: make the space if it is not there
      --branch NAME   the document's branch (main)
      --at POINT      cat, export: an epoch, a time of RFC 3339, hashes of heads with commas between,
                      or seq:N
      --path KEY/…    cat: only what stands there
      --count N       log: the most transactions (100)
      --json          branches, heads, log, verify: JSON lines

    Exit code 1 if verify found something or nothing stands at the path, 2 if it could not be done.
    """,
  run: runDocuments)

private let olderActions = ["list-spaces", "list-branches", "export-snapshot", "import-snapshot"]

private func runDocuments(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let named = unsafe environmentValue("SLUICE_SQL_SOCKET").map { unsafe text(of: $0) }
  let socket = try options.value("--socket") ?? named
  var task = DocumentsTask(socket: socket)
  task.creates = options.flag("--create")
  task.wantsJSON = options.flag("--json")
  if let branch = try options.value("--branch") { task.branch = branch }
  if let at = try options.value("--at") { task.point = try point(at) }
  task.path = try options.value("--path").map(keys)
  task.countMax = Int64(try options.number("--count", in: 1...1_000_000, or: 100))
  guard let first = options.word() else { throw .usage("which directory?") }
  if olderActions.contains(first) {
    return try task.run(older: first, &options)
  }
  task.directory = first
  guard let action = options.word() else {
    throw .usage("what? spaces, branches, heads, log, cat, export, import, verify or gc")
  }
  task.space = options.word()
  task.docID = options.word()
  try options.finish()
  return try task.run(action)
}

private func point(_ text: String) throws(CommandError) -> DocumentPoint {
  if let epoch = Int64(text), epoch >= 0 { return .epoch(epoch) }
  if text.hasPrefix("seq:") {
    guard let sequence = Int64(text.dropFirst(4)), sequence >= 0 else {
      throw .usage("--at seq: takes the number of a change")
    }
    return .sequence(sequence)
  }
  let hashes = text.split(separator: ",").map { ChangeHash(hex: String($0)) }
  if !hashes.isEmpty, hashes.allSatisfy({ $0 != nil }) { return .heads(hashes.compactMap { $0 }) }
  return .time(text)
}

/// The keys of a path; a leading slash means nothing.
private func keys(_ path: String) -> [String] {
  path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
}

/// What a command line asks for.
struct DocumentsTask {
  var socket: String?
  var directory = ""
  var creates = false
  var wantsJSON = false
  var branch = DocumentReference.mainBranch
  var point = DocumentPoint.tip
  var path: [String]?
  var countMax: Int64 = 100
  var space: String?
  var docID: String?

  init(socket: String?) { self.socket = socket }

  /// How many words an action has behind its name.
  private static let wordCounts: [String: ClosedRange<Int>] = [
    "spaces": 0...0, "branches": 1...2, "heads": 2...2, "log": 2...2, "cat": 2...2,
    "export": 2...2, "import": 2...2, "verify": 1...1, "gc": 1...1,
  ]

  func run(_ action: String) throws(CommandError) -> Int32 {
    guard let counts = Self.wordCounts[action] else {
      throw .usage("'\(action)' is nothing to do; see the list")
    }
    let count = docID != nil ? 2 : space != nil ? 1 : 0
    guard counts.contains(count) else {
      if count > counts.upperBound {
        throw .usage("\(action) takes no \(count == 1 ? "space" : "document")")
      }
      throw .usage("\(action) of which \(count == 0 ? "space" : "document")?")
    }
    if action == "spaces" { return try listSpaces() }
    return try inSpace { (tool) throws(DocumentFailure) in try tool.run(action) }
  }

  /// The names of the spaces in a directory of this machine, one a line.
  func listSpaces() throws(CommandError) -> Int32 {
    guard socket == nil else {
      throw .usage("spaces: an engine does not list its directory; name one without a socket")
    }
    let names: [[UInt8]]
    do throws(Errno) { names = try unsafe namesInDirectory(zeroTerminated(directory)) } catch {
      throw .failed("documents: \(directory): \(error.message)")
    }
    let suffix = ".sqlite"
    let spaces = names.map { text(ofBytes: $0) }
      .filter { $0.hasPrefix("did:key:") && $0.hasSuffix(suffix) }
      .map { String($0.dropLast(suffix.count)) }
    for space in spaces.sorted() { printLine(space) }
    return 0
  }

  func inSpace(
    _ body: (DocumentsTool) throws(DocumentFailure) -> Int32
  ) throws(CommandError) -> Int32 {
    do throws(DocumentFailure) {
      let connection = try DocumentConnection(
        try connect(), space: space ?? "", in: directory, creates: creates)
      let code = try body(DocumentsTool(connection, self))
      try connection.close()
      return code
    } catch {
      throw .failed("documents: \(space ?? ""): \(error.message)")
    }
  }

  private func connect() throws(DocumentFailure) -> RingSession {
    do throws(ConnectError) {
      if let socket { return try RingSession.connect(toSocket: zeroTerminated(socket)) }
      return try RingSession.startPrivateEngine(documentsKey: zeroTerminated(directory))
    } catch {
      throw .notConnected(error)
    }
  }
}
