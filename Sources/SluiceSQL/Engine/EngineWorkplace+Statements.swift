// Statements and batches, done in the engine's thread.

internal import SluiceWire

extension EngineWorkplace {
  /// Does one statement and reads all its rows.
  func exec(
    _ sql: String, _ parameters: [SQLValue], options: SQLExecutionOptions = [],
    deadlineMilliseconds: UInt32 = 0
  ) throws(SQLError) -> SQLResult {
    do throws(SQLFailure) {
      let cursor = try open(
        sql, parameters, options: options, deadlineMilliseconds: deadlineMilliseconds)
      defer { cursor.close() }
      var result = SQLResult()
      result.columns = cursor.columnNames
      result.changes = cursor.changes
      result.lastInsertedRowID = cursor.lastInsertedRowID
      while let row = try cursor.nextRow(result.columns) { result.rows.append(row) }
      result.isInTransaction = !connection.isAutocommit
      return result
    } catch {
      throw SQLError(error, isInTransaction: !connection.isAutocommit)
    }
  }

  /// Does one statement, whose rows are read later.
  func open(
    _ sql: String, _ parameters: [SQLValue], options: SQLExecutionOptions = [],
    deadlineMilliseconds: UInt32 = 0
  ) throws(SQLFailure) -> SQLCursor {
    // A statement that fails may have written all the same.
    var hasWritten = true
    defer { if hasWritten { self.hasWritten = true } }
    let cursor = try unsafe withBytes(of: Array(sql.utf8)) { (sql) throws(SQLFailure) in
      try unsafe connection.execute(
        sql, SQLValues(values: parameters), options, deadlineMilliseconds: deadlineMilliseconds)
    }
    hasWritten = !cursor.onlyReads
    return cursor
  }

  /// Stops at the first step that fails; those before it stay done.
  func batch(
    _ steps: [SQLStep], options: SQLExecutionOptions = []
  ) throws(SQLError) -> [SQLResult] {
    var results: [SQLResult] = []
    for (index, step) in steps.enumerated() {
      do throws(SQLError) {
        results.append(try exec(step.sql, step.parameters, options: options))
      } catch {
        var error = error
        error.statementIndex = index
        throw error
      }
    }
    return results
  }

  /// All steps, or none.
  func atomicBatch(_ steps: [SQLStep]) throws(SQLError) -> [SQLResult] {
    let savepoint = "\"sluice batch\""
    _ = try exec("SAVEPOINT \(savepoint)", [])
    do throws(SQLError) {
      let results = try batch(steps, options: .inBatch)
      _ = try exec("RELEASE \(savepoint)", [])
      return results
    } catch {
      var error = error
      // Some errors make SQLite roll back everything by itself.
      if !connection.isAutocommit {
        for undo in ["ROLLBACK TO \(savepoint)", "RELEASE \(savepoint)"] { _ = try exec(undo, []) }
      }
      error.isInTransaction = !connection.isAutocommit
      throw error
    }
  }
}

extension SQLCursor {
  var columnNames: [String] { names.map { String(decoding: $0, as: UTF8.self) } }

  /// The next row, copied; nil behind the last.
  package func nextRow(_ columns: [String]) throws(SQLFailure) -> SQLRow? {
    guard try step() else { return nil }
    var values: [SQLValue] = []
    values.reserveCapacity(columns.count)
    for column in columns.indices { values.append(SQLValue(try value(column))) }
    return SQLRow(columns: columns, values: values)
  }
}
