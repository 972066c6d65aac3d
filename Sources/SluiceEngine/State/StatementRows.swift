// Cursors whose rows are those of a statement of the pool.

/// The rows of one statement, which goes back to the pool with the cursor.
class StatementRows: VirtualCursor {
  let state: StateContext
  private(set) var statement: EngineStatement?
  private var sql = ""
  private var atEnd = true

  init(_ state: StateContext) { self.state = state }

  deinit { close() }

  /// Takes a statement, whose parameters are to be bound before `next`.
  final func begin(_ sql: String) throws(DatabaseError) -> EngineStatement {
    close()
    let statement = try state.pool.take(sql)
    self.sql = sql
    self.statement = statement
    return statement
  }

  final func close() {
    if let statement { state.pool.giveBack(statement, sql) }
    statement = nil
  }

  override func next() throws(DatabaseError) { atEnd = try !statement!.step() }
  override var isAtEnd: Bool { atEnd }

  override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
    result.set(statement!, number)
  }
}

/// The rows of a statement that a plan chooses. The plan's arguments are its parameters.
final class PlannedRows: StatementRows {
  private let choose: (TablePlan) -> String

  init(_ state: StateContext, _ choose: @escaping (TablePlan) -> String) {
    self.choose = choose
    super.init(state)
  }

  override func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {
    let statement = try begin(choose(plan))
    for (index, argument) in arguments.enumerated() {
      statement.bind(Int32(index + 1), argument)
    }
    try next()
  }
}
