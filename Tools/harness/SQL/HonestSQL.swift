// The session that works beside the hostile one of `sql hostile`.

enum HonestSQL {
  static func work(_ socket: String, _ board: EngineHostileBoard) throws(HarnessError) {
    let side = try EngineSide(socket, path: "honest.db", busyMilliseconds: 10_000)
    func expect(_ sql: String, _ values: [SQLValue], _ rows: [[SQLValue]]) throws(HarnessError) {
      let result = try side.result(sql, values)
      if result.code != 0 || result.rows != rows { throw .difference("\(sql): \(result.text)") }
    }
    try expect("CREATE TABLE t(k INTEGER PRIMARY KEY, a)", [], [])
    var number: Int64 = 0
    while !board.isOver.load(ordering: .acquiring) {
      number += 1
      let text = SQLValue.text(Array("row \(number)".utf8))
      try expect("INSERT INTO t VALUES(?, ?)", [.integer(number % 1000), text], [])
      try expect("SELECT a FROM t WHERE k = ?", [.integer(number % 1000)], [[text]])
      let count = SQLValue.integer(1)
      try expect("SELECT count(*) FROM t", [], [[count]])
      try expect("DELETE FROM t", [], [])
      board.honest.add(1, ordering: .relaxed)
    }
  }
}
