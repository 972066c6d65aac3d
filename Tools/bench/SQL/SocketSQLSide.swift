// A plain SQL service: SQLite in another process, and messages on a Unix stream socket, with
// blocking reads on both sides. It is what a program does that leaves its process in the usual way.
//
// A message is a head and values. Head: the byte count of all, a statement's number, and how often the
// statement is executed (request) or how many rows follow (answer), each a UInt32. A value: its type
// in a byte, then 8 bytes, or of a text 4 bytes of count and the text.

internal import CSQLite
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

@safe
struct SocketSQLSide: SQLSide {
  private let service: MeasuredProcess
  private let connection: SocketMessages
  private var request = SocketMessage()
  private var answer = SocketMessage()
  private var taken = TakenValues()
  private let name = Array(SQLWork.insertedName.utf8)

  init(_ path: String) throws(ToolError) {
    var ends: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw .failed("socketpair: \(lastErrorText())")
    }
    do throws(Errno) {
      service = try MeasuredProcess(
        ["/proc/self/exe", "peer", "sql-service", path], descriptor: ends[1])
    } catch {
      throw .system("the socket service", error)
    }
    close(ends[1])
    connection = SocketMessages(ends[0])
  }

  mutating func point(_ id: Int64) throws(ToolError) {
    request.begin(.point, count: 1)
    request.add(id)
    guard try ask() == 1 else { throw .failed("the socket service: no row") }
  }

  mutating func insert(_ number: Int64) throws(ToolError) {
    request.begin(.insert, count: 1)
    unsafe name.withUnsafeBytes { unsafe request.add($0) }
    request.add(number)
    request.add(Double(number) * 0.5)
    _ = try ask()
  }

  mutating func rows(from id: Int64) throws(ToolError) {
    request.begin(.rows, count: 1)
    request.add(id)
    guard try ask() == SQLWork.fetchedRowCount else { throw .failed("the socket service: rows") }
  }

  mutating func batch(from id: Int64) throws(ToolError) {
    try run("BEGIN")
    request.begin(.update, count: UInt32(SQLWork.batchCount))
    for number in id..<id + SQLWork.batchCount { request.add(number) }
    _ = try ask()
    try run("COMMIT")
  }

  mutating func run(_ sql: StaticString) throws(ToolError) {
    switch sql.description {
    case "BEGIN": request.begin(.begin, count: 1)
    case "COMMIT": request.begin(.commit, count: 1)
    default: request.begin(.rollback, count: 1)
    }
    _ = try ask()
  }

  /// How many rows came.
  private mutating func ask() throws(ToolError) -> Int64 {
    connection.send(&request)
    guard connection.receive(&answer) else { throw .failed("the socket service has ended") }
    while let value = answer.next() {
      switch value {
      case .integer(let number): taken.add(number)
      case .real(let number): taken.add(number)
      case .text(let text): unsafe taken.add(text)
      }
    }
    taken.forget()
    return Int64(answer.count)
  }
}

/// The other process.
enum SocketSQLService {
  enum Statement: UInt32, CaseIterable {
    case point, insert, rows, update, begin, commit, rollback

    var sql: String {
      switch self {
      case .point: SQLWork.pointSQL
      case .insert: SQLWork.insertSQL
      case .rows: SQLWork.rowsSQL
      case .update: SQLWork.updateSQL
      case .begin: "BEGIN"
      case .commit: "COMMIT"
      case .rollback: "ROLLBACK"
      }
    }

    var valueCount: Int32 { self == .insert ? 3 : rawValue < 4 ? 1 : 0 }
    var columnCount: Int32 { self == .point ? 3 : self == .rows ? 4 : 0 }
  }

