// Requests of SQL, as a hostile client writes them, given to a session on a database in memory. What
// the session answers must be a page that an honest client can read.

import CSluice
import SluiceChannel
import SluiceEngine
import SluiceWire

@testable import SluiceSQL

struct SQLTarget: FuzzTarget {
  static let name = "sql"

  private static let texts = [
    "SELECT ?1, ?2", "CREATE TABLE t(a, b)", "INSERT INTO t VALUES(?, ?) RETURNING *, ''",
    "SELECT * FROM t", "BEGIN", "ROLLBACK", "SELECT 1; SELECT 2", "SELECT zeroblob(70000), 'x'",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, 'r' || i FROM n",
  ]

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    // Steps as `step` reads them: the operation, the room, the flags, the text, the parameters.
    let inserts: [UInt8] = [0, 3, 0, 1, 0, 0, 3, 0, 2, 2, 0, 9, 2, 3, 65, 66, 67, 0, 3, 0, 3, 0]
    let cursor: [UInt8] = [0, 3, 0, 8, 0, 1, 3, 0, 1, 3, 0, 2, 0]
    let far: [UInt8] = [3, 3, 1, 0, 5, 5, 0, 3, 0, 0, 2, 5, 6, 0, 3, 0, 7, 0, 4, 3, 1, 0, 0]
    return [inserts, cursor, far, inserts + cursor + far]
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    let session = SQLSession(at: .host, isCancelled: { false }, isClientGone: { false })
    defer { session.close() }
    let range = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    defer { unsafe range.deallocate() }
    unsafe range.initializeMemory(as: UInt8.self, repeating: 0)
    let open = SQLOpenRequest(
      path: Array(":memory:".utf8), mode: .either, options: [], busyMilliseconds: 0)
    if !input.flag() {
      require(unsafe session.open(open, range).0.status == .done, "a database cannot be opened")
    }
    var last: UInt64 = 0
    for _ in 0..<30 where !input.isEmpty {
      let rooms = [0, 16, 256, 16384, 65536, 300, 56, 1000]
      let operation = input.choice(8)
      // In memory of its own, so that the sanitizer sees what goes beyond.
      let room = rooms[input.choice(rooms.count)]
      let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 64)
      defer { unsafe payload.deallocate() }
      unsafe payload.initializeMemory(as: UInt8.self, repeating: 0)
      unsafe step(operation, session, payload, &input, &last)
    }
  }

  private func step(
    _ operation: Int, _ session: SQLSession, _ payload: UnsafeMutableRawBufferPointer,
    _ input: inout FuzzInput, _ last: inout UInt64
  ) {
    switch operation {
    case 0, 5:
      unsafe fill(payload, &input)
      let isText = operation == 0
      if let outcome = try? unsafe session.execute(isText ? 0 : last, payload) {
        unsafe check(outcome, payload, &last)
      }
    case 1:
      unsafe storeHead(payload, cells: 0, &input)
      if let outcome = try? unsafe session.fetch(last, payload) {
        unsafe check(outcome, payload, &last)
      }
    case 2: _ = session.reset(last)
    case 3:
      let request = SQLValueWriteRequest(
        parameter: input.flag() ? UInt64(input.choice(4)) : 65535, offset: Int64(input.byte()),
        byteCount: Int64(input.size(65536)))
      unsafe check(session.valueWrite(request, payload), payload)
    case 4:
      let request = SQLValueReadRequest(
        column: UInt64(input.choice(4)), offset: Int64(input.size(70000)))
      unsafe check(session.valueRead(last, request, payload), payload)
    case 6: unsafe check(session.export(Int64(input.size(9000)), payload).0, payload)
    default:
      // Anything at all. The deadline is short.
      unsafe payload.copyBytes(from: input.bytes(payload.count))
      if payload.count >= 16 { unsafe payload.storeBytes(of: 5, toByteOffset: 12, as: UInt32.self) }
      if let outcome = try? unsafe session.execute(0, payload) {
        unsafe check(outcome, payload, &last)
      }
    }
  }

  private func storeHead(
    _ payload: UnsafeMutableRawBufferPointer, cells: Int, _ input: inout FuzzInput
  ) {
    guard payload.count >= 16 else { return }
    let head = sluice_sql_request(
      cell_count: UInt32(cells), flags: UInt32(input.byte()), row_count_max: 0, deadline_ms: 5)
    unsafe payload.storeBytes(of: head, as: sluice_sql_request.self)
  }

  private func fill(_ payload: UnsafeMutableRawBufferPointer, _ input: inout FuzzInput) {
    let flags = input.byte()
    let text = input.choice(16)
    let sql = text < Self.texts.count ? Array(Self.texts[text].utf8) : input.sequence()
    let count = input.choice(5)
    guard payload.count >= 16 else { return }
    let head = sluice_sql_request(
      cell_count: UInt32(1 + count), flags: UInt32(flags), row_count_max: 0, deadline_ms: 5)
    unsafe payload.storeBytes(of: head, as: sluice_sql_request.self)
    var cells = unsafe SQLCellWriter(payload, from: 16)
    guard cells.hasRoom(forCells: 1 + count),
      cells.hasRoom(forBytes: sql.count, beforeCells: 1 + count)
    else { return }
    unsafe sql.withUnsafeBytes { unsafe cells.text($0) }
    for index in 0..<count {
      let type = input.choice(8)
      let bytes = type == 2 || type == 3 ? input.sequence() : []
      guard cells.hasRoom(forBytes: bytes.count, beforeCells: count - index) else { return }
      switch type {
      case 0: cells.integer(Int64(input.byte()))
      case 1: cells.real(Double(bitPattern: input.number()))
      case 2: unsafe bytes.withUnsafeBytes { unsafe cells.text($0) }
      case 3: unsafe bytes.withUnsafeBytes { unsafe cells.blob($0) }
      case 4: cells.null()
      case 5: cells.farText(byteCount: 0)
      case 6: cells.farBlob(byteCount: 0)
      default:
        let cell = sluice_sql_cell(
          type: input.byte(), reserved: (0, 0, 0), byte_count: input.size(100),
          value: UInt64(input.size(payload.count)))
        unsafe payload.storeBytes(of: cell, toByteOffset: cells.cellsEnd, as: sluice_sql_cell.self)
        cells.null()
        unsafe payload.storeBytes(
          of: cell, toByteOffset: cells.cellsEnd - 16, as: sluice_sql_cell.self)
      }
    }
  }

  private func check(_ outcome: SQLOutcome, _ payload: UnsafeMutableRawBufferPointer) {
    require(outcome.byteCount <= payload.count, "an answer beyond its range")
  }

  /// What an honest client makes of the answer.
  private func check(
    _ outcome: SQLOutcome, _ payload: UnsafeMutableRawBufferPointer, _ last: inout UInt64
  ) {
    unsafe check(outcome, payload)
    guard outcome.status == .done || outcome.status == .sqlError && outcome.byteCount > 0 else {
      return
    }
    let range = unsafe UnsafeRawBufferPointer(rebasing: payload[..<outcome.byteCount])
    guard let page = unsafe SQLPage(range) else { broken("a page that cannot be read") }
    if page.head.flags & 4 != 0 { require(page.names != nil, "names that cannot be read") }
    for row in 0..<page.rowCount {
      for column in 0..<page.columnCount {
        require(page.cell(row: row, column: column) != nil, "a cell that cannot be read")
      }
    }
    if outcome.status == .done, page.head.statement != 0 { last = page.head.statement }
  }
}

