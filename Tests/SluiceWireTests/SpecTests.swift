// Protocol/SPEC.md against the code, so that its tables of codes, names, types and arguments cannot
// drift.

import SluiceWire
import TestSupport
import Testing

@Suite struct SpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument() }

  /// Compares the two columns of a table with the code's values, in the code's order.
  private func expect(
    _ heading: String, column: String, equals expected: [(value: UInt64, name: String)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = try spec.rows(under: heading)
    #expect(
      rows.map { $0["name"] } == expected.map(\.name), "\(heading)",
      sourceLocation: sourceLocation)
    #expect(
      rows.map { number($0[column]) } == expected.map(\.value), "\(heading)",
      sourceLocation: sourceLocation)
  }

  @Test func theOperationsAreThoseOfTheCode() throws {
    try expect(
      "Operation codes", column: "code",
      equals: Operation.allCases.map { (UInt64($0.rawValue), "\($0)") })
  }

  @Test func theOperationsNameAFileWhereTheCodeSaysSo() throws {
    for row in try spec.rows(under: "Operation codes") {
      let operation = try Operation(named: row["name"]!)
      #expect(row["file"] == (operation.needsFile ? "yes" : ""), "\(operation)")
    }
  }

  @Test func theOperationsHaveTheArgumentsOfTheCode() throws {
    for row in try spec.rows(under: "Operation codes") {
      let operation = try Operation(named: row["name"]!)
      #expect(fields(row["request"]).map(\.type) == operation.request.types, "\(operation)")
      #expect(fields(row["reply"]).map(\.type) == operation.reply.types, "\(operation)")
    }
  }

  @Test func theRequestsWithoutArgumentsAreThoseOfTheCode() {
    for operation in Operation.allCases {
      #expect(operation.hasNoArguments == operation.request.types.isEmpty, "\(operation)")
    }
  }

  @Test func theArgumentsAreNamedAsInTheVectors() throws {
    let vectors = try loadVectors("operations", as: OperationVectors.self).accepted
    for row in try spec.rows(under: "Operation codes") {
      for vector in vectors where vector.operation == row["name"] {
        let names = fields(row[vector.message]).map(\.name)
        #expect(vector.fields.map(\.name) == names, "\(vector.operation): \(vector.name)")
      }
    }
  }

  @Test func theOperationsStatusesExist() throws {
    for row in try spec.rows(under: "Operation codes") {
      let names = row["statuses"]!.split(separator: " ").map(String.init)
      let statuses = try names.map { try Status(named: $0) }
      #expect(statuses.first == .done)
      #expect(statuses.map(\.rawValue) == statuses.map(\.rawValue).sorted())
      #expect(!statuses.contains { $0.rawValue >= Status.wrongVersion.rawValue })
    }
  }

  @Test func theStatusesAreThoseOfTheCode() throws {
    try expect(
      "Status numbers", column: "number",
      equals: Status.allCases.map { (UInt64($0.rawValue), "\($0)") })
    for status in Status.allCases { #expect(status.isDone == (status.rawValue < 16)) }
  }

  @Test func theArgumentTypesAreThoseOfTheCode() throws {
    try expect(
      "Argument types", column: "type",
      equals: ArgumentType.allCases.map { (UInt64($0.rawValue), "\($0)") })
  }

  @Test func theArgumentErrorsAreThoseOfTheCode() throws {
    let names = try spec.rows(under: "Argument errors").map { $0["error"] }
    #expect(names == WireError.allCases.map { "\($0)" })
  }

  @Test func theChoicesAreThoseOfTheCode() throws {
    try expect(
      "File kinds", column: "value", equals: FileKind.allCases.map { ($0.rawValue, "\($0)") })
    try expect(
      "Access modes", column: "value", equals: AccessMode.allCases.map { ($0.rawValue, "\($0)") })
    try expect(
      "Lock levels", column: "value", equals: LockLevel.allCases.map { ($0.rawValue, "\($0)") })
    try expect(
      "WAL lock kinds", column: "value",
      equals: WALLockKind.allCases.map { ($0.rawValue, "\($0)") })
    try expect(
      "Open options", column: "value",
      equals: [
        (OpenOptions.readWrite.rawValue, "readWrite"), (OpenOptions.create.rawValue, "create"),
        (OpenOptions.exclusive.rawValue, "exclusive"),
        (OpenOptions.deleteOnClose.rawValue, "deleteOnClose"),
        (OpenOptions.deleteBeforeOpen.rawValue, "deleteBeforeOpen"),
        (OpenOptions.unlockAsSoonAsPossible.rawValue, "unlockAsSoonAsPossible"),
        (OpenOptions.standingLocks.rawValue, "standingLocks"),
      ])
  }

  @Test func noOtherOpenOptionIsAccepted() throws {
    let known = try spec.rows(under: "Open options").compactMap { number($0["value"]) }
    for bit in 0..<64 {
      let arguments: [Argument] = [
        .null, .unsigned(5), .unsigned(1 << bit), .bigint(-1), .unsigned(0),
      ]
      let error = wireError { () throws(WireError) in
        try Operation.open.request.encode(arguments, .littleEndian)
      }
      #expect(error == (known.contains(1 << bit) ? nil : .outOfRange), "bit \(bit)")
    }
  }

  /// "path bytes kind unsigned" as pairs.
  private func fields(_ cell: String?) -> [(name: String, type: String)] {
    let words = (cell ?? "").split(separator: " ").map(String.init)
    return stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
  }
}