  /// Serves descriptor 3 until its end.
  static func run(_ options: inout Options) throws(ToolError) -> PeerReport {
    guard let path = options.word() else { throw .failed("'sluice-bench' starts this") }
    let sqlite = try SQLiteLibrary()
    var database: SQLiteLibrary.Database?
    guard
      unsafe sqlite.open(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
        == SQLITE_OK
    else { throw .unopenable(path) }
    var statements: [SQLiteLibrary.Statement?] = unsafe []
    for (index, sql) in (SQLWork.settings + Statement.allCases.map(\.sql)).enumerated() {
      var statement: SQLiteLibrary.Statement?
      _ = unsafe sqlite.prepare(database, sql, -1, &statement, nil)
      if index >= SQLWork.settings.count {
        unsafe statements.append(statement)
      } else {
        _ = unsafe sqlite.step(statement)
        _ = unsafe sqlite.finalize(statement)
      }
    }
    let messages = SocketMessages(3)
    var (request, answer) = (SocketMessage(), SocketMessage())
    while messages.receive(&request), let number = Statement(rawValue: request.statement) {
      unsafe serve(sqlite, number, statements[Int(number.rawValue)], &request, &answer)
      messages.send(&answer)
    }
    return PeerReport()
  }

  private static func serve(
    _ sqlite: SQLiteLibrary, _ number: Statement, _ statement: SQLiteLibrary.Statement?,
    _ request: inout SocketMessage, _ answer: inout SocketMessage
  ) {
    answer.begin(number, count: 0)
    for _ in 0..<request.count {
      for index in stride(from: 1, through: number.valueCount, by: 1) {
        switch request.next() {
        case .integer(let value): _ = unsafe sqlite.bind(statement, index, value)
        case .real(let value): _ = unsafe sqlite.bindDouble(statement, index, value)
        case .text(let text):
          _ = unsafe sqlite.bindText(statement, index, text.baseAddress, Int32(text.count), nil)
        case nil: break
        }
      }
      while unsafe sqlite.step(statement) == SQLITE_ROW {
        answer.count += 1
        for column in 0..<number.columnCount {
          switch unsafe sqlite.columnType(statement, column) {
          case SQLITE_INTEGER: answer.add(unsafe sqlite.columnInteger(statement, column))
          case SQLITE_FLOAT: answer.add(unsafe sqlite.columnDouble(statement, column))
          default:
            unsafe answer.add(
              UnsafeRawBufferPointer(
                start: sqlite.columnText(statement, column),
                count: Int(sqlite.columnByteCount(statement, column))))
          }
        }
      }
      _ = unsafe sqlite.reset(statement)
    }
  }
}

/// A message in memory of its own. The peer is trusted: this measures, and serves nobody.
@safe
struct SocketMessage {
  fileprivate let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 1 << 20, alignment: 16)
  fileprivate var byteCount = 12
  private var place = 12
  private(set) var statement: UInt32 = 0
  var count: UInt32 = 0

  @safe
  enum Value {
    case integer(Int64)
    case real(Double)
    case text(UnsafeRawBufferPointer)
  }

  mutating func begin(_ statement: SocketSQLService.Statement, count: UInt32) {
    byteCount = 12
    self.statement = statement.rawValue
    self.count = count
  }

  mutating func add(_ value: Int64) { put(1, value) }
  mutating func add(_ value: Double) { put(2, Int64(bitPattern: value.bitPattern)) }

  mutating func add(_ text: UnsafeRawBufferPointer) {
    unsafe memory[byteCount] = 3
    unsafe memory.storeBytes(
      of: UInt32(text.count), toByteOffset: byteCount + 1, as: UInt32.self)
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[(byteCount + 5)...]).copyMemory(
      from: text)
    byteCount += 5 + text.count
  }

  private mutating func put(_ type: UInt8, _ value: Int64) {
    unsafe memory[byteCount] = type
    unsafe memory.storeBytes(of: value, toByteOffset: byteCount + 1, as: Int64.self)
    byteCount += 9
  }

  mutating func next() -> Value? {
    guard place < byteCount else { return nil }
    let type = unsafe memory[place]
    place += 1
    if type == 3 {
      let count = unsafe Int(memory.loadUnaligned(fromByteOffset: place, as: UInt32.self))
      place += 4 + count
      return unsafe .text(UnsafeRawBufferPointer(rebasing: memory[place - count..<place]))
    }
    let value = unsafe memory.loadUnaligned(fromByteOffset: place, as: Int64.self)
    place += 8
    return type == 1 ? .integer(value) : .real(Double(bitPattern: UInt64(bitPattern: value)))
  }

  fileprivate mutating func writeHead() {
    unsafe memory.storeBytes(of: UInt32(byteCount), as: UInt32.self)
    unsafe memory.storeBytes(of: statement, toByteOffset: 4, as: UInt32.self)
    unsafe memory.storeBytes(of: count, toByteOffset: 8, as: UInt32.self)
  }

  fileprivate mutating func readHead() {
    statement = unsafe memory.load(fromByteOffset: 4, as: UInt32.self)
    count = unsafe memory.load(fromByteOffset: 8, as: UInt32.self)
    place = 12
  }
}

/// Sends and receives messages on a socket.
private struct SocketMessages {
  let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func send(_ message: inout SocketMessage) {
    message.writeHead()
    var done = 0
    while done < message.byteCount {
      let sent = unsafe Glibc.send(
        descriptor, message.memory.baseAddress! + done, message.byteCount - done,
        Int32(MSG_NOSIGNAL))
      if sent <= 0 { return }
      done += sent
    }
  }

  /// False at the end of the socket.
  func receive(_ message: inout SocketMessage) -> Bool {
    message.byteCount = 4
    var done = 0
    while done < message.byteCount {
      // What is there comes in one call: peers wait for answers, so no other message follows.
      let room = unsafe message.memory.count - done
      let received = unsafe recv(descriptor, message.memory.baseAddress! + done, room, 0)
      if received <= 0 { return false }
      done += received
      if done >= 4 {
        message.byteCount = unsafe min(
          message.memory.count, Int(message.memory.load(as: UInt32.self)))
      }
    }
    message.readHead()
    return true
  }
}
