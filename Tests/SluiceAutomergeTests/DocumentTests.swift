// Edits, batches, the queue, recovery: what a user of a document notices.

import AutomergeScenarios
import TestSupport
import Testing

@testable import SluiceAutomerge

struct DocumentTests {
  private func replica(_ actor: UInt8) -> Document { Document(actor: ActorID([actor])!) }

  @Test func whatChangesNothingMakesNoOperation() throws {
    var document = replica(1)
    try document.edit { edit throws(AutomergeError) in
      try edit.set(.int(1), forKey: "k")
    }
    let change = try document.edit { edit throws(AutomergeError) in
      try edit.set(.int(1), forKey: "k")
      try edit.removeValue(forKey: "absent")
    }
    #expect(change == nil)
    #expect(document.history.count == 1)
    let other = try document.edit { edit throws(AutomergeError) in
      try edit.set(.uint(1), forKey: "k")
    }
    #expect(other?.operationCount == 1)
  }

  @Test func anEditThatThrowsLeavesTheDocumentAsItWas() throws {
    var document = replica(1)
    try document.edit { edit throws(AutomergeError) in
      let text = try edit.make(.text, forKey: "t")
      try edit.append(contentsOf: "hello", to: text)
      try edit.set(.counter(1), forKey: "c")
    }
    let before = (document.save(), document.view.json())
    let reason = refusal {
      try document.edit { edit throws(AutomergeError) in
        guard case .object(_, let text)? = edit.view.value(at: ["t"]) else { return }
        try edit.replaceSubrange(2..<4, in: text, with: "xyz")
        try edit.incrementValue(forKey: "c", by: 5)
        try edit.set(.null, forKey: "new")
        try edit.remove(at: 99, in: text)
      }
    }
    #expect(reason == .outOfRange)
    #expect((document.save(), document.view.json()) == before)
    #expect(document.view.json() == #"{"c":1,"t":"hello"}"#)
    try document.edit { edit throws(AutomergeError) in try edit.incrementValue(forKey: "c", by: 2) }
    #expect(document.view.json() == #"{"c":3,"t":"hello"}"#)
  }

  @Test func keysAreComparedByTheirBytes() throws {
    var document = replica(1)
    try document.edit { edit throws(AutomergeError) in
      try edit.set(.int(1), forKey: "é")
      try edit.set(.int(2), forKey: "e\u{301}")
    }
    #expect(try document.view.properties(of: .root).count == 2)
    #expect(try document.view.value(forKey: "é") == .scalar(.int(1)))
    #expect(try Document(loading: document.save()).heads == document.heads)
  }

  @Test func oneOperationIsMadeForEachScalar() throws {
    var document = replica(1)
    let change = try document.edit { edit throws(AutomergeError) in
      let text = try edit.make(.text, forKey: "t")
      try edit.append(contentsOf: "a😀e\u{301}", to: text)
    }
    #expect(change?.operationCount == 5)
  }

  @Test func aTextOfManyEditsKeepsItsOrderAndItsIndexes() throws {
    var generator = SeededRandom(seed: 7)
    var writers = [replica(1), replica(2)]
    var text = ObjectID.root
    try writers[0].edit { edit throws(AutomergeError) in text = try edit.make(.text, forKey: "t") }
    try writers[1].apply(writers[0].history)
    var models: [[Unicode.Scalar]] = [[], []]
    for round in 0..<60 {
      for index in 0..<2 {
        for _ in 0..<40 {
          let place = generator.number(below: models[index].count + 1)
          let removing = min(models[index].count - place, generator.number(below: 4))
          let inserting = ["a", "bcd", "é😀", "0123456789"][generator.number(below: 4)]
          try writers[index].edit { edit throws(AutomergeError) in
            try edit.replaceSubrange(place..<place + removing, in: text, with: inserting)
          }
          models[index].replaceSubrange(
            place..<place + removing, with: inserting.unicodeScalars)
        }
        let shown = try writers[index].view.text(of: text)
        try #require(Array(shown.unicodeScalars) == models[index], "round \(round)")
      }
      for index in 0..<2 where round % 3 == 2 {
        let other = writers[1 - index].changes(since: writers[index].heads)
        try writers[index].apply(other)
      }
      if round % 3 == 2 {
        let merged = try writers[0].view.text(of: text)
        try #require(try writers[1].view.text(of: text) == merged)
        models = [Array(merged.unicodeScalars), Array(merged.unicodeScalars)]
        #expect(try writers[0].view.count(of: text) == models[0].count)
      }
    }
    // The order that was found step by step is that of all elements at once.
    let loaded = try Document(loading: writers[0].save())
    #expect(try loaded.view.text(of: text) == writers[0].view.text(of: text))
    #expect(loaded.save(compressing: false) == writers[0].save(compressing: false))
    for index in [0, 1, models[0].count / 2, models[0].count - 1] {
      let entry = try writers[0].view.entry(at: index, in: text)
      #expect(entry.value == .scalar(.text(String(models[0][index]))))
    }
  }

  @Test func textTypedAtTheEdgeOfAMarkJoinsItIfItExpands() throws {
    for expands in [false, true] {
      var document = replica(1)
      var text = ObjectID.root
      try document.edit { edit throws(AutomergeError) in
        text = try edit.make(.text, forKey: "t")
        try edit.append(contentsOf: "one two", to: text)
        try edit.mark(
          0..<3, in: text, name: "bold", value: .bool(true), expandsAfter: expands)
        try edit.insert(contentsOf: "!", at: 3, in: text)
      }
      let marks = try document.view.marks(of: text)
      #expect(marks == [Mark(name: "bold", value: .bool(true), range: 0..<(expands ? 4 : 3))])
      try document.edit { edit throws(AutomergeError) in
        try edit.mark(0..<8, in: text, name: "bold", value: .null)
      }
      #expect(try document.view.marks(of: text).isEmpty)
    }
  }

