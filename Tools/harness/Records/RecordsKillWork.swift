// The work of `records kill`: values that grow in two sessions, are deleted and erased.

internal import CSluice
internal import SluiceCommand
internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

struct RecordsKillWork: EngineKillWork {
  let acknowledgesEarly: Bool

  var words: [String] { ["records"] + (acknowledgesEarly ? ["--acknowledge-early"] : []) }

  /// The engine's own check of its store.
  func check(_ engine: HarnessEngine) throws(HarnessError) {
    var options = RecordOpenOptions()
    options.busyMilliseconds = 30_000
    let connection = try RecordsSide.open(engine.socket, RecordsWorker.store, options)
    var findings: [String] = []
    do throws(RecordFailure) {
      try connection.verify { findings.append(String(decoding: $0, as: UTF8.self)) }
    } catch { throw .difference("verify: \(error.wording)") }
    if let finding = findings.first { throw .difference("verify: \(finding)") }
  }

  /// The tables of the store as a killed engine has left them, read by SQLite in this process. A copy
  /// is read, because reading would repair them.
  func checkFiles(_ engine: HarnessEngine) throws(HarnessError) {
    let name = engine.root + "/" + RecordsWorker.store
    let copy = engine.root + "/../copy"
    for suffix in ["", "-wal"] {
      _ = unsafe unlink(zeroTerminated(copy + suffix))
      guard unsafe access(zeroTerminated(name + suffix), R_OK) == 0 else { continue }
      try copyFile(name + suffix, to: copy + suffix)
    }
    do throws(ToolError) {
      let connection = try SQLiteConnection(try SQLiteLibrary(), Target(path: copy))
      // The engine may have died before it made them.
      let tables = try connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'transactions'")
      guard tables == "1" else { return }
      for (fault, sql) in RecordsTables.faults {
        if let found = try connection.execute(sql) {
          throw ToolError.failed("\(fault): \(found)")
        }
      }
    } catch { throw .difference("the tables: \(harnessError(error).text)") }
  }

  private func copyFile(_ from: String, to: String) throws(HarnessError) {
    try needed(from) { () throws(Errno) in
      let source = try unsafe FileDescriptor.open(zeroTerminated(from), [])
      let target = try unsafe FileDescriptor.open(
        zeroTerminated(to), [.readWrite, .create], permissions: 0o600)
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
      defer { unsafe room.deallocate() }
      var offset: Int64 = 0
      while true {
        let count = unsafe try source.read(into: room, at: offset)
        if count == 0 { return }
        try unsafe target.write(
          UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]), at: offset)
        offset += Int64(count)
      }
    }
  }
}

/// What must not be in the tables of a record store (Protocol/RECORDS.md), in SQL. Each gives the
/// keys of what is wrong, or nothing.
enum RecordsTables {
  static let faults = [
    (
      "a transaction without its session",
      """
      SELECT hex(t.key) FROM transactions t
      LEFT JOIN session_by_row r ON r.key = substr(t.key, 1, 8)
      LEFT JOIN session_by_cv_sid s ON s.key = r.value WHERE s.key IS NULL
      """
    ),
    (
      "a session whose count is not that of its transactions",
      """
      SELECT hex(s.key) FROM session_by_row r JOIN session_by_cv_sid s ON s.key = r.value
      LEFT JOIN (SELECT substr(key, 1, 8) AS row, count(*) AS n, max(key) AS last
        FROM transactions GROUP BY 1) t ON t.row = r.key
      WHERE hex(substr(s.value, 9, 4)) <> printf('%08X', coalesce(t.n, 0))
        OR hex(substr(t.last, 9, 4)) <> printf('%08X', t.n - 1)
      """
    ),
    (
      "a session that its row does not name",
      """
      SELECT hex(s.key) FROM session_by_cv_sid s
      LEFT JOIN session_by_row r ON r.key = substr(s.value, 1, 8)
      WHERE r.value IS NOT s.key OR NOT EXISTS(
        SELECT 1 FROM covalue_by_row c WHERE c.key = substr(s.key, 1, 8))
      """
    ),
    (
      "a value whose rows do not agree",
      """
      SELECT hex(c.key) FROM covalue_by_row c LEFT JOIN covalue_by_id i ON i.key = c.value
      WHERE substr(i.value, 1, 8) IS NOT c.key
      UNION ALL SELECT hex(i.key) FROM covalue_by_id i
      LEFT JOIN covalue_by_row c ON c.key = substr(i.value, 1, 8) WHERE c.value IS NOT i.key
      """
    ),
    (
      "values that are not numbered from 1 without gaps",
      """
      SELECT n FROM (SELECT count(*) AS n, max(key) AS last FROM covalue_by_row)
      WHERE printf('%016X', n) <> coalesce(hex(last), '0000000000000000')
      """
    ),
    (
      "a kept signature behind the last transaction, or of other transactions",
      """
      SELECT hex(g.key) FROM signature_after g
      LEFT JOIN session_by_row r ON r.key = substr(g.key, 1, 8)
      LEFT JOIN session_by_cv_sid s ON s.key = r.value
      WHERE s.key IS NULL OR substr(g.key, 9, 4) >= substr(s.value, 9, 4)
        OR hex(substr(g.key, 9, 4))
          <> printf('%08X', CAST(CAST(substr(g.value, 12) AS TEXT) AS INTEGER) - 1)
      """
    ),
    (
      "a last signature of other transactions",
      """
      SELECT hex(key) FROM session_by_cv_sid WHERE hex(substr(value, 9, 4))
        <> printf('%08X', CAST(CAST(substr(value, 17 + 11) AS TEXT) AS INTEGER))
      """
    ),
    (
      "a value that is erased in part, or without a tombstone",
      """
      SELECT hex(d.key) FROM deleted d JOIN covalue_by_id i ON i.key = d.key
      JOIN session_by_cv_sid s ON substr(s.key, 1, 8) = substr(i.value, 1, 8)
      WHERE d.value = x'01' GROUP BY d.key
      HAVING count(*) <> 1 OR max(hex(substr(s.key, -1))) <> '24'
      """
    ),
    ("a damaged file", "SELECT * FROM pragma_quick_check WHERE quick_check <> 'ok'"),
  ]
}
