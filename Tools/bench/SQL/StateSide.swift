// A table of entities on a private engine, through libsluice-sql.so: the state's, or a plain one.

internal import CSluice
internal import CSluiceSQL
internal import SluiceSystem
internal import ToolSupport

@safe
struct StateSide {
  enum Table: String, CaseIterable { case plain, state }

  /// The plain table has the columns that a client writes.
  static let schema = """
    CREATE TABLE plain(entity_id TEXT, schema_key TEXT, file_id TEXT, plugin_key TEXT,
      schema_version TEXT, snapshot_content TEXT,
      PRIMARY KEY(entity_id, schema_key, file_id)) WITHOUT ROWID
    """
  private static let filledRowCount: Int64 = 10_000

  private let functions: SluiceSQLFunctions
  private let connection: SluiceSQLFunctions.Handle?
  private let insertText: SQLText
  private let togetherText: SQLText
  private let pointText: SQLText
  private let begin = SQLText("BEGIN")
  private let commit = SQLText("COMMIT")
  private var random = SplitMix64(seed: 12345)
  /// The number of the next new row. No other process on the database has the same.
  private var next = Clock.monotonicNanoseconds()
  private var taken = TakenValues()

  /// It lives as long as its process.
  init(_ path: String, _ table: Table, library: String) throws(ToolError) {
    let columns = "entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content"
    let values = "'note', 'f', 'p', '1.0', json_object('text', 'text of note ' || ?1)"
    let insert = "INSERT INTO \(table.rawValue)(\(columns))"
    insertText = SQLText("\(insert) VALUES('n' || ?1, \(values))")
    togetherText = SQLText(
      """
      \(insert) WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
      SELECT 'n' || i, \(values.replacing("?1", with: "i")) FROM n
      """)
    pointText = SQLText(
      """
      SELECT snapshot_content FROM \(table.rawValue)
      WHERE entity_id = 'n' || ?1 AND schema_key = 'note' AND file_id = 'f'
      """)
    functions = try SluiceSQLFunctions(library)
    var connection: SluiceSQLFunctions.Handle?
    let code = unsafe functions.open(
      path, nil, UInt32(SLUICE_OPEN | SLUICE_STATE), -1, &connection)
    unsafe self.connection = unsafe connection
    guard code == SLUICE_OK else { throw failure }
    for setting in ["PRAGMA synchronous = OFF", "PRAGMA cache_size = -65536"] {
      try run(SQLText(setting))
    }
  }

  /// Puts in the rows that `point` selects, once.
  func fill() throws(ToolError) {
    let result = try unsafe execute(pointText, 1)
    let isFilled = unsafe functions.step(result) == SLUICE_ROW
    _ = unsafe functions.closeResult(result)
    guard !isFilled else { return }
    try run(togetherText, 1, Self.filledRowCount)
  }

  mutating func insert() throws(ToolError) {
    next += 1
    try run(insertText, next)
  }

  /// Inserts rows by a statement each, in a transaction.
  mutating func insertSingly(_ count: Int64) throws(ToolError) {
    try run(begin)
    for _ in 0..<count { try insert() }
    try run(commit)
  }

  /// Inserts rows by one statement, in a transaction.
  mutating func insertTogether(_ count: Int64) throws(ToolError) {
    try run(begin)
    try run(togetherText, next + 1, next + count)
    next += count
    try run(commit)
  }

  /// Selects one of the first rows and takes its content.
  mutating func point() throws(ToolError) {
    let number = Int64(random.below(Int(Self.filledRowCount))) + 1
    let result = try unsafe execute(pointText, number)
    guard unsafe functions.step(result) == SLUICE_ROW else { throw failure }
    var byteCount = 0
    let text = unsafe functions.text(result, 0, &byteCount)
    unsafe taken.add(UnsafeRawBufferPointer(start: text, count: byteCount))
    _ = unsafe functions.closeResult(result)
    taken.forget()
  }

  // MARK: Parts

  private func run(_ text: SQLText, _ numbers: Int64...) throws(ToolError) {
    let values = unsafe numbers.map { unsafe SluiceSQLSide.value($0) }
    let code = unsafe functions.execute(
      connection, text.start, text.byteCount, values, values.count, 0, nil)
    guard code == SLUICE_OK else { throw failure }
  }

  private func execute(
    _ text: SQLText, _ number: Int64
  ) throws(ToolError) -> SluiceSQLFunctions.Handle? {
    var value = unsafe SluiceSQLSide.value(number)
    var result: SluiceSQLFunctions.Handle?
    let code = unsafe functions.execute(
      connection, text.start, text.byteCount, &value, 1, 0, &result)
    guard code == SLUICE_OK else { throw failure }
    return unsafe result
  }

  private var failure: ToolError {
    unsafe .failed("the state: \(String(cString: functions.message(connection)))")
  }
}
