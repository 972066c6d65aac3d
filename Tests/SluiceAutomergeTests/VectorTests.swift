// The reference's answers: bytes, hashes, states, conflicts, and what must be refused.

import AutomergeScenarios
import Testing

@testable import SluiceAutomerge

struct VectorTests {
  @Test func changesDecodeToWhatTheReferenceReadsAndEncodeToTheSameBytes() throws {
    for vector in try VectorFile.vectors("change") {
      let change = try Change(vector.bytes("bytes"))
      let decoded = vector.fields("decoded")
      #expect(change.bytes == vector.bytes("bytes"), "\(vector.title)")
      #expect("\(change.hash)" == decoded.text("hash"))
      #expect("\(change.actor)" == decoded.text("actor"))
      #expect("\(change.sequence)" == decoded.text("seq"))
      #expect("\(change.startCounter)" == decoded.text("startOp"))
      #expect("\(change.time)" == decoded.text("time"))
      #expect(change.message == decoded["message"] as? String)
      #expect(change.dependencies == hashes(decoded.texts("deps")))
      #expect(change.otherActors.map(\.description) == decoded.texts("otherActors"))
      #expect(hexText(change.extraBytes) == decoded.text("extra"))
      #expect(
        change.operations.map(operationText) == decoded.list("ops").map(operationText),
        "\(vector.title)")
      if vector.has("compressed") {
        #expect(try Change(vector.bytes("compressed")) == change)
      }
      #expect(try Change(change.compressedBytes).bytes == change.bytes)
      guard vector.has("state") else { continue }
      var document = Document()
      try document.apply(change)
      #expect(try stateText(document.view) == stateText(vector.fields("state")))
      #expect(
        document.save(compressing: false) == vector.bytes("save"), "\(vector.title)")
      try expectReload(document, vector.title)
    }
  }

  @Test func historiesSaveToTheReferencesBytesAndShowItsPastStates() throws {
    for vector in try VectorFile.vectors("history") {
      var document = Document()
      for change in try vector.changes() { try document.apply(change) }
      #expect(document.heads == hashes(vector.texts("heads")))
      #expect(document.save(compressing: false) == vector.bytes("save"), "\(vector.title)")
      if vector.has("saveCompressed") {
        #expect(try expanded(vector.bytes("saveCompressed")) == vector.bytes("save"))
      }
      #expect(try stateText(document.view) == stateText(vector.fields("state")))
      try expectPasts(vector, document)
      try expectReload(document, vector.title)
    }
  }

  @Test func mergesInAnyOrderGiveTheReferencesStateAndBytes() throws {
    for vector in try VectorFile.vectors("merge") {
      let changes = try vector.changes()
      for order in vector.list("orders") {
        let title = "\(vector.title) \(order["apply"]!)"
        var document = Document()
        for index in order["apply"] as! [Int] { try document.apply(changes[index]) }
        let stored = (order["storedOrder"] as! [Int]).map { changes[$0].hash }
        #expect(document.history.hashes == stored, "\(title)")
        #expect(document.heads == hashes(vector.texts("heads")))
        #expect(try stateText(document.view) == stateText(vector.fields("state")), "\(title)")
        let saved = document.save(compressing: false)
        if order.has("save") {
          #expect(saved == order.bytes("save"), "\(title)")
        } else {
          let digest = ChangeHash(digestOf: saved, from: 0)
          #expect("\(digest)" == order.text("saveSha256"), "\(title)")
        }
        try expectPasts(vector, document)
        try expectReload(document, title)
      }
    }
  }

  @Test func aChildOfTheGenesisWaitsForIt() throws {
    for vector in try VectorFile.vectors("genesis") {
      let genesis = try Change(vector.bytes("bytes"))
      #expect("\(genesis.hash)" == vector.text("head"))
      let child = try Change(vector.bytes("child"))
      #expect("\(child.hash)" == vector.text("childHash"))
      let without = vector.fields("childWithoutGenesis")
      var document = Document()
      try document.apply(child)
      #expect(document.heads == hashes(without.texts("heads")))
      #expect(document.missingDependencies == hashes(without.texts("missing")))
      #expect(try stateText(document.view) == stateText(without.fields("state")))
      try document.apply(genesis)
      #expect(document.missingDependencies.isEmpty)
      #expect(
        try stateText(document.view) == stateText(vector.fields("stateWithGenesis")))
      // The genesis can be made here.
      var own = Document(actor: genesis.actor)
      let made = try own.edit { edit throws(AutomergeError) in
        try edit.set(.int(1), forKey: "__genesis__")
        try edit.removeValue(forKey: "__genesis__")
      }
      #expect(made?.bytes == genesis.bytes)
    }
  }

  @Test func scriptsGoAsWithTheReferenceOrAreRefusedForAReason() throws {
    let reasons: [String: AutomergeError.Reason] = [
      "sequence number skipped (1 then 3), deps present": .sequenceGap,
      "startOp not above its dependencies": .counterReused,
      "pred names an op that does not exist": .unknownPredecessor,
      "object does not exist": .unknownObject,
    ]
    for vector in try VectorFile.vectors("script") {
      let changes = try vector.changes()
      var document = Document()
      var reason: AutomergeError.Reason?
      for step in vector.list("steps") {
        let before = document.heads
        let batch = (step["apply"] as! [Int]).map { changes[$0] }
        if let refused = refusal({ try document.apply(batch) }) {
          reason = refused
          #expect(document.heads == before)
          if vector.text("strictness") == "either" { continue }
          // Version 3 refuses the whole batch; the vector has version 2, which keeps its beginning.
          #expect(step["ok"] as? Bool == false && refused == .duplicateSequence)
          continue
        }
        guard vector.text("strictness") != "either" || reason == nil else { continue }
        if vector.text("name") == "same actor and seq in one batch", reason != nil { continue }
        #expect(step["ok"] as? Bool == true, "\(vector.title)")
        #expect(document.heads == hashes(step.texts("heads")), "\(vector.title)")
        #expect(document.missingDependencies == hashes(step.texts("missing")))
        #expect(document.history.hashes == hashes(step.texts("stored")), "\(vector.title)")
        #expect(try stateText(document.view) == stateText(step.fields("state")))
      }
      if vector.text("strictness") == "either" {
        #expect(reason != nil, "\(vector.title)")
        if let known = reasons[vector.text("name")] { #expect(reason == known) }
      }
    }
  }

  @Test func filesLoadOrFailAsWithTheReference() throws {
    for vector in try VectorFile.vectors("file") {
      let load = vector.fields("load")
      var document = Document()
      let refused = refusal { document = try Document(loading: vector.bytes("bytes")) }
      #expect((refused == nil) == (load["ok"] as? Bool), "\(vector.title): \(refused as Any)")
      guard refused == nil else { continue }
      #expect(document.heads == hashes(load.texts("heads")))
      #expect(document.history.hashes == hashes(vector.texts("hashes")), "\(vector.title)")
      #expect(document.missingDependencies == hashes(vector.texts("missing")))
      #expect(try stateText(document.view) == stateText(vector.fields("state")))
      try expectReload(document, vector.title)
    }
  }

  @Test func whatIsNotCanonicalIsRefused() throws {
    let refused: [String: AutomergeError.Reason] = [
      "gap seq": .sequenceGap, "obj missing": .unknownObject, "unknown column": .unknownColumn,
      "overlong bool count": .overlongNumber, "preds unsorted": .badPredecessor,
      "other actors unsorted": .actorOrder, "empty actor": .actorEmpty,
      "no own dep": .forkedActor,
    ]
    for vector in try VectorFile.vectors("canonical") {
      var document = Document()
      let reason = refusal {
        for change in try vector.changes() { try document.apply(change) }
      }
      let name = vector.text("name")
      if vector.text("savedAndReloaded") != "ok" { #expect(reason != nil, "\(vector.title)") }
      if let known = refused[name] { #expect(reason == known, "\(vector.title)") }
      if reason == nil { try expectReload(document, vector.title) }
    }
  }

  @Test func marksAndSpansAreTheReferences() throws {
    for vector in try VectorFile.vectors("marks") {
      var document = Document()
      for change in try vector.changes() { try document.apply(change) }
      #expect(document.heads == hashes(vector.texts("heads")))
      #expect(document.save(compressing: false) == vector.bytes("save"))
      let view = document.view
      guard case .object(.text, let text)? = view.value(at: [firstKey(view)]) else {
        Issue.record("no text in \(vector.title)")
        continue
      }
      let content = try view.text(of: text)
      #expect(content == vector.text("text"))
      let marks = try view.marks(of: text).map { mark in
        "\(mark.name) \(jsonText(mark.value)) \(utf16(mark.range.lowerBound, content)) "
          + "\(utf16(mark.range.upperBound, content))"
      }
      let expected = vector.list("marks").map {
        "\($0.text("name")) \(jsonText($0["value"]!)) \($0["start"]!) \($0["end"]!)"
      }
      #expect(marks.sorted() == expected.sorted(), "\(vector.title)")
      #expect(
        try view.spans(of: text).map(spanText) == vector.list("spans").map(spanText),
        "\(vector.title)")
    }
  }

  // MARK: Parts

  private func firstKey(_ view: View) -> View.Step {
    .key((try? view.properties(of: .root).first?.key) ?? "")
  }

  private func utf16(_ scalars: Int, _ text: String) -> Int {
    text.unicodeScalars.prefix(scalars).reduce(0) { $0 + ($1.value > 0xffff ? 2 : 1) }
  }

  private func expectReload(_ document: Document, _ title: String) throws {
    for compressing in [false, true] {
      let loaded = try Document(loading: document.save(compressing: compressing))
      #expect(loaded.heads == document.heads, "\(title)")
      #expect(try stateText(loaded.view) == stateText(document.view), "\(title)")
      #expect(Array(loaded.history) == Array(document.history))
    }
  }

  private func expectPasts(_ vector: Fields, _ document: Document) throws {
    for past in vector.list("at") {
      let heads = hashes(past.texts("heads"))
      let expected = stateText(past.fields("state"))
      #expect(try stateText(document.view(at: heads)) == expected, "\(vector.title)")
    }
  }

  private func jsonText(_ value: Any) -> String {
    // Foundation shows booleans as numbers.
    if case .bool(let truth)? = value as? ScalarValue { return truth ? "1" : "0" }
    if let scalar = value as? ScalarValue { return View.empty.json(of: .scalar(scalar)) }
    if let text = value as? String { return "\"\(text)\"" }
    return value is Int || value is Double ? "\(value)" : "null"
  }

  private func spanText(_ span: Span) -> String {
    switch span {
    case .text(let text, let marks):
      let all = marks.map { "\($0.name)=\(jsonText($0.value))" }
      return "text \(text) \(all)"
    case .object(let kind, _, _): return "block \(kind)"
    }
  }

  private func spanText(_ span: Fields) -> String {
    let marks = span.fields("marks").sorted { $0.key < $1.key }
    return
      "\(span.text("type")) \(span.text("value")) \(marks.map { "\($0.key)=\(jsonText($0.value))" })"
  }
}

extension View {
  static let empty = Document().view
}

private func operationText(_ operation: Operation) -> String {
  var key = ""
  switch operation.key {
  case .property(let name): key = "key \(name)"
  case .head: key = "elem _head"
  case .element(let id): key = "elem \(id)"
  }
  let action =
    switch operation.action {
    case .make(let kind): "make\("\(kind)".prefix(1).uppercased())\("\(kind)".dropFirst())"
    case .set(let value): "set \(scalarText(value))"
    case .delete: "del"
    case .increment(let value): "inc \(scalarText(value))"
    case .beginMark(let name, let value, let expands):
      "mark \(name) \(scalarText(value)) \(expands)"
    case .endMark(let expands): "mark \(expands)"
    }
  return "\(operation.id) \(operation.object) \(key) \(operation.isInsert) \(action) "
    + "\(operation.predecessors)"
}

private func operationText(_ operation: Fields) -> String {
  let key =
    operation.has("key") ? "key \(operation.text("key"))" : "elem \(operation.text("elem"))"
  var action = operation.text("action")
  if action == "mark" {
    if let name = operation["markName"] as? String ?? operation["name"] as? String {
      action += " \(name) \(scalarText(operation.fields("value")))"
    }
    action += " \(operation["expand"] as? Bool == true)"
  } else if operation.has("value") {
    action += " \(scalarText(operation.fields("value")))"
  }
  return "\(operation.text("id")) \(operation.text("obj")) \(key) "
    + "\(operation["insert"] as? Bool == true) \(action) [\(operation.texts("pred").joined(separator: ", "))]"
}
