// A session of an engine without a channel: requests and answers as they stand in a payload range.

import CSluice
import SluiceEngine
import SluiceWire

@testable import SluiceEngine
@testable import SluiceSQL

/// Confined to one thread.
@safe
final class RawSQLSession {
  let session: SQLSession
  /// Asked while statements run.
  var isCancelled: () -> Bool = { false }
  private let memory: UnsafeMutableRawBufferPointer

  init(
    opening path: String = ":memory:", mode: SQLOpenMode = .either, options: SQLOpenOptions = [],
    plugins: PluginSet = .builtIn
  ) throws {
    unsafe memory = .allocate(byteCount: 64 << 10, alignment: 64)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    var box: () -> Bool = { false }
    session = SQLSession(
      at: .host, plugins: plugins, isCancelled: { box() }, isClientGone: { false })
    box = { [unowned self] in isCancelled() }
    let request = SQLOpenRequest(
      path: Array(path.utf8), mode: mode, options: options, busyMilliseconds: 0)
    let (outcome, _) = unsafe session.open(request, memory)
    guard outcome.status == .done else { throw Refused(outcome: outcome) }
  }

  deinit {
    session.close()
    unsafe memory.deallocate()
  }

  struct Refused: Error { var outcome: SQLOutcome }

  struct Answer {
    var outcome: SQLOutcome
    /// The page's own bytes.
    var bytes: [UInt8]
    var head: sluice_sql_page
    var names: [[UInt8]]?
    var cells: [TestValue?]
    var status: Status { outcome.status }
    var message: String
    var reads: Bool { UInt32(head.flags) & SLUICE_SQL_READS != 0 }
    var hasMore: Bool { UInt32(head.flags) & SLUICE_SQL_MORE != 0 }
  }

  private func range(_ room: Int) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<room])
  }

  /// Does a text, or a statement by its id. `far` stands for a parameter that was sent in pieces.
  func execute(
    _ sql: String? = nil, id: UInt64 = 0, _ values: [TestValue] = [], far: Set<Int> = [],
    farSQL: Bool = false, flags: UInt32 = 0, rowCountMaximum: UInt32 = 0,
    deadlineMilliseconds: UInt32 = 0, room: Int = 16 << 10
  ) throws -> Answer {
    let range = unsafe range(room)
    let head = sluice_sql_request(
      cell_count: UInt32(values.count + 1), flags: flags, row_count_max: rowCountMaximum,
      deadline_ms: deadlineMilliseconds)
    unsafe range.storeBytes(of: head, as: sluice_sql_request.self)
    var cells = unsafe SQLCellWriter(range, from: 16)
    if farSQL {
      cells.farText(byteCount: 0)
    } else if let sql {
      unsafe Array(sql.utf8).withUnsafeBytes { unsafe cells.text($0) }
    } else {
      cells.null()
    }
    for (index, value) in values.enumerated() {
      switch value {
      case .text where far.contains(index): cells.farText(byteCount: 0)
      case .blob where far.contains(index): cells.farBlob(byteCount: 0)
      case .integer(let value): cells.integer(value)
      case .real(let value): cells.real(value)
      case .text(let text): unsafe Array(text.utf8).withUnsafeBytes { unsafe cells.text($0) }
      case .blob(let blob): unsafe blob.withUnsafeBytes { unsafe cells.blob($0) }
      case .null: cells.null()
      }
    }
    return unsafe read(try session.execute(id, range), range)
  }

  func fetch(_ id: UInt64, rowCountMaximum: UInt32 = 0, room: Int = 16 << 10) throws -> Answer {
    let range = unsafe range(room)
    let head = sluice_sql_request(
      cell_count: 0, flags: 0, row_count_max: rowCountMaximum, deadline_ms: 0)
    unsafe range.storeBytes(of: head, as: sluice_sql_request.self)
    return unsafe read(try session.fetch(id, range), range)
  }

  /// Sends a piece of a value.
  func write(
    _ piece: [UInt8], parameter: UInt64, offset: Int64 = 0, of byteCount: Int64? = nil
  ) -> Status {
    let range = unsafe range(piece.count)
    unsafe range.copyBytes(from: piece)
    let request = SQLValueWriteRequest(
      parameter: parameter, offset: offset, byteCount: byteCount ?? Int64(piece.count))
    return unsafe session.valueWrite(request, range).status
  }

  func readValue(_ id: UInt64, column: UInt64, offset: Int64, room: Int) -> (Status, [UInt8]) {
    let range = unsafe range(room)
    let outcome = unsafe session.valueRead(
      id, SQLValueReadRequest(column: column, offset: offset), range)
    return unsafe (outcome.status, Array(range[..<outcome.byteCount]))
  }

  private func read(_ outcome: SQLOutcome, _ range: UnsafeMutableRawBufferPointer) -> Answer {
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: range[..<outcome.byteCount])
    let page = unsafe SQLPage(bytes)
    var cells: [TestValue?] = []
    for row in 0..<(page?.rowCount ?? 0) {
      for column in 0..<page!.columnCount {
        cells.append(value(page!.cell(row: row, column: column)))
      }
    }
    return unsafe Answer(
      outcome: outcome, bytes: Array(bytes), head: page?.head ?? sluice_sql_page(),
      names: page?.names, cells: cells,
      message: String(decoding: page?.message ?? [], as: UTF8.self))
  }

  /// Nil for a far value, and for a malformed one.
  private func value(_ cell: SQLCell?) -> TestValue? {
    switch cell {
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    case .text(let text): unsafe .text(String(decoding: text, as: UTF8.self))
    case .blob(let blob): unsafe .blob([UInt8](blob))
    case .null: .null
    case .farText, .farBlob, nil: nil
    }
  }
}
