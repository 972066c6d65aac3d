// Protocol/DOCUMENTS.md against the code, so that its tables cannot drift.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct DocumentsSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/DOCUMENTS.md") }

  @Test func theRefusalsAreThoseOfTheCode() throws {
    let codes = try spec.rows(under: "Refusals").compactMap { $0["code"] }
    #expect(Set(codes) == Set(TransactionReceipt.Code.allCases.map(\.rawValue)))
    #expect(codes.count == TransactionReceipt.Code.allCases.count)
  }

  @Test func theTablesAreThoseOfTheFile() throws {
    let fixture = try SpaceFixture()
    let space = try fixture.space()
    let tables = try space.readers.read {
      (connection) throws(DatabaseError) -> [String: [String]] in
      var tables: [String: [String]] = [:]
      try connection.query(
        """
        SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' ORDER BY m.name, c.cid
        """
      ) { row in
        tables[row.text(0), default: []].append(row.text(1))
        return true
      }
      return tables
    }
    let rows = try spec.rows(under: "Tables")
    #expect(Set(rows.compactMap { $0["table"] }) == Set(tables.keys))
    for row in rows {
      let text = (row["key"] ?? "") + " " + (row["columns"] ?? "")
      for column in tables[row["table"] ?? ""] ?? [] {
        let isNamed = text.contains(column) || column.hasPrefix("origin_")
        #expect(isNamed, "\(row["table"] ?? "").\(column)")
      }
    }
  }

  @Test func theSettingsAreThoseOfTheCode() throws {
    guard case .map(let members) = SpaceSettings().value else {
      Issue.record("settings are no object")
      return
    }
    let rows = try spec.rows(under: "Settings")
    #expect(rows.map { $0["setting"] } == members.map(\.key))
    #expect(rows.map { $0["default"] } == members.map(\.value.json))
  }
}
