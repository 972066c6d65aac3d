// sluice automerge: looks into an Automerge file, verifies it, and repairs it.

internal import CSluice
internal import SluiceAutomerge
internal import SluiceCommand
internal import SluiceSystem

let automergeCommand = Command(
  name: "automerge", summary: "show, verify or repair an Automerge document",
  help: """
    usage: sluice automerge FILE [show | heads | changes | verify] [--json]
           sluice automerge FILE json [--at HASH[,…]] [KEY | INDEX …]
           sluice automerge FILE repair [--json]

    Reads a document as Automerge saves it: a document chunk, changes, or both. Every hash is computed
    anew. Only repair writes.

      show      heads, numbers of changes and operations, what the root holds (the default)
      heads     the hashes of the heads, one a line
      changes   one line a change: hash, actor, sequence, first counter, operations, time, message
      json      the content as JSON, of the whole document or of what the keys and indexes lead to
      verify    exit code 0 if the file is sound, and what is written of it can be read again;
                otherwise 1, and why
      repair    makes a sound file of the chunks that can be proved, and puts it in the place of
                the damaged one, which stays as FILE.damaged. A sound file stays as it is

      --json        for other programs
      --at HASH,…   the content at these heads and their ancestors
    """,
  run: automerge)

private func automerge(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let asJSON = options.flag("--json")
  let heads = try options.value("--at")
  guard let path = options.word() else { throw .usage("which file?") }
  let file = AutomergeFile(path: path)
  let action = options.word() ?? "show"
  if heads != nil, action != "json" { throw .usage("--at belongs to json") }
  if action == "json" {
    var steps: [String] = []
    while let word = options.word() { steps.append(word) }
    try options.finish()
    return try showContent(try file.document(), steps, heads)
  }
  try options.finish()
  switch action {
  case "show": AutomergeReport(try file.document()).show(asJSON: asJSON)
  case "heads": AutomergeReport(try file.document()).showHeads(asJSON: asJSON)
  case "changes": AutomergeReport(try file.document()).showChanges(asJSON: asJSON)
  case "verify": return try verify(file, asJSON: asJSON)
  case "repair": return try repair(file, asJSON: asJSON)
  default: throw .usage("\(action): not understood")
  }
  return 0
}

private func showContent(
  _ document: Document, _ words: [String], _ heads: String?
) throws(CommandError) -> Int32 {
  var view = document.view
  if let heads {
    var hashes: [ChangeHash] = []
    for text in heads.split(separator: ",", omittingEmptySubsequences: false) {
      guard let hash = ChangeHash(hex: String(text)) else {
        throw .usage("--at takes hashes of changes")
      }
      hashes.append(hash)
    }
    do throws(AutomergeError) {
      view = try document.view(at: hashes)
    } catch {
      throw .failed("automerge: --at: \(error)")
    }
  }
  // Whether a word is a key or an index is known by the object that it leads into.
  var path: [View.Step] = []
  for word in words {
    if case .object(let kind, _)? = view.value(at: path), kind.isSequence,
      let index = Int(word)
    {
      path.append(.index(index))
    } else {
      path.append(.key(word))
    }
  }
  guard let json = view.json(at: path) else {
    printError("sluice: automerge: nothing stands there")
    return 1
  }
  print(json)
  return 0
}

// MARK: Verifying

private func verify(_ file: AutomergeFile, asJSON: Bool) throws(CommandError) -> Int32 {
  let failure = failure(of: try file.bytes())
  if asJSON {
    print(
      JSON.object([
        ("sound", .integer(failure == nil ? 1 : 0)),
        ("reason", failure.map { .text($0) } ?? .null),
      ]).written())
  } else if let failure {
    printError("sluice: automerge: \(file.path): \(failure)")
  } else {
    print("sound")
  }
  return failure == nil ? 0 : 1
}

/// Why the bytes are no sound file; nil if they are.
private func failure(of bytes: [UInt8]) -> String? {
  do throws(AutomergeError) {
    let document = try Document(loading: bytes)
    let again = try Document(loading: document.save())
    guard again.heads == document.heads, again.view.json() == document.view.json() else {
      return "what is written of it reads as another document"
    }
    return nil
  } catch {
    return "\(error)"
  }
}

// MARK: Repairing

private func repair(_ file: AutomergeFile, asJSON: Bool) throws(CommandError) -> Int32 {
  let bytes = try file.bytes()
  if failure(of: bytes) == nil {
    print(asJSON ? JSON.object([("repaired", .integer(0))]).written() : "sound: nothing to repair")
    return 0
  }
  let (document, damage) = Document.recover(bytes)
  guard !document.history.isEmpty || !document.waitingChanges.isEmpty else {
    printError("sluice: automerge: \(file.path): no change in it can be proved")
    return 1
  }
  let saved = document.save()
  if let failure = failure(of: saved) {
    printError("sluice: automerge: \(file.path): \(failure)")
    return 1
  }
  try file.replace(bytes, with: saved)
  let report = AutomergeReport(document)
  if asJSON { report.showRepair(damage) } else { report.tellRepair(damage, file.path) }
  return 0
}
