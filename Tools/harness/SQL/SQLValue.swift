// Values and results of SQL, as both sides of a comparison have them.

internal import SluiceSQL
internal import SluiceWire

/// A real is its bits, because NaN is not equal to itself.
enum SQLValue: Equatable {
  case integer(Int64)
  case real(UInt64)
  case text([UInt8])
  case blob([UInt8])
  case null

  init(_ cell: SQLCell) {
    switch cell {
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value.bitPattern)
    case .text(let bytes): self = unsafe .text([UInt8](bytes))
    case .blob(let bytes): self = unsafe .blob([UInt8](bytes))
    // A cursor has read a far value.
    case .null, .farText, .farBlob: self = .null
    }
  }

  /// Short, for people.
  var text: String {
    switch self {
    case .integer(let value): "\(value)"
    case .real(let bits): "\(Double(bitPattern: bits))"
    case .text(let bytes):
      "text of \(bytes.count): \(String(decoding: bytes.prefix(30), as: UTF8.self))"
    case .blob(let bytes): "blob of \(bytes.count)"
    case .null: "NULL"
    }
  }
}

struct SQLValues: SQLParameterSource {
  var values: [SQLValue]

  var parameterCount: Int { values.count }

  func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R {
    switch values[index] {
    case .integer(let value): body(.integer(value))
    case .real(let bits): body(.real(Double(bitPattern: bits)))
    case .text(let text): unsafe text.withUnsafeBytes { unsafe body(.text($0)) }
    case .blob(let blob): unsafe blob.withUnsafeBytes { unsafe body(.blob($0)) }
    case .null: body(.null)
    }
  }
}

/// What a statement gave.
struct SQLResult: Equatable {
  var code: Int32 = 0
  var message = ""
  var names: [[UInt8]] = []
  var rows: [[SQLValue]] = []
  var changes: Int64 = 0
  var rowID: Int64 = 0
  var isAutocommit = true

  var text: String {
    if code != 0 { return "code \(code), \(message), autocommit \(isAutocommit)" }
    let first = rows.first.map { $0.map(\.text).joined(separator: " | ") } ?? ""
    return "\(rows.count) rows, \(names.count) columns, \(changes) changes, row id \(rowID),"
      + " autocommit \(isAutocommit); \(first)"
  }
}
