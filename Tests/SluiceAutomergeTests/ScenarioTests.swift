// Random concurrent histories: the order of application changes nothing, all that is written can be
// read again, and a wrong tie break is found.
//
// SLUICE_AUTOMERGE_SCENARIOS sets how many (the long form: 100000), SLUICE_AUTOMERGE_SEED the first
// seed, SLUICE_AUTOMERGE_FULL=1 makes each as large as the long form wants.

import Foundation
import Testing

@testable import SluiceAutomerge

struct ScenarioTests {
  private static func setting(_ name: String, or standard: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
  }

  private let count = setting("SLUICE_AUTOMERGE_SCENARIOS", or: 30)
  private let firstSeed = setting("SLUICE_AUTOMERGE_SEED", or: 1)
  private let isFull = setting("SLUICE_AUTOMERGE_FULL", or: 0) == 1

  @Test func replicasThatHoldTheSameChangesShowTheSame() throws {
    for seed in firstSeed..<firstSeed + count {
      var scenario = try Scenario(
        seed: UInt64(seed), actorCountMax: 8, changeCountMax: isFull ? 200 : 40)
      let atOnce = try documentAtOnce(&scenario)
      let oneByOne = try documentOneByOne(&scenario)
      let state = try stateText(atOnce.view)
      try #require(try stateText(oneByOne.view) == state, "seed \(seed)")
      try #require(atOnce.heads == oneByOne.heads, "seed \(seed)")
      try #require(atOnce.missingDependencies.isEmpty && oneByOne.missingDependencies.isEmpty)
      try expectMarks(atOnce, oneByOne, seed)
      for change in atOnce.history {
        try #require(try Change(change.bytes).bytes == change.bytes, "seed \(seed)")
      }
      let loaded = try Document(loading: oneByOne.save(compressing: seed % 2 == 0))
      try #require(loaded.heads == atOnce.heads, "seed \(seed)")
      try #require(try stateText(loaded.view) == state, "seed \(seed)")
      try #require(
        loaded.save(compressing: false) == oneByOne.save(compressing: false), "seed \(seed)")
      try expectPast(&scenario, loaded, seed)
    }
  }

  @Test func aWrongTieBreakIsFound() throws {
    var found = 0
    for seed in 1...20 {
      var scenario = try Scenario(seed: UInt64(seed), actorCountMax: 8, changeCountMax: 40)
      let right = try documentAtOnce(&scenario)
      var wrong = Document()
      for change in scenario.changes { _ = wrong.store.actors.insert(change.actor.bytes) }
      wrong.store.actors.ranks.reverse()
      for change in scenario.changes { try wrong.apply(change) }
      if try stateText(wrong.view) != stateText(right.view) { found += 1 }
    }
    #expect(found > 10)
  }

  private func documentAtOnce(_ scenario: inout Scenario) throws -> Document {
    var document = Document()
    try document.apply(scenario.changes.shuffled(using: &scenario.generator))
    return document
  }

  private func documentOneByOne(_ scenario: inout Scenario) throws -> Document {
    var document = Document()
    for change in scenario.changes.shuffled(using: &scenario.generator) {
      try document.apply(change)
    }
    return document
  }

  private func expectMarks(_ left: Document, _ right: Document, _ seed: Int) throws {
    guard case .object(.text, let text)? = left.view.value(at: ["text"]) else { return }
    try #require(try left.view.marks(of: text) == right.view.marks(of: text), "seed \(seed)")
    try #require(try left.view.spans(of: text) == right.view.spans(of: text), "seed \(seed)")
  }

  /// The past is the state of the ancestors alone, and patches lead from any state to any other.
  private func expectPast(_ scenario: inout Scenario, _ document: Document, _ seed: Int) throws {
    let history = Array(document.history)
    var heads: [[ChangeHash]] = [document.heads, []]
    for _ in 0..<2 {
      let count = 1 + scenario.generator.number(below: history.count)
      var partial = Document()
      try partial.apply(history[..<count])
      heads.append(partial.heads)
      let past = try document.view(at: partial.heads)
      try #require(try stateText(past) == stateText(partial.view), "seed \(seed)")
      try #require(past.json() == partial.view.json(), "seed \(seed)")
    }
    for old in heads {
      for new in heads {
        let view = try document.view(at: new)
        var tree = Tree(try document.view(at: old))
        for patch in try document.difference(from: old, to: new) { tree.apply(patch, view) }
        try #require(tree == Tree(view), "seed \(seed), \(old) to \(new)")
      }
    }
  }
}

/// What a reader of patches keeps.
indirect enum Tree: Equatable {
  case scalar(String)
  case map([String: Tree])
  case list([Tree])
  case text(String)

  init(_ view: View) { self.init(.object(.map, .root), view) }

  init(_ value: Value, _ view: View) {
    switch value {
    case .scalar(let scalar): self = .scalar(scalarText(scalar))
    case .object(.list, let object):
      self = .list(((try? view.elements(of: object)) ?? []).map { Tree($0.1.value, view) })
    case .object(.text, let object): self = .text((try? view.text(of: object)) ?? "")
    case .object(_, let object):
      var map: [String: Tree] = [:]
      // Keys that Swift takes for equal are kept apart by their bytes.
      for (key, entry) in (try? view.properties(of: object)) ?? [] {
        map[hexText(key.utf8)] = Tree(entry.value, view)
      }
      self = .map(map)
    }
  }

  mutating func apply(_ patch: Patch, _ view: View) { apply(patch, patch.path[...], view) }

  private mutating func apply(_ patch: Patch, _ path: ArraySlice<View.Step>, _ view: View) {
    if let step = path.first {
      switch (self, step) {
      case (.map(var map), .key(let key)):
        map[hexText(key.utf8)]?.apply(patch, path.dropFirst(), view)
        self = .map(map)
      case (.list(var list), .index(let index)):
        list[index].apply(patch, path.dropFirst(), view)
        self = .list(list)
      // A text shows a character in place of the object that stands in it.
      default: break
      }
      return
    }
    switch (self, patch.action) {
    case (.map(var map), .put(let key, let value)):
      map[hexText(key.utf8)] = Tree(value, view)
      self = .map(map)
    case (.map(var map), .remove(let key)):
      map[hexText(key.utf8)] = nil
      self = .map(map)
    case (.list(var list), .splice(let index, let removing, let inserting)):
      list.replaceSubrange(index..<index + removing, with: inserting.map { Tree($0, view) })
      self = .list(list)
    case (.text(let text), .spliceText(let index, let removing, let inserting)):
      var scalars = Array(text.unicodeScalars)
      scalars.replaceSubrange(index..<index + removing, with: inserting.unicodeScalars)
      var result = String.UnicodeScalarView()
      result.append(contentsOf: scalars)
      self = .text(String(result))
    default: break
    }
  }
}
