// The compiled statements of a connection, by id and by text.
//
// A text that is executed again finds its statement compiled, unless that one is under way: then
// another is compiled, so that two readers of one text do not get each other's rows. Ids are never
// used again. The statement that was used least recently goes first, and none that is under way.
//
// Confined to the connection's thread.

struct StatementTable {
  private var byID: [UInt64: Statement] = [:]
  private var byText: [[UInt8]: [Statement]] = [:]
  private var lastID: UInt64 = 0
  private var uses: UInt64 = 0
  /// The statement that was used last: loops use one again and again.
  private var latest: Statement?

  var count: Int { byID.count }

  /// The statement of this id.
  @inline(__always)
  mutating func statement(_ id: UInt64) -> Statement? {
    if let latest, latest.id == id { return latest }
    guard let statement = byID[id] else { return nil }
    noteUse(statement)
    return statement
  }

  /// A statement with this text that is not under way.
  mutating func idleStatement(_ text: [UInt8]) -> Statement? {
    guard let statement = byText[text]?.first(where: { $0.state == .idle }) else { return nil }
    noteUse(statement)
    return statement
  }

  private mutating func noteUse(_ statement: Statement) {
    uses += 1
    statement.lastUse = uses
    latest = statement
  }

  /// Keeps a statement that was just compiled.
  mutating func add(_ text: [UInt8], _ compiled: CompiledStatement) -> Statement {
    if byID.count >= Limits.statementCountMaximum { removeLeastUsed() }
    lastID += 1
    let statement = Statement(id: lastID, text: text, compiled)
    byID[lastID] = statement
    byText[text, default: []].append(statement)
    noteUse(statement)
    return statement
  }

  private mutating func removeLeastUsed() {
    let idle = byID.values.filter { $0.state == .idle }
    guard let oldest = idle.min(by: { $0.lastUse < $1.lastUse }) else { return }
    remove(oldest)
  }

  mutating func remove(_ statement: Statement) {
    byID[statement.id] = nil
    let others = byText[statement.text, default: []].filter { $0 !== statement }
    byText[statement.text] = others.isEmpty ? nil : others
    if latest === statement { latest = nil }
  }

  /// How many are under way.
  var cursorCount: Int { byID.values.count { $0.state != .idle } }
}
