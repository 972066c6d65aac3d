// The library as its users write it: public names only.

import SluiceAutomerge
import Testing

struct PublicInterfaceTests {
  private struct GivenUp: Error {}

  private func plan() throws -> Document {
    var document = Document()
    try document.edit(message: "Begin") { edit in
      try edit.set("Plan", forKey: "title")
      try edit.set(.counter(1), forKey: "version")
      let tasks = try edit.make(.list, forKey: "tasks")
      try edit.append("write", to: tasks)
      let task = try edit.append(.map, to: tasks)
      try edit.set(true, forKey: "done", in: task)
      try edit.set(0.5, forKey: "part", in: task)
      let note = try edit.make(.text, forKey: "note")
      try edit.append(contentsOf: "hello world", to: note)
    }
    return document
  }

  @Test func pathsReadAsSubscripts() throws {
    let view = try plan().view
    #expect(view["title"] == "Plan")
    #expect(view["title"]?.string == "Plan")
    #expect(view["tasks", 0] == "write")
    #expect(view["tasks", 1, "done"] == true)
    #expect(view["tasks", 1, "part"] == 0.5)
    #expect(view["tasks", 2] == nil && view["nowhere"] == nil && view["title", "x"] == nil)
    #expect(view["note"]?.string == nil)
    #expect(try view.object(at: ["note"]) == view["note"]?.objectID)
    #expect(throws: AutomergeError(.noSuchObject)) { try view.object(at: ["title"]) }
  }

  @Test func mapsAndListsAreCollections() throws {
    let document = try plan()
    let properties = try document.view.properties()
    #expect(properties.map(\.key) == ["note", "tasks", "title", "version"])
    #expect(properties["title"]?.value == "Plan" && properties["absent"] == nil)
    #expect(properties.first?.key == "note" && properties.count == 4)
    #expect(properties.reversed().map(\.key) == ["version", "title", "tasks", "note"])
    let tasks = try document.view.elements(of: document.view.object(at: ["tasks"]))
    #expect(tasks.map(\.entry.value).first == "write" && tasks.count == 2)
    #expect(tasks[1].element == tasks[1].entry.id && tasks.allSatisfy { !$0.entry.isConflict })
    #expect(document.history.map(\.message) == ["Begin"])
  }

  @Test func textsAndCountersAreEditedByRanges() throws {
    var document = try plan()
    let note = try document.view.object(at: ["note"])
    let tasks = try document.view.object(at: ["tasks"])
    try document.edit { edit in
      try edit.replaceSubrange(0..<5, in: note, with: "Hello")
      try edit.insert(contentsOf: ",", at: 5, in: note)
      try edit.append(contentsOf: "!", to: note)
      try edit.removeSubrange(7..<9, in: note)
      try edit.removeSubrange(0..<1, in: tasks)
      try edit.incrementValue(forKey: "version")
      try edit.incrementValue(forKey: "version", by: 3)
    }
    #expect(try document.view.text(of: note) == "Hello, rld!")
    #expect(try document.view.count(of: tasks) == 1)
    #expect(document.view["version"] == .scalar(.counter(5)))
    for range in [-1..<0, 10..<12] {
      #expect(throws: AutomergeError(.outOfRange)) {
        try document.edit { edit in try edit.removeSubrange(range, in: note) }
      }
    }
  }

  @Test func anErrorOfTheBodyComesOutAndGivesTheEditsUp() throws {
    var document = try plan()
    let heads = document.heads
    #expect(throws: GivenUp.self) {
      try document.edit { edit in
        try edit.set("lost", forKey: "title")
        throw GivenUp()
      }
    }
    #expect(document.heads == heads && document.view["title"] == "Plan")
  }

  @Test func mergedReplicasShowTheSameAndKeepConflicts() throws {
    var ours = try plan()
    var theirs = Document()
    try theirs.merge(ours)
    try ours.edit { edit in try edit.set("Our plan", forKey: "title") }
    try theirs.edit { edit in try edit.set("Their plan", forKey: "title") }
    #expect(try ours.merge(theirs).applied == theirs.heads)
    try theirs.merge(ours)
    #expect(ours.heads == theirs.heads && ours.view.json() == theirs.view.json())
    let title = try #require(try ours.view.entry(forKey: "title"))
    #expect(title.isConflict && Set(title.candidates.map(\.value)) == ["Our plan", "Their plan"])
    #expect(try theirs.view.entry(forKey: "title") == title)
    #expect(try ours.merge(theirs).applied.isEmpty)
  }
}
