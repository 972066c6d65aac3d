// One scenario of the vectors, step by step, on a store of its own.

import EngineTestSupport
import SluiceRecords
import SluiceSystem
import Testing

@testable import SluiceEngine

final class VectorRun {
  let scenario: RecordVectors.Scenario
  let store: VectorStore
  private(set) var storage: RecordStorage
  private let errorCount = FutexLock(0)
  private let resolved = FutexLock<[String]>([])
  private var waiting: [String: (id: RecordID, state: FutexLock<RecordKnownState>)] = [:]

  init(_ scenario: RecordVectors.Scenario, on engine: EnginePlace) async throws {
    self.scenario = scenario
    store = try VectorStore(engine, eraseCost: scenario.eraseCost)
    storage = try await Self.open(store, scenario, errorCount)
  }

  private static func open(
    _ store: VectorStore, _ scenario: RecordVectors.Scenario, _ errorCount: FutexLock<Int>
  ) async throws -> RecordStorage {
    var options = RecordOpenOptions()
    if let interval = scenario.signatureInterval { options.signatureInterval = interval }
    return try await store.open(options) { (level, _) in
      if level == .error { errorCount.withLock { $0 += 1 } }
    }
  }

  // MARK: Steps

  /// Does a step. What it gave that no expectation has; nil if all is as expected.
  func difference(inStep index: Int) async throws -> String? {
    let step = scenario.steps[index]
    let expected = try VectorImprovements.expectation(scenario, step: index) ?? step["expect"]
    // The layout of loads is that of the asynchronous engine throughout.
    let isLoad = step["op"] == "load" || step["op"] == "loadAll"
    let expectations = [expected, isLoad ? nil : step["expectSync"]].compactMap { $0 }
    resolved.withLock { $0 = [] }
    errorCount.withLock { $0 = 0 }
    let check = try await perform(step)
    var differences: [String] = []
    for expected in expectations.isEmpty ? [[:]] : expectations {
      guard let difference = try check(expected) ?? resolution(expected) else { return nil }
      differences.append(difference)
    }
    return differences.joined(separator: "; ")
  }

  private func resolution(_ expected: JSONValue) -> String? {
    let labels = resolved.withLock { $0.sorted() }
    let wanted = expected["resolved"]?.strings ?? []
    return labels == wanted.sorted() ? nil : "resolved \(labels), not \(wanted)"
  }

  /// Compares what a step gave with an expectation; nil if they are the same.
  private typealias Check = (_ expected: JSONValue) throws -> String?

