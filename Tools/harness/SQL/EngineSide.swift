// A connection to the engine under test, as the comparison uses it. Confined to one thread.

internal import SluiceClient
internal import SluiceCommand
internal import SluiceSQL

final class EngineSide {
  let connection: SQLConnection
  private var cursors: [Int: SQLCursor] = [:]

  init(
    _ socket: String, path: String, options: SQLOpenOptions = [], busyMilliseconds: Int64 = 0
  ) throws(HarnessError) {
    let session: RingSession
    do throws(ConnectError) {
      session = try RingSession.connect(toSocket: zeroTerminated(socket))
    } catch { throw .failed("\(socket): \(error)") }
    do throws(SQLFailure) {
      connection = try SQLConnection(
        session, path: Array(path.utf8), mode: .either, options: options,
        busyMilliseconds: busyMilliseconds)
    } catch { throw .difference("open \(path): \(error.wording)") }
  }

  /// Does a statement and reads all its rows.
  func result(_ sql: String, _ values: [SQLValue] = []) throws(HarnessError) -> SQLResult {
    do throws(SQLFailure) {
      let cursor = try open(sql, values)
      var result = SQLResult(
        names: cursor.names, changes: cursor.changes, rowID: cursor.lastInsertedRowID)
      while try cursor.step() { result.rows.append(try EngineSide.row(of: cursor)) }
      result.isAutocommit = connection.isAutocommit
      return result
    } catch {
      return try refused(error, sql)
    }
  }

  private func refused(_ failure: SQLFailure, _ sql: String) throws(HarnessError) -> SQLResult {
    guard case .sqlite(let code, let message, _) = failure else {
      throw .difference("\(sql): \(failure.wording)")
    }
    return SQLResult(
      code: code, message: String(decoding: message, as: UTF8.self),
      isAutocommit: connection.isAutocommit)
  }

  func open(_ sql: String, _ values: [SQLValue] = []) throws(SQLFailure) -> SQLCursor {
    let text = Array(sql.utf8)
    let result = unsafe text.withUnsafeBytes { (text) -> Result<SQLCursor, SQLFailure> in
      do throws(SQLFailure) {
        return .success(try unsafe connection.execute(text, SQLValues(values: values)))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  static func row(of cursor: SQLCursor) throws(SQLFailure) -> [SQLValue] {
    var row: [SQLValue] = []
    for column in cursor.names.indices { row.append(SQLValue(try cursor.value(column))) }
    return row
  }

  // MARK: Cursors

  func openCursor(_ number: Int, _ sql: String, _ values: [SQLValue]) throws(HarnessError)
    -> SQLResult
  {
    do throws(SQLFailure) {
      let cursor = try open(sql, values)
      cursors[number] = cursor
      return SQLResult(names: cursor.names, isAutocommit: connection.isAutocommit)
    } catch { return try refused(error, sql) }
  }

  /// The next rows of a cursor; fewer behind its end.
  func read(_ number: Int, _ count: Int) throws(HarnessError) -> SQLResult {
    var result = SQLResult()
    do throws(SQLFailure) {
      guard let cursor = cursors[number] else { return result }
      while result.rows.count < count, try cursor.step() {
        result.rows.append(try EngineSide.row(of: cursor))
      }
    } catch { return try refused(error, "a cursor") }
    return result
  }

  func closeCursor(_ number: Int) { cursors.removeValue(forKey: number)?.close() }
}

extension SQLFailure {
  /// In one line, for people.
  var wording: String { "\(code): \(String(decoding: message, as: UTF8.self))" }
}