/// Pages as a hostile engine writes them, read as a client does.
struct PageTarget: FuzzTarget {
  static let name = "page"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    var page = [UInt8](repeating: 0, count: 40 + 4 * 16 + 4)
    let range = UnsafeMutableRawBufferPointer.allocate(byteCount: page.count, alignment: 64)
    defer { unsafe range.deallocate() }
    unsafe range.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe range.storeBytes(
      of: sluice_sql_page(
        row_count: 1, column_count: 2, flags: 4, tail: 0, reserved: 0, changes: 0, row_id: 0,
        statement: 1), as: sluice_sql_page.self)
    var cells = unsafe SQLCellWriter(range, from: 40)
    for text in ["a", "b", "cd"] {
      unsafe Array(text.utf8).withUnsafeBytes { unsafe cells.text($0) }
    }
    cells.integer(7)
    unsafe page = Array(range)
    return [page, Array(page[..<40])]
  }

  func run(_ input: [UInt8]) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 16)
    defer { unsafe memory.deallocate() }
    unsafe memory.copyBytes(from: input)
    guard let page = unsafe SQLPage(UnsafeRawBufferPointer(memory)) else { return }
    var sum = page.names.map { $0.reduce(0) { $0 + $1.count } } ?? 0
    sum += page.message.count
    for row in 0..<min(page.rowCount, 1000) {
      for column in 0..<min(page.columnCount, 1000) {
        switch page.cell(row: row, column: column) {
        // The sanitizer sees what lies beyond the memory.
        case .text(let bytes)?, .blob(let bytes)?:
          unsafe sum += bytes.reduce(0) { $0 + Int($1) }
        default: break
        }
      }
    }
    // A copy is the same page.
    let copy = PageCopy(of: page)
    require(copy.page.rowCount == page.rowCount && sum >= 0, "a copy is another page")
  }
}
