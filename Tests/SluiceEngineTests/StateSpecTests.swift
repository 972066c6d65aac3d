// Protocol/STATE.md's tables of columns against those of the engine.

import SluiceSQL
import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct StateSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/STATE.md") }

  private func names(_ cell: String?) -> [String] {
    (cell ?? "").split(separator: " ").map { String($0) }
  }

  @Test func theTablesHaveTheColumnsThatTheTextTells() async throws {
    let database = try await MemoryEngine.open(options: .state)
    let rows = try spec.rows(under: "Virtual tables") + spec.rows(under: "Views")
    let told = rows.map { $0["table"] ?? $0["view"] ?? "" }
    #expect(told.sorted() == (StateTables.virtualTables + StateTables.views).sorted())
    for row in rows {
      let table = row["table"] ?? row["view"] ?? ""
      let result = try await database.exec("SELECT * FROM \"\(table)\" LIMIT 0", [])
      #expect(result.columns == names(row["columns"]), "\(table)")
    }
    try await database.close()
  }
}
