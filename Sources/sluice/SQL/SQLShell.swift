// The statements of `sluice sql`: given as words, read from a file, or typed at a prompt.

internal import CSluice
internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceSQL
internal import SluiceSystem

final class SQLShell {
  private let connection: SQLConnection
  private var form: RowForm
  private var tellsTime: Bool

  init(_ connection: SQLConnection, _ form: RowForm, tellsTime: Bool) {
    self.connection = connection
    self.form = form
    self.tellsTime = tellsTime
  }

  /// Does every statement of a text; false if one failed, which ends it.
  func run(_ script: String) -> Bool {
    var rest = Array(script.utf8)[...]
    do throws(SQLFailure) {
      while !rest.isEmpty { rest = rest.dropFirst(try runFirst(rest)) }
      return true
    } catch {
      tell(error)
      return false
    }
  }

  /// Reads statements at a prompt until the end of the input.
  func runAtPrompt() {
    print("Statements end with \";\". \".help\" tells the rest.")
    var text = ""
    while true {
      print(text.isEmpty ? "sluice> " : "   ...> ", terminator: "")
      flushStandardOutput()
      guard let line = readLine(strippingNewline: false) else {
        print("")
        return
      }
      if text.isEmpty, line.hasPrefix(".") {
        if !obey(line.split(whereSeparator: \.isWhitespace).map(String.init)) { return }
        continue
      }
      text += line
      guard text.reversed().first(where: { !$0.isWhitespace }).map({ $0 == ";" }) ?? true else {
        continue
      }
      text = doneOfTyped(text)
    }
  }

  /// Does what is complete of a typed text, and returns the rest.
  private func doneOfTyped(_ text: String) -> String {
    var rest = Array(text.utf8)[...]
    do throws(SQLFailure) {
      while !rest.isEmpty { rest = rest.dropFirst(try runFirst(rest)) }
    } catch .sqlite(_, Array("incomplete input".utf8), _) {
      return String(decoding: rest, as: UTF8.self)
    } catch {
      tell(error)
    }
    return ""
  }

  // MARK: One statement

  /// Does the first statement and shows its rows. Returns how many bytes of the text it was.
  private func runFirst(_ text: ArraySlice<UInt8>) throws(SQLFailure) -> Int {
    let start = Clock.monotonicNanoseconds()
    let cursor = try connection.open(text, options: .firstOnly)
    let columns = cursor.names.map { String(decoding: $0, as: UTF8.self) }
    if !columns.isEmpty {
      var printer = RowPrinter(form, columns: columns)
      while let row = try cursor.nextRow(columns) { printer.row(row.values) }
      printer.end()
    }
    if tellsTime {
      let microseconds = Double(Clock.monotonicNanoseconds() - start) / 1000
      printError("\(microseconds.rounded() / 1000) ms, \(cursor.changes) changed")
    }
    return cursor.tail == 0 ? text.count : cursor.tail
  }

  private func tell(_ failure: SQLFailure) {
    var text = "sluice: sql: " + String(decoding: failure.message, as: UTF8.self)
    if case .sqlite(_, _, let offset) = failure, offset >= 0 { text += " (at byte \(offset))" }
    printError(text)
  }

  // MARK: Words of the shell

  /// False at the end.
  private func obey(_ words: [String]) -> Bool {
    switch (words.first ?? "", words.dropFirst().first) {
    case (".quit", nil), (".exit", nil): return false
    case (".timer", "on"): tellsTime = true
    case (".timer", "off"): tellsTime = false
    case (".mode", "table"): form = .table
    case (".mode", "lines"): form = .lines
    case (".mode", "csv"): form = .csv
    case (".mode", "json"): form = .json
    case (".tables", nil):
      _ = run(
        "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view')"
          + " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
    case (".schema", nil):
      _ = run("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    default:
      print(
        """
        .tables                      the names of tables and views
        .schema                      the statements that made them
        .mode table|lines|csv|json   how rows are shown
        .timer on|off                tell how long each statement took
        .quit                        end
        """)
    }
    return true
  }
}

extension SQLConnection {
  fileprivate func open(
    _ text: ArraySlice<UInt8>, options: SQLExecutionOptions
  ) throws(SQLFailure) -> SQLCursor {
    let result = unsafe text.withUnsafeBytes { bytes -> Result<SQLCursor, SQLFailure> in
      do throws(SQLFailure) {
        return .success(try unsafe execute(bytes, NoParameters(), options))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