  @Test func countersWrapAndMergeTheirIncrements() throws {
    var first = replica(1)
    try first.edit { edit throws(AutomergeError) in try edit.set(.counter(.max), forKey: "c") }
    var second = replica(2)
    try second.apply(first.history)
    try first.edit { edit throws(AutomergeError) in try edit.incrementValue(forKey: "c", by: 2) }
    try second.edit { edit throws(AutomergeError) in try edit.incrementValue(forKey: "c", by: 3) }
    try first.apply(second.history)
    #expect(try first.view.value(forKey: "c") == .scalar(.counter(.max &+ 5)))
  }

  @Test func aRefusedBatchChangesNothing() throws {
    var writer = replica(1)
    var changes: [Change] = []
    for index in 0..<3 {
      changes.append(try writer.put(.int(Int64(index)), "key \(index)"))
    }
    // Another change of the same writer with the same number.
    var double = replica(1)
    try double.apply(changes[0])
    let forged = try double.put(.null, "other")
    var document = replica(9)
    try document.apply([changes[0], changes[2]])
    let before = document.save()
    let reason = refusal { try document.apply([changes[1], forged]) }
    #expect(reason == .duplicateSequence)
    #expect(document.save() == before)
    #expect(document.waitingChanges == [changes[2]])
    #expect(document.view.json() == #"{"key 0":0}"#)
    try document.apply(changes[1])
    #expect(document.heads == writer.heads)
    #expect(document.view.json() == writer.view.json())
  }

  @Test func aWaitingChangeThatTurnsOutWrongIsDiscardedAndTold() throws {
    var writer = replica(1)
    let first = try writer.put(.int(1), "a")
    var second = replica(2)
    try second.apply(first)
    let waiting = try second.put(.int(2), "b")
    // The same writer, elsewhere, without the first change.
    var twin = replica(2)
    let other = try twin.put(.int(3), "b")

    var document = replica(9)
    try document.apply([waiting, other])
    #expect(document.missingDependencies == [first.hash])
    let application = try document.apply(first)
    #expect(application.applied == [first.hash])
    #expect(application.discarded.map(\.reason) == [.duplicateSequence])
    #expect(application.discarded.first?.place.change == waiting.hash)
    #expect(document.waitingChanges.isEmpty)
    #expect(document.heads == [first.hash, other.hash].sorted())
    #expect(document.view.json() == #"{"a":1,"b":3}"#)
  }

  @Test func orphansAreSavedBehindTheDocument() throws {
    var writer = replica(1)
    try writer.edit { edit throws(AutomergeError) in try edit.set(.int(1), forKey: "a") }
    try writer.edit { edit throws(AutomergeError) in try edit.set(.int(2), forKey: "a") }
    var document = replica(2)
    try document.apply(writer.history[1])
    let loaded = try Document(loading: document.save())
    #expect(loaded.waitingChanges == [writer.history[1]])
    #expect(loaded.missingDependencies == [writer.history[0].hash])
  }

  @Test func aDamagedFileGivesWhatCanBeProved() throws {
    var writer = replica(1)
    for index in 0..<4 {
      try writer.edit { edit throws(AutomergeError) in
        try edit.set(.int(Int64(index)), forKey: "k")
      }
    }
    var early = replica(2)
    try early.apply(writer.history[..<2])
    var bytes = early.save()
    let damaged = bytes.count + 20
    bytes += writer.history[2].bytes + writer.history[3].bytes
    bytes[damaged] ^= 1
    #expect(refusal { _ = try Document(loading: bytes) } == .badChecksum)
    let (document, damage) = Document.recover(bytes)
    #expect(document.heads == early.heads)
    #expect(damage.map(\.error.reason) == [.badChecksum])
    #expect(document.waitingChanges == [writer.history[3]])
  }

  @Test func valuesBehaveAsValues() throws {
    var document = replica(1)
    try document.edit { edit throws(AutomergeError) in try edit.set(.int(1), forKey: "a") }
    let copy = document
    let view = document.view
    try document.edit { edit throws(AutomergeError) in try edit.set(.int(2), forKey: "a") }
    #expect(copy.view.json() == #"{"a":1}"#)
    #expect(view.json() == #"{"a":1}"#)
    #expect(document.view.json() == #"{"a":2}"#)
  }

  @Test func jsonShowsWinnersAndEscapesTexts() throws {
    var document = replica(1)
    try document.edit { edit throws(AutomergeError) in
      let list = try edit.make(.list, forKey: "l")
      try edit.insert(.text("q\"\\\n\u{1}"), at: 0, in: list)
      try edit.insert(.bytes([1, 255]), at: 1, in: list)
      try edit.insert(.double(.nan), at: 2, in: list)
      try edit.insert(.uint(.max), at: 3, in: list)
      let map = try edit.insert(.map, at: 4, in: list)
      try edit.set(.timestamp(-1), forKey: "t", in: map)
    }
    let list = #"["q\"\\\n\u0001",[1,255],null,18446744073709551615,{"t":-1}]"#
    #expect(document.view.json() == "{\"l\":\(list)}")
    #expect(document.view.json(at: ["l", 4, "t"]) == "-1")
    #expect(document.view.json(at: ["l", 5]) == nil)
    #expect(document.view.json(at: ["l", "x"]) == nil)
  }
}

extension Document {
  /// Sets a key of the root, and gives the change.
  mutating func put(_ value: ScalarValue, _ key: String) throws -> Change {
    let change = try edit { edit throws(AutomergeError) in try edit.set(value, forKey: key) }
    return try #require(change)
  }
}
