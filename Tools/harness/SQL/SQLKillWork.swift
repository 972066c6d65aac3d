// The work of `sql kill` and `sql state-kill`: transactions on one database.

struct SQLKillWork: EngineKillWork {
  let isOnState: Bool
  let acknowledgesEarly: Bool

  var words: [String] {
    ["sql"] + (acknowledgesEarly ? ["--acknowledge-early"] : []) + (isOnState ? ["--state"] : [])
  }

  func check(_ engine: HarnessEngine) throws(HarnessError) {
    let side = try EngineSide(
      engine.socket, path: SQLWorker.database, options: isOnState ? .state : [],
      busyMilliseconds: 30_000)
    let integrity = try side.result("PRAGMA integrity_check")
    guard integrity.rows == [[.text(Array("ok".utf8))]] else {
      throw .difference("integrity_check: \(integrity.text)")
    }
    if isOnState {
      for (fault, sql) in StateWork.faults {
        let found = try side.result(sql)
        guard found.code == 0, found.rows.isEmpty else {
          throw .difference("\(fault): \(found.text.prefix(1000))")
        }
      }
      return
    }
    let parts = try side.result("SELECT client, n FROM t GROUP BY client, n HAVING count(*) <> 3")
    guard parts.code == 0, parts.rows.isEmpty else {
      throw .difference("a transaction is there in part: \(parts.text)")
    }
  }
}
