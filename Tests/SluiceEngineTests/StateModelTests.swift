// Random steps against the model of the state. SLUICE_STATE_STEPS and SLUICE_STATE_SEED make long
// runs and repeat one.

import Foundation
import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateModelTests {
  private static let steps =
    ProcessInfo.processInfo.environment["SLUICE_STATE_STEPS"].flatMap { Int($0) } ?? 300
  private static let seed =
    ProcessInfo.processInfo.environment["SLUICE_STATE_SEED"].flatMap { UInt64($0) }

  @Test(arguments: [EngineKind.memory, .local])
  func randomStepsAreAsTheModelSays(kind: EngineKind) async throws {
    // One history becomes long, so a long run has several.
    for round in 0..<max(1, Self.steps / 300) {
      let seed = Self.seed ?? UInt64.random(in: 1 ... .max)
      let workshop = try EngineWorkshop(kind)
      var databases = [try await workshop.open(options: .state, busyTimeout: .zero)]
      if kind == .local {
        databases.append(try await workshop.open(options: .state, busyTimeout: .zero))
      }
      var run = StateModelRun(seed: seed, databases)
      for step in 0..<min(300, Self.steps) {
        do { try await run.step() } catch {
          Issue.record(
            "seed \(seed), round \(round), step \(step): \(error)\n\(run.log.suffix(14).joined(separator: "\n"))"
          )
          return
        }
      }
      for database in databases { try await database.close(rollingBack: true) }
    }
  }
}
