// What tables of one schema's entities share: the columns "lixcol_…" that tell of an entity's row,
// and the cursor over a state query.

internal import CEngine

/// The columns behind those of a table's own.
struct RowColumns {
  private let isForAll: Bool
  /// The place of the first of them.
  private let first: Int

  init(isForAll: Bool, first: Int) {
    self.isForAll = isForAll
    self.first = first
  }

  private var names: [String] {
    [
      "lixcol_inherited_from_version_id", "lixcol_created_at", "lixcol_updated_at",
      "lixcol_change_id", "lixcol_untracked", "lixcol_commit_id",
    ] + (isForAll ? ["lixcol_version_id"] : [])
  }

  var declaration: String {
    names.joined(separator: ", ") + ", row_key TEXT HIDDEN PRIMARY KEY"
  }

  /// The last two make the row's key.
  var expressions: [String] {
    [
      StateQuery.inheritedFrom, "r.created_at", StateQuery.updatedAt, "r.change_id", "r.untracked",
      StateQuery.commit,
    ] + (isForAll ? ["a.version_id"] : []) + ["a.version_id", "r.entity_id"]
  }

  var untracked: Int { first + 4 }
  var version: Int? { isForAll ? first + 6 : nil }
  var key: Int { first + names.count }

  /// The version and the entity that a row's key names.
  func parts(of key: TableValue) throws(DatabaseError) -> (version: String, entity: String) {
    guard let text = try key.text(of: "row_key"), let parts = RowKey.parts(text, count: 2)
    else { throw DatabaseError(SQLITE_CONSTRAINT, "row_key is made by the engine; do not set it") }
    return (parts[0], parts[1])
  }
}

/// The rows of a state query, which a plan chooses. The last two columns, the version and the entity,
/// stand for the key.
class StateRows: StatementRows {
  struct Choice {
    var query: StateQuery
    /// What must be equal to the plan's arguments, in their order, but for the version.
    var keys: [String]
    /// Whether the last argument is the version.
    var tellsVersion: Bool
  }

  private let isForAll: Bool
  private let keyColumn: Int
  private let choose: (TablePlan) -> Choice

  init(
    _ state: StateContext, isForAll: Bool, keyColumn: Int,
    _ choose: @escaping (TablePlan) -> Choice
  ) {
    self.isForAll = isForAll
    self.keyColumn = keyColumn
    self.choose = choose
    super.init(state)
  }

  override func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {
    var choice = choose(plan)
    let isOfOne = !isForAll || choice.tellsVersion
    choice.query.scope = isOfOne ? .one : .all
    choice.query.isFoundFirst = state.isInserting
    var parameter = isOfOne ? 2 : 1
    for key in choice.keys {
      choice.query.conditions.append(
        key.contains("?") ? key.replacing("?", with: "?\(parameter)") : "\(key) = ?\(parameter)")
      parameter += 1
    }
    let statement = try begin(choice.query.sql)
    var arguments = arguments
    if choice.tellsVersion {
      statement.bind(1, arguments.removeLast())
    } else if isOfOne {
      statement.bind(1, state.activeVersion.value)
    }
    for (index, argument) in arguments.enumerated() {
      statement.bind(Int32(index + (isOfOne ? 2 : 1)), argument)
    }
    try next()
  }

  var version: String { statement!.text(Int32(keyColumn)) }
  var entity: String { statement!.text(Int32(keyColumn + 1)) }

  override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
    guard number == keyColumn else { return try super.column(number, result) }
    result.set(RowKey.text([version, entity]))
  }
}
