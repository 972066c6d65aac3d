// How `sluice sql` shows rows: as a table for people, or for programs as lines, CSV or JSON.

internal import CSluice
internal import SluiceCommand
internal import SluiceSQL

enum RowForm: Sendable {
  /// Columns of equal width. The widths are those of the first rows.
  case table
  /// Values with "|" between them, as the `sqlite3` shell shows them.
  case lines
  /// RFC 4180.
  case csv
  /// An array of objects for each statement. Blobs are texts of hexadecimal digits.
  case json
}

struct RowPrinter {
  let form: RowForm
  private let columns: [String]
  /// The rows of a table whose widths are not known yet.
  private var kept: [[SQLValue]] = []
  private var widths: [Int] = []
  private var rowCount = 0
  private static let keptCountMaximum = 1000

  init(_ form: RowForm, columns: [String]) {
    self.form = form
    self.columns = columns
    switch form {
    case .csv: print(columns.map(csv).joined(separator: ","))
    case .json, .table, .lines: break
    }
  }

  mutating func row(_ values: [SQLValue]) {
    switch form {
    case .lines: print(values.map { plain($0) }.joined(separator: "|"))
    case .csv: print(values.map { csv(plain($0)) }.joined(separator: ","))
    case .json: print((rowCount == 0 ? "[" : ",\n ") + object(values), terminator: "")
    case .table:
      kept.append(values)
      if kept.count > Self.keptCountMaximum || !widths.isEmpty { printKept() }
    }
    rowCount += 1
  }

  mutating func end() {
    switch form {
    case .lines, .csv: break
    case .json: print(rowCount == 0 ? "[]" : "]")
    case .table: if !kept.isEmpty || widths.isEmpty { printKept() }
    }
  }

  // MARK: Tables

  private mutating func printKept() {
    let rows = kept.map { $0.map(shown) }
    if widths.isEmpty {
      widths = columns.indices.map { column in
        max(columns[column].count, rows.map { $0[column].count }.max() ?? 0)
      }
      print(line(columns, isNumber: columns.map { _ in false }))
      print(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "))
    }
    for (row, values) in zip(rows, kept) {
      print(
        line(
          row,
          isNumber: values.map { value in
            switch value {
            case .integer, .real: true
            case .text, .blob, .null: false
            }
          }))
    }
    kept = []
  }

  private func line(_ texts: [String], isNumber: [Bool]) -> String {
    var line = ""
    for (column, text) in texts.enumerated() {
      let padding = String(repeating: " ", count: max(0, widths[column] - text.count))
      line += (column > 0 ? "  " : "") + (isNumber[column] ? padding + text : text + padding)
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  /// A value in one line, without anything that moves the cursor.
  private func shown(_ value: SQLValue) -> String {
    switch value {
    case .null: "NULL"
    case .blob(let bytes) where bytes.count > 32:
      "x'\(hex(bytes.prefix(32)))…' (\(bytes.count) bytes)"
    case .blob(let bytes): "x'\(hex(bytes[...]))'"
    case .text(let text):
      String(
        String.UnicodeScalarView(
          text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "·" : $0 }))
    case .integer, .real: plain(value)
    }
  }

  // MARK: For programs

  private func plain(_ value: SQLValue) -> String {
    switch value {
    case .integer(let number): "\(number)"
    case .real(let number): "\(number)"
    case .text(let text): text
    case .blob(let bytes): hex(bytes[...])
    case .null: ""
    }
  }

  private func csv(_ text: String) -> String {
    guard text.contains(where: { ",\"\r\n".contains($0) || $0.isNewline }) else { return text }
    return "\""
      + text.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }

  private func object(_ values: [SQLValue]) -> String {
    JSON.object(
      zip(columns, values).map { name, value in
        let json: JSON =
          switch value {
          case .integer(let number): .integer(number)
          case .real(let number): .number(number)
          case .text(let text): .text(text)
          case .blob(let bytes): .text(hex(bytes[...]))
          case .null: .null
          }
        return (name, json)
      }
    ).written()
  }

  private func hex(_ bytes: ArraySlice<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
