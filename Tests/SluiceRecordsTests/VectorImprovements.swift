// Where this storage answers otherwise than the original, and better. Protocol/RECORDS.md lists the
// same; nothing else may differ.

import SluiceRecords
import Testing

enum VectorImprovements {
  /// A correction is asked for with all that the store has of the value. The original leaves out
  /// sessions that it did not touch since its start, and has erased ones.
  static func isSame(
    known: RecordKnownState, as expected: RecordKnownState, stored: StoreTables.Value?
  ) -> Bool {
    guard let stored else { return known == expected }
    var all = RecordKnownState(known.id, hasHeader: true)
    for session in stored.sessions { all[RecordID(session.id)] = session.count }
    return known == all
      && expected.sessions.allSatisfy { all[$0.key] == $0.value || all[$0.key] == 0 }
  }

  /// A load announces the stored counters alone. The original announces sessions without transactions
  /// and erased ones, too.
  static func announced(_ expected: JSONValue, stored: StoreTables.Value?) -> JSONValue {
    let sessions = Set(stored?.sessions.map(\.id) ?? [])
    return .object((expected.object ?? [:]).filter { sessions.contains($0.key) })
  }

  /// A value is erased only if a delete session of it is stored, so that nobody takes it for a living
  /// one that lost its content. The steps behind are those of a value that is not erased.
  static func expectation(
    _ scenario: RecordVectors.Scenario, step: Int
  ) throws -> JSONValue? {
    guard scenario.name == "delete/gap-still-queues" else { return nil }
    switch step {
    case 5: return scenario.steps[3]["expect"]
    case 6:
      var content = try #require(scenario.steps[0]["msg"]?.object)
      content["$order"] = nil
      return ["events": .array([["content": .object(content)], ["done": .bool(true)]])]
    default: return nil
    }
  }
}
