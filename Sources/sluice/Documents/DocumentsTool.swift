// What `sluice documents` does in an open space.

internal import CSluice
internal import SluiceAutomerge
internal import SluiceCommand
internal import SluiceDocuments

struct DocumentsTool {
  let connection: DocumentConnection
  let task: DocumentsTask

  init(_ connection: DocumentConnection, _ task: DocumentsTask) {
    self.connection = connection
    self.task = task
  }

  var ref: DocumentReference { DocumentReference(task.docID ?? "", branch: task.branch) }

  func run(_ action: String) throws(DocumentFailure) -> Int32 {
    switch action {
    case "branches": try listBranches()
    case "heads": try showHeads()
    case "log": try showLog()
    case "cat": return try showContent()
    case "export": writeOutput(try connection.bytes(ref, at: task.point).bytes)
    case "import": return try importFile(readStandardInput())
    case "verify": return try verify()
    default: printLine("\(try connection.collect()) snapshots deleted")
    }
    return 0
  }

  // MARK: Looking

  func listBranches() throws(DocumentFailure) {
    for branch in try connection.branches(of: task.docID) {
      printLine(
        task.wantsJSON
          ? json(branch).written()
          : "\(shown(branch.ref.docID))\t\(shown(branch.ref.branch))\t\(branch.sequence)")
    }
  }

  private func showHeads() throws(DocumentFailure) {
    let branch = try connection.branch(ref)
    if task.wantsJSON { return printLine(json(branch).written()) }
    for head in branch.heads { printLine("\(head)") }
  }

  private func json(_ branch: DocumentBranch) -> JSON {
    .object([
      ("docId", .text(branch.ref.docID)), ("branch", .text(branch.ref.branch)),
      ("heads", .array(branch.heads.map { .text("\($0)") })), ("seq", .integer(branch.sequence)),
      ("epoch", .integer(branch.epoch)), ("rootHash", .text(hexadecimal(branch.rootHash))),
      ("closedAt", branch.closedAt.map { .text($0) } ?? .null),
      ("createdAt", .text(branch.createdAt)),
      ("parent", branch.parent.map { .text($0.branch) } ?? .null),
      ("parentSeq", branch.parent.map { .integer($0.sequence) } ?? .null),
      ("mergedInto", branch.mergedInto.map { .text($0) } ?? .null),
    ])
  }

  private func showLog() throws(DocumentFailure) {
    for commit in try connection.log(ref, countMax: task.countMax) {
      let (first, end) = (commit.sequences.lowerBound, commit.sequences.upperBound)
      if task.wantsJSON {
        printLine(
          JSON.object([
            ("epoch", .integer(commit.epoch)), ("committedAt", .text(commit.committedAt)),
            ("firstSeq", .integer(first)), ("changes", .integer(end - first)),
            ("heads", .array(commit.heads.map { .text("\($0)") })),
          ]).written())
      } else {
        let changes =
          end == first ? "no change" : end - first == 1 ? "\(first)" : "\(first)–\(end - 1)"
        let heads = commit.heads.map { "\($0)" }.joined(separator: " ")
        printLine("\(commit.epoch)  \(commit.committedAt)  \(changes)  \(heads)")
      }
    }
  }

  private func showContent() throws(DocumentFailure) -> Int32 {
    guard let path = task.path else {
      writeOutput(Array((try connection.json(ref, at: task.point).json + "\n").utf8))
      return 0
    }
    guard let json = try connection.value(ref, at: task.point, path: path) else {
      printError("sluice: documents: nothing stands there")
      return 1
    }
    printLine(json)
    return 0
  }

  private func verify() throws(DocumentFailure) -> Int32 {
    let found = try connection.verify()
    for finding in found.findings { printLine(task.wantsJSON ? quoted(finding) : shown(finding)) }
    if found.findings.isEmpty, !task.wantsJSON {
      printLine(
        "\(found.transactionCount) transactions, \(found.branchCount) branches, "
          + "\(found.changeCount) changes, \(found.snapshotCount) snapshots, "
          + "\(found.receiptCount) receipts, nothing wrong")
    }
    return found.findings.isEmpty ? 0 : 1
  }

  /// A text that stays on its line and is nothing but text.
  private func shown(_ text: String) -> String {
    text.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }
      ? quoted(text) : text
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
