// What the command tells of a document. Texts of the document are quoted, because they may hold
// whatever their writer wanted.

internal import SluiceAutomerge
internal import SluiceCommand

struct AutomergeReport {
  private let document: Document

  init(_ document: Document) { self.document = document }

  func show(asJSON: Bool) {
    // The root is always a map.
    guard let properties = try? document.view.properties() else { return }
    if asJSON {
      let root = properties.map { ($0.key, JSON.text(kind(of: $0.entry.value))) }
      print(
        JSON.object([
          ("heads", texts(document.heads)),
          ("changes", .integer(Int64(document.history.count))),
          ("operations", .integer(Int64(operationCount))),
          ("waiting", .integer(Int64(document.waitingChanges.count))),
          ("missing", texts(document.missingDependencies)),
          ("root", .object(root)),
        ]).written(depth: 1))
      return
    }
    print("heads: \(document.heads.map(\.description).joined(separator: " "))")
    print("changes: \(document.history.count)")
    print("operations: \(operationCount)")
    if !document.waitingChanges.isEmpty {
      print("waiting changes: \(document.waitingChanges.count)")
      print("missing: \(document.missingDependencies.map(\.description).joined(separator: " "))")
    }
    for (key, entry) in properties {
      let conflict = entry.isConflict ? ", \(entry.candidates.count) in conflict" : ""
      print("\(quoted(key)): \(kind(of: entry.value))\(conflict)")
    }
  }

  private var operationCount: Int { document.history.operationCount(includingDeletions: true) }

  func showHeads(asJSON: Bool) {
    if asJSON {
      print(texts(document.heads).written())
    } else {
      for head in document.heads { print("\(head)") }
    }
  }

  func showChanges(asJSON: Bool) {
    if asJSON { print("[") }
    for (index, change) in document.history.enumerated() {
      guard asJSON else {
        print(
          "\(change.hash) \(change.actor) \(change.sequence) \(change.startCounter) "
            + "\(change.operationCount) \(change.time) \(change.message.map(quoted) ?? "-")")
        continue
      }
      let members: [(String, JSON)] = [
        ("hash", .text("\(change.hash)")), ("actor", .text("\(change.actor)")),
        ("sequence", .integer(Int64(clamping: change.sequence))),
        ("startCounter", .integer(Int64(change.startCounter))),
        ("operations", .integer(Int64(change.operationCount))), ("time", .integer(change.time)),
        ("message", change.message.map { .text($0) } ?? .null),
        ("dependencies", texts(change.dependencies)),
      ]
      print(JSON.object(members).written() + (index + 1 < document.history.count ? "," : ""))
    }
    if asJSON { print("]") }
  }

  // MARK: Repairs

  func tellRepair(_ damage: [Document.Damage], _ path: String) {
    for part in damage {
      print("left out: bytes \(part.bytes.lowerBound) to \(part.bytes.upperBound): \(part.error)")
    }
    print("kept: \(document.history.count) changes, \(document.waitingChanges.count) waiting")
    print("the damaged file is \(path).damaged")
  }

  func showRepair(_ damage: [Document.Damage]) {
    let parts = damage.map { part in
      JSON.object([
        ("from", .integer(Int64(part.bytes.lowerBound))),
        ("to", .integer(Int64(part.bytes.upperBound))), ("reason", .text("\(part.error)")),
      ])
    }
    print(
      JSON.object([
        ("repaired", .integer(1)), ("changes", .integer(Int64(document.history.count))),
        ("waiting", .integer(Int64(document.waitingChanges.count))), ("leftOut", .array(parts)),
      ]).written())
  }

  // MARK: Parts

  private func texts(_ hashes: [ChangeHash]) -> JSON { .array(hashes.map { .text("\($0)") }) }

  private func kind(of value: Value) -> String {
    guard case .object(let kind, let object) = value else {
      if case .scalar(let scalar) = value { return name(of: scalar) }
      return ""
    }
    let count = (try? document.view.count(of: object)) ?? 0
    return "\(kind) of \(count)"
  }

  private func name(of scalar: ScalarValue) -> String {
    switch scalar {
    case .null: "null"
    case .bool: "boolean"
    case .int, .uint: "integer"
    case .double: "float"
    case .text: "string"
    case .bytes: "bytes"
    case .counter: "counter"
    case .timestamp: "timestamp"
    case .unknown: "unknown"
    }
  }
}
