// Protocol/vectors/records.json: call sequences recorded from the original, with what it answered.

import Foundation
import TestSupport

struct RecordVectors: Sendable {
  struct Scenario: Sendable, CustomTestStringConvertible {
    var name: String
    /// The size of transactions behind which a signature is kept.
    var signatureInterval: UInt64?
    /// How far each erasure moves the clock.
    var eraseCost: Int64
    var steps: [JSONValue]

    var testDescription: String { name }
  }

  let scenarios: [Scenario]

  static let all = load()

  private static func load() -> RecordVectors {
    do {
      let file = repositoryFile("Protocol/vectors/records.json")
      let whole = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: file)).unpacked
      let scenarios = (whole["scenarios"]?.array ?? []).map { scenario in
        Scenario(
          name: scenario["name"]?.string ?? "",
          signatureInterval: scenario["maxRecommendedTxSize"]?.integer.map { UInt64($0) },
          eraseCost: scenario["eraseCostMs"]?.integer ?? 0,
          steps: scenario["steps"]?.array ?? [])
      }
      return RecordVectors(scenarios: scenarios)
    } catch {
      fatalError("Protocol/vectors/records.json: \(error)")
    }
  }
}
