// Requests of SQL that no client of ours makes: well-formed ones with something wrong in them.

internal import CSluice
internal import SluiceWire
internal import ToolSupport

@safe
struct HostileSQLSession: HostileEngineSession {
  var random: SplitMix64
  private var statements: [UInt64] = []
  private let sql = [
    "SELECT 1", "SELECT ?, ?", "CREATE TABLE IF NOT EXISTS t(a, b)", "INSERT INTO t VALUES(?, ?)",
    "SELECT * FROM t", "INSERT INTO t VALUES(1, 2), (3, 4) RETURNING *", "BEGIN", "COMMIT",
    "ROLLBACK", "SELECT randomblob(100000), 'x', randomblob(7)", "DELETE FROM t", "VACUUM",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "SELECT zeroblob(60000000)", "SELECT 1; SELECT 2", "SELECT", "", "-- nothing",
    "PRAGMA cache_size",
    "SELECT printf('%.*c', 50000, 'x')", "DROP TABLE IF EXISTS t", "SAVEPOINT s", "RELEASE s",
    "ATTACH 'x' AS x", "SELECT * FROM t, t, t, t LIMIT 3", "PRAGMA table_info(t)",
  ]
  private let operations: [Operation] = [
    .sqlExecute, .sqlExecute, .sqlExecute, .sqlExecute, .sqlFetch, .sqlFetch, .sqlReset,
    .sqlValueRead, .sqlValueWrite, .sqlExport, .sqlChangesAwait, .sqlOpen, .nothing, .channelOpen,
    .read, .lock,
  ]

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func open(_ raw: RawSession) throws(HarnessError) {
    statements = []
    let path = [":memory:", "hostile.db", "hostile.db", "sub/none.db", "../x", ""][random.below(6)]
    let request = SQLOpenRequest(
      path: Array(path.utf8), mode: .either, options: [], busyMilliseconds: 0)
    if try raw.ask(.sqlOpen, request).status == nil { throw .difference("sqlOpen: no status") }
  }

  private mutating func statement() -> UInt64 {
    if random.below(5) == 0 { return random.next() >> UInt64(random.below(64)) }
    return statements.isEmpty ? 0 : statements[random.below(statements.count)]
  }

  mutating func post(on channel: RawChannel) {
    let operation = operations[random.below(operations.count)]
    let room = [0, 8, 16, 40, 56, 255, 256, 300, 4096, 16384, 65535, 65536][random.below(12)]
    let payload = unsafe UnsafeMutableRawBufferPointer(start: channel.nextPayload, count: room)
    let code = operation.rawValue
    switch operation {
    case .sqlExecute, .sqlFetch:
      unsafe fill(payload, isExecution: operation == .sqlExecute)
      let isText = operation == .sqlExecute && random.below(3) > 0
      channel.post(
        code: code, file: isText ? 0 : statement(), NoFields(), payloadByteCount: room)
    case .sqlValueRead:
      let request = SQLValueReadRequest(
        column: UInt64(random.below(5)),
        offset: Int64(random.next() >> UInt64(1 + random.below(62))))
      channel.post(code: code, file: statement(), request, payloadByteCount: room)
    case .sqlValueWrite:
      let byteCount = Int64(random.next() >> UInt64(30 + random.below(33)))
      let request = SQLValueWriteRequest(
        parameter: [0, 1, 2, 3, 2000, 65535][random.below(6)],
        offset: random.below(3) > 0 ? 0 : Int64(random.below(Int(min(byteCount + 1, 1 << 20)))),
        byteCount: byteCount)
      channel.post(code: code, file: 0, request, payloadByteCount: room)
    case .sqlExport:
      let offset = random.below(2) == 0 ? 0 : Int64(random.next() >> UInt64(1 + random.below(62)))
      channel.post(code: code, file: 0, OffsetFields(offset: offset), payloadByteCount: room)
    case .sqlChangesAwait:
      let request = SQLChangesRequest(
        number: Int64(random.next() >> UInt64(1 + random.below(63))),
        milliseconds: Int64(random.below(5)))
      channel.post(code: code, file: 0, request, payloadByteCount: room)
    case .sqlOpen:
      let request = SQLOpenRequest(
        path: Array("hostile.db".utf8), mode: .either,
        options: SQLOpenOptions(rawValue: UInt64(random.below(8))), busyMilliseconds: 0)
      channel.post(code: code, file: 0, request, payloadByteCount: room)
    default: channel.post(code: code, file: statement(), NoFields(), payloadByteCount: room)
    }
  }

  private mutating func fill(_ payload: UnsafeMutableRawBufferPointer, isExecution: Bool) {
    guard payload.count >= 64 else { return }
    let count = isExecution ? 1 + random.below(4) : 0
    var head = sluice_sql_request(
      cell_count: UInt32(count), flags: UInt32(random.below(32)),
      row_count_max: UInt32(random.below(5)), deadline_ms: UInt32(1 + random.below(5)))
    // Nonsense in the head ends the session, so it is rare.
    switch random.below(60) {
    case 0: head.cell_count = UInt32(truncatingIfNeeded: random.next())
    case 1: head.cell_count = 2001
    case 2: head.flags = UInt32(truncatingIfNeeded: random.next())
    default: break
    }
    unsafe payload.storeBytes(of: head, as: sluice_sql_request.self)
    var cells = unsafe SQLCellWriter(payload, from: 16)
    for index in 0..<count {
      guard cells.hasRoom(forCells: count - index) else { return }
      let bytes =
        index == 0
        ? Array(sql[random.below(sql.count)].utf8)
        : [UInt8](repeating: 65, count: random.below(100))
      guard cells.hasRoom(forBytes: bytes.count, beforeCells: count - index) else {
        cells.null()
        continue
      }
      switch index == 0 ? 2 : random.below(7) {
      case 0: cells.integer(Int64(bitPattern: random.next()))
      case 1: cells.real(Double(bitPattern: random.next()))
      case 2, 3: unsafe bytes.withUnsafeBytes { unsafe cells.text($0) }
      case 4: unsafe bytes.withUnsafeBytes { unsafe cells.blob($0) }
      case 5: cells.farText(byteCount: random.next())
      default: cells.null()
      }
    }
    // A word of it is something else.
    if random.below(3) == 0 {
      let place = 16 + random.below(min(16 * count, payload.count - 16) / 4 + 1) * 4
      if place + 4 <= payload.count {
        unsafe payload.storeBytes(
          of: UInt32(truncatingIfNeeded: random.next() >> UInt64(random.below(64))),
          toByteOffset: place, as: UInt32.self)
      }
    }
  }

  /// Takes a statement's id out of an answer.
  mutating func learn(_ answer: RawAnswer) -> String? {
    guard answer.slot.operation == Operation.sqlExecute.rawValue, answer.status == .done,
      answer.slot.payload_byte_count >= 40
    else { return nil }
    let page = unsafe sluice_sql_page_copy(answer.payload)
    statements.append(page.statement)
    if statements.count > 100 { statements.removeFirst(50) }
    return page.statement > 1 << 40 ? "statement \(page.statement)" : nil
  }
}