  private func perform(_ step: JSONValue) async throws -> Check {
    let name = step["op"]?.string ?? ""
    switch name {
    case "store", "parallelStores": return try await performStores(step)
    case "load", "loadAll":
      let ids = try step["ids"]?.strings ?? [try #require(step["id"]?.string)]
      let loads = await perform(ids)
      let tables = try store.tables
      let order = step["expectSync"]?["events"]?.array
      return { expected in
        let events = try #require(expected["events"]?.array)
        return try LoadJudgement(events, depthFirst: order, tables).difference(loads)
      }
    case "loadKnownState":
      let state = await storage.loadKnownState(of: try id(step))
      return { try Self.difference(state, $0["knownState"]) }
    case "getKnownState":
      let state = storage.knownState(of: try id(step))
      return { try Self.difference(state, $0["knownState"]) }
    case "inspect":
      _ = await storage.count()
      let tables = try store.tables.vector
      return { Self.difference(tables, $0) }
    case "waitForSync", "coValueUpdate", "onCoValueUnmounted":
      try performWait(name, step)
    case "trackCoValuesSyncState":
      let isDone = await storage.trackSyncState(try updates(step))
      return { isDone == $0["done"]?.bool ? nil : "done: \(isDone)" }
    case "getUnsyncedCoValueIDs":
      let ids = await storage.unsyncedIDs()?.map { JSONValue.string($0.description) }
      return { ids == $0["ids"]?.array ? nil : "\(ids ?? [])" }
    case "stopTrackingSyncState": storage.stopTrackingSyncState(of: try id(step))
    case "markDeleteAsValid": storage.markDeleteAsValid(try id(step))
    case "enableDeletedCoValuesErasure": storage.enableErasure()
    case "eraseAllDeletedCoValues": await storage.eraseDeletedValues()
    case "advance": await advance(try #require(step["ms"]?.integer))
    case "close":
      await storage.close()
    case "reopen": storage = try await Self.open(store, scenario, errorCount)
    case "injectTransaction": try inject(step)
    default: return try Self.pureCheck(step, name)
    }
    return { _ in nil }
  }

  private func id(_ step: JSONValue) throws -> RecordID {
    RecordID(try #require(step["id"]?.string))
  }

  private static func difference(_ state: RecordKnownState?, _ expected: JSONValue?) throws
    -> String?
  {
    let wanted = expected == .null ? nil : try RecordKnownState(vector: try #require(expected))
    return state == wanted ? nil : "\(String(describing: state))"
  }

  private static func difference(_ tables: JSONValue, _ expected: JSONValue) -> String? {
    func sorted(_ value: JSONValue?) -> [String] {
      (value?.array ?? []).map { "\($0)" }.sorted()
    }
    for (name, value) in tables.object ?? [:] where name != "deleted" && name != "unsynced" {
      if value != expected[name] { return "\(name): \(value)" }
    }
    for name in ["deleted", "unsynced"] where sorted(tables[name]) != sorted(expected[name]) {
      return "\(name): \(sorted(tables[name]))"
    }
    return nil
  }

  private func updates(_ step: JSONValue) throws -> [RecordSyncUpdate] {
    try #require(step["updates"]?.array).map { update in
      RecordSyncUpdate(
        id: Array(try #require(update["id"]?.string).utf8),
        peer: Array(try #require(update["peerId"]?.string).utf8),
        isSynced: try #require(update["synced"]?.bool as Bool?))
    }
  }

  private func inject(_ step: JSONValue) throws {
    try StoreTables.inject(
      try #require(step["tx"]).text, at: UInt32(try #require(step["idx"]?.integer)),
      of: try #require(step["session"]?.string), try #require(step["id"]?.string),
      path: store.path)
  }

  /// Moves the clock in small steps, and lets the engine do what is due. All calls before were done
  /// at the old time: the engine counts from then.
  private func advance(_ milliseconds: Int64) async {
    _ = await storage.count()
    var rest = milliseconds
    while rest > 0 {
      let step = min(rest, 10)
      store.clock.advance(step)
      _ = await storage.count()
      rest -= step
    }
  }

  // MARK: Waiting

  private func performWait(_ name: String, _ step: JSONValue) throws {
    guard name != "onCoValueUnmounted" else { return storage.unmount(try id(step)) }
    let label = try #require(step["label"]?.string)
    let state = try RecordKnownState(vector: try #require(step["coValue"]))
    if name == "coValueUpdate" {
      let waiter = try #require(waiting[label])
      waiter.state.withLock { $0 = state }
      storage.noteChange(of: waiter.id)
    } else {
      let current = FutexLock(state)
      waiting[label] = (try id(step), current)
      storage.waitForSync(try id(step), current: { current.withLock { $0 } }) {
        [resolved] isInSync in
        if isInSync { resolved.withLock { $0.append(label) } }
      }
    }
  }

  // MARK: Stores

  private struct StoreResult: Sendable {
    var corrections: [(known: RecordKnownState, stored: StoreTables.Value?)] = []
    var isDone = false
    var didEnd = false
  }

  private struct StoreResults: Sendable {
    var stores: [StoreResult]
    var events: [(isCorrection: Bool, index: Int)] = []
  }

  private func performStores(_ step: JSONValue) async throws -> Check {
    let isParallel = step["stores"] != nil
    let wanted = step["stores"]?.array ?? [step]
    let expected = step["expect"]
    let answers = isParallel ? expected?["stores"]?.array ?? [] : [expected ?? [:]]
    let results = FutexLock(StoreResults(stores: wanted.map { _ in StoreResult() }))
    for (index, store) in wanted.enumerated() {
      let returned = try (answers[index]["corrections"]?.array ?? []).map { correction in
        try correction["returned"]?.array.map { try $0.map { try RecordMessage(vector: $0) } }
      }
      submit(
        try RecordMessage(vector: try #require(store["msg"])), index, returned: returned, results)
    }
    if step["thenClose"]?.bool == true {
      await storage.close()
    }
    while !results.withLock({ $0.stores.allSatisfy(\.didEnd) }) { await Task.yield() }
    let found = results.withLock { $0 }
    let errorCount = errorCount.withLock { $0 }
    return { expected in
      if Int64(errorCount) != expected["errorsLogged"]?.integer ?? 0 {
        return "\(errorCount) errors logged"
      }
      if isParallel, let difference = Self.difference(found.events, expected) { return difference }
      for (index, result) in found.stores.enumerated() {
        let wanted = isParallel ? try #require(expected["stores"]?.array)[index] : expected
        if let difference = try Self.difference(result, wanted) { return difference }
      }
      return nil
    }
  }

  private func submit(
    _ message: RecordMessage, _ index: Int, returned: [[RecordMessage]?],
    _ results: FutexLock<StoreResults>
  ) {
    let path = store.path
    storage.store(message) { known in
      let tables = try? StoreTables(path: path)
      return results.withLock { results in
        let count = results.stores[index].corrections.count
        results.stores[index].corrections.append(
          (known, tables?.value(known.id.description)))
        results.events.append((true, index))
        return count < returned.count ? returned[count] : nil
      }
    } done: { isDone in
      results.withLock { results in
        results.stores[index].isDone = isDone
        results.stores[index].didEnd = true
        if isDone { results.events.append((false, index)) }
      }
    }
  }

  private static func difference(
    _ events: [(isCorrection: Bool, index: Int)], _ expected: JSONValue
  ) -> String? {
    let wanted = (expected["events"]?.array ?? []).map { event in
      event["correction"]?.integer.map { "correction \($0)" }
        ?? "done \(event["done"]?.integer ?? -1)"
    }
    let found = events.map { "\($0.isCorrection ? "correction" : "done") \($0.index)" }
    return found == wanted ? nil : "\(found)"
  }

  private static func difference(_ result: StoreResult, _ expected: JSONValue) throws -> String? {
    if result.isDone != expected["done"]?.bool { return "done: \(result.isDone)" }
    let wanted = try #require(expected["corrections"]?.array)
    if wanted.count != result.corrections.count { return "\(result.corrections.count) corrections" }
    for (correction, wanted) in zip(result.corrections, wanted) {
      let state = try RecordKnownState(vector: try #require(wanted["known"]))
      if !VectorImprovements.isSame(
        known: correction.known, as: state, stored: correction.stored)
      {
        return "corrected with \(correction.known)"
      }
    }
    return nil
  }

  // MARK: Loads

  private func perform(_ ids: [String]) async -> VectorLoads {
    let loads = FutexLock(VectorLoads(ids))
    for (index, id) in ids.enumerated() {
      storage.load(RecordID(id)) { message in
        loads.withLock { $0.messages.append((index, message)) }
      } done: { isFound in
        loads.withLock { $0.areFound[index] = isFound }
      }
    }
    while loads.withLock({ $0.areFound.contains(nil) }) { await Task.yield() }
    return loads.withLock { $0 }
  }

  // MARK: Pure

  private static func pureCheck(_ step: JSONValue, _ name: String) throws -> Check {
    let value: JSONValue
    switch name {
    case "combine":
      var state = try RecordKnownState(vector: try #require(step["target"]))
      state.merge(try RecordKnownState(vector: try #require(step["source"])))
      return { try Self.difference(state, $0["value"]) }
    case "inSync":
      let current = try RecordKnownState(vectorSessions: try #require(step["current"]))
      let target = try RecordKnownState(vectorSessions: try #require(step["target"]))
      value = .bool(current.isInSync(with: target))
    case "peerHasAll":
      let storage = try RecordKnownState(vector: try #require(step["storage"]))
      let peer = step["peer"].flatMap { $0 == .null ? nil : $0 }
      value = .bool(storage.isAll(with: try peer.map { try RecordKnownState(vector: $0) }))
    case "isDeleteSession":
      let session = Array(try #require(step["session"]?.string).utf8)
      value = .bool(RecordNames.isDeleteSession(session))
    case "priority":
      let text = try #require(step["header"]).text
      value = .integer(Int64(RecordHeader(text)?.priority ?? 3))
    default: return { _ in "the step \(name) is not known" }
    }
    return { value == $0["value"] ? nil : "\(value)" }
  }
}
