// Statements and batches, done in the engine's thread.

internal import SluiceWire

extension EngineWorkplace {
  /// Does one statement and reads all its rows.
  func exec(
    _ sql: String, _ parameters: [SQLValue], deadlineMilliseconds: UInt32 = 0
  ) throws(SQLError) -> SQLResult {
    do throws(SQLFailure) {
      let cursor = try open(sql, parameters, deadlineMilliseconds: deadlineMilliseconds)
      defer { cursor.close() }
      var result = SQLResult()
      result.changes = cursor.changes
      result.lastInsertedRowID = cursor.lastInsertedRowID
      try result.read(cursor)
      result.isInTransaction = !connection.isAutocommit
      return result
    } catch {
      throw SQLError(error, isInTransaction: !connection.isAutocommit)
    }
  }

  /// Does one statement, whose rows are read later.
  func open(
    _ sql: String, _ parameters: [SQLValue], deadlineMilliseconds: UInt32 = 0
  ) throws(SQLFailure) -> SQLCursor {
    // A statement that fails may have written all the same.
    var hasWritten = true
    defer { if hasWritten { self.hasWritten = true } }
    let cursor = try unsafe withBytes(of: Array(sql.utf8)) { (sql) throws(SQLFailure) in
      try unsafe connection.execute(
        sql, SQLValues(values: parameters), deadlineMilliseconds: deadlineMilliseconds)
    }
    hasWritten = !cursor.onlyReads
    return cursor
  }

  /// Does the steps as `SQLConnection.batch` does, and reads all rows.
  func batch(_ steps: [SQLStep], isAtomic: Bool) throws(SQLError) -> [SQLResult] {
    // A batch that fails may have written all the same.
    var onlyReads = false
    defer { if !onlyReads { hasWritten = true } }
    var results: [SQLResult] = []
    do throws(SQLBatchFailure) {
      var allRead = true
      try connection.batch(EngineSteps(steps: steps), isAtomic: isAtomic) {
        (_, step) throws(SQLFailure) in
        results.append(try result(of: step))
        allRead = allRead && step.onlyReads
      }
      onlyReads = allRead
      return results
    } catch {
      var failure = SQLError(error.failure, isInTransaction: !connection.isAutocommit)
      if error.stepIndex < steps.count { failure.statementIndex = error.stepIndex }
      throw failure
    }
  }

  private func result(of step: SQLStepResult) throws(SQLFailure) -> SQLResult {
    var result = SQLResult()
    result.changes = step.changes
    result.lastInsertedRowID = step.lastInsertedRowID
    if let cursor = step.cursor {
      defer { cursor.close() }
      try result.read(cursor)
    }
    result.isInTransaction = !connection.isAutocommit
    return result
  }
}

private struct EngineSteps: SQLBatchSteps {
  let steps: [SQLStep]
  var stepCount: Int { steps.count }
  var none: SQLValues { SQLValues(values: []) }

  func withStep<R, E: Error>(
    _ index: Int, _ body: (UnsafeRawBufferPointer, SQLValues) throws(E) -> R
  ) throws(E) -> R {
    try unsafe withBytes(of: Array(steps[index].sql.utf8)) { (sql) throws(E) in
      try unsafe body(sql, SQLValues(values: steps[index].parameters))
    }
  }
}

extension SQLResult {
  /// Takes all rows of a cursor.
  fileprivate mutating func read(_ cursor: SQLCursor) throws(SQLFailure) {
    columns = cursor.columnNames
    while let row = try cursor.nextRow(columns) { rows.append(row) }
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
