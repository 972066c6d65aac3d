// What must hold of every random history, whoever runs it: the tests a few, automerge-bench 100,000.

internal import SluiceAutomerge

/// What does not hold of the scenario of a seed.
package struct ScenarioFailure: Error, CustomStringConvertible {
  package let seed: UInt64
  package let what: String

  package var description: String { "seed \(seed): \(what)" }
}

/// Applies each scenario's changes in two orders, compares the two, and reads again what is written.
package struct ScenarioCheck: Sendable {
  package var actorCountMax = 8
  package var changeCountMax = 40
  /// Whether views of the past and patches are checked too. That takes most of the time.
  package var checksPast = true
  /// Breaks ties of concurrent operations the wrong way in one of the two orders: a canary that must
  /// be found.
  package var breaksTiesWrong = false

  package init() {}

  /// Gives the number of changes.
  @discardableResult
  package func run(seed: UInt64) throws(ScenarioFailure) -> Int {
    let what: String?
    var changeCount = 0
    do throws(AutomergeError) {
      var run = Run(
        seed: seed,
        scenario: try Scenario(
          seed: seed, actorCountMax: actorCountMax, changeCountMax: changeCountMax))
      changeCount = run.scenario.changes.count
      what = try run.failure(checksPast: checksPast, breaksTiesWrong: breaksTiesWrong)
    } catch {
      what = "refused: \(error)"
    }
    if let what { throw ScenarioFailure(seed: seed, what: what) }
    return changeCount
  }
}

private struct Run {
  let seed: UInt64
  var scenario: Scenario

  /// What does not hold; nil if all does.
  mutating func failure(
    checksPast: Bool, breaksTiesWrong: Bool
  ) throws(AutomergeError) -> String? {
    var atOnce = Document()
    try atOnce.apply(scenario.changes.shuffled(using: &scenario.generator))
    var oneByOne = breaksTiesWrong ? documentWithWrongTies() : Document()
    for change in scenario.changes.shuffled(using: &scenario.generator) {
      try oneByOne.apply(change)
    }
    let state = try stateText(atOnce.view)
    if try stateText(oneByOne.view) != state { return "the order changes the state" }
    if atOnce.heads != oneByOne.heads { return "the order changes the heads" }
    if !atOnce.missingDependencies.isEmpty || !oneByOne.missingDependencies.isEmpty {
      return "changes wait although all are there"
    }
    if try marksDiffer(atOnce, oneByOne) { return "the order changes the marks" }
    for (written, change) in zip(oneByOne.history, try readAgain(oneByOne.history)) {
      if written.bytes != change.bytes { return "a change is written as other bytes" }
    }
    let loaded = try Document(loading: oneByOne.save(compressing: seed % 2 == 0))
    if loaded.heads != atOnce.heads { return "a saved document has other heads" }
    if try stateText(loaded.view) != state { return "a saved document has another state" }
    if loaded.save(compressing: false) != oneByOne.save(compressing: false) {
      return "a document is saved in two ways"
    }
    return checksPast ? try pastFailure(loaded) : nil
  }

  private func documentWithWrongTies() -> Document {
    var document = Document()
    for change in scenario.changes { _ = document.store.actors.insert(change.actor.bytes) }
    document.store.actors.ranks.reverse()
    return document
  }

  private func readAgain(_ history: History) throws(AutomergeError) -> [Change] {
    var changes: [Change] = []
    for change in history { changes.append(try Change(change.bytes)) }
    return changes
  }

  private func marksDiffer(_ left: Document, _ right: Document) throws(AutomergeError) -> Bool {
    guard case .object(.text, let text)? = left.view.value(at: ["text"]) else { return false }
    if try left.view.marks(of: text) != right.view.marks(of: text) { return true }
    return try left.view.spans(of: text) != right.view.spans(of: text)
  }

  /// The past is the state of the ancestors alone, and patches lead from any state to any other.
  private mutating func pastFailure(_ document: Document) throws(AutomergeError) -> String? {
    let history = Array(document.history)
    var heads: [[ChangeHash]] = [document.heads, []]
    for _ in 0..<2 {
      let count = 1 + scenario.generator.number(below: history.count)
      var partial = Document()
      try partial.apply(history[..<count])
      heads.append(partial.heads)
      let past = try document.view(at: partial.heads)
      if try stateText(past) != stateText(partial.view) || past.json() != partial.view.json() {
        return "the past is another than it was"
      }
    }
    for old in heads {
      for new in heads {
        let view = try document.view(at: new)
        var tree = PatchedTree(try document.view(at: old))
        for patch in try document.difference(from: old, to: new) { tree.apply(patch, view) }
        if tree != PatchedTree(view) { return "patches from \(old) to \(new) lead elsewhere" }
      }
    }
    return nil
  }
}
