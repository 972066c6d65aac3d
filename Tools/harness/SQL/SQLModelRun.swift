// sluice-harness sql model: some connections to the engine do random statements, and as many
// connections of SQLite in this process do the same ones. Every answer must be equal.
//
// One thread does all of them, in an order that the seed decides. Two databases are shared by all,
// so locks of others are met, too.

internal import SluiceSystem
internal import ToolSupport

struct SQLModelRun {
  let parameters: HarnessParameters
  let sessions: Int
  let operations: Int
  let hasCanary: Bool
  let stop: StopRequest

  struct Outcome {
    var operations = 0
    var refused = 0
    var rows = 0
    var cursors = 0
  }

  private final class Pair {
    let engine: EngineSide
    let stock: StockSide
    var cursor: Int?

    init(_ engine: EngineSide, _ stock: StockSide) {
      self.engine = engine
      self.stock = stock
    }
  }

  func run() throws(HarnessError) -> Outcome {
    try HarnessEngine.use(below: parameters.directory) { (engine) throws(HarnessError) in
      try run(on: engine)
    }
  }

  private func run(on engine: HarnessEngine) throws(HarnessError) -> Outcome {
    let sqlite: StockSQLite
    do throws(ToolError) { sqlite = try StockSQLite() } catch { throw harnessError(error) }
    let directory = try engine.subdirectory("stock")
    var pairs: [Pair] = []
    for number in 0..<sessions {
      let name = "db\(number % 2)"
      pairs.append(
        Pair(
          try EngineSide(engine.socket, path: name),
          try StockSide(sqlite, path: "\(directory)/\(name)")))
      if number < 2 {
        for sql in SQLGenerator.setup { try compare(pairs[number], sql, [], 0) }
      }
    }
    var generator = SQLGenerator(seed: parameters.seed)
    var outcome = Outcome()
    while outcome.operations < operations {
      if outcome.operations % 100 == 0 { try stop.check() }
      outcome.operations += 1
      let pair = pairs[generator.random.below(pairs.count)]
      if generator.random.once(in: 12) {
        try useCursor(pair, &generator, outcome.operations)
        outcome.cursors += 1
        continue
      }
      let (sql, values) = generator.statement()
      // A cursor would end with an error, sooner or later: the engine reads ahead.
      if sql.hasPrefix("ROLLBACK") { close(pair) }
      let result = try compare(pair, sql, values, outcome.operations)
      outcome.rows += result.rows.count
      if result.code != 0 { outcome.refused += 1 }
    }
    return outcome
  }

  @discardableResult
  private func compare(
    _ pair: Pair, _ sql: String, _ values: [SQLValue], _ number: Int
  ) throws(HarnessError) -> SQLResult {
    let got = try pair.engine.result(sql, values)
    var wanted = pair.stock.result(sql, values)
    if hasCanary, number > 200, !wanted.rows.isEmpty { wanted.rows[0][0] = .blob([1, 2, 3]) }
    // After an error nothing else is told.
    guard got == wanted else {
      throw .difference(
        "seed \(parameters.seed), statement \(number): \(sql) [\(values.map(\.text).joined(separator: ", "))]:"
          + " the engine: \(got.text); SQLite: \(wanted.text)")
    }
    return got
  }

  private func close(_ pair: Pair) {
    guard let cursor = pair.cursor else { return }
    pair.engine.closeCursor(cursor)
    pair.stock.closeCursor(cursor)
    pair.cursor = nil
  }

  /// Opens a cursor, reads on, or closes it half read. It reads what nobody changes.
  private func useCursor(
    _ pair: Pair, _ generator: inout SQLGenerator, _ number: Int
  ) throws(HarnessError) {
    guard let cursor = pair.cursor else {
      let first = SQLValue.integer(Int64(generator.random.below(100)))
      let sql = "SELECT i, a, i * 0.5 FROM fixed WHERE i > ?"
      let got = try pair.engine.openCursor(number, sql, [first])
      let wanted = pair.stock.openCursor(number, sql, [first])
      if got.code == 0 { pair.cursor = number }
      return try expect(got, wanted, "open a cursor", number)
    }
    if generator.random.once(in: 4) { return close(pair) }
    let count = 1 + generator.random.below(300)
    let got = try pair.engine.read(cursor, count)
    let wanted = pair.stock.read(cursor, count)
    if got.code != 0 || got.rows.count < count { close(pair) }
    try expect(got, wanted, "read \(count) rows", number)
  }

  private func expect(
    _ got: SQLResult, _ wanted: SQLResult, _ what: String, _ number: Int
  ) throws(HarnessError) {
    guard got == wanted else {
      throw .difference(
        "seed \(parameters.seed), statement \(number): \(what): the engine: \(got.text);"
          + " SQLite: \(wanted.text)")
    }
  }
}
