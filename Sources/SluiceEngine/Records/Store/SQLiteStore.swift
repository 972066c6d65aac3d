// An ordered store on SQLite: each partition is a table (key BLOB PRIMARY KEY, value BLOB) WITHOUT
// ROWID, which is one B-tree in the order of the keys.
//
// One connection, used by one thread at a time. Its statements are compiled once.

internal import CEngine
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

@safe
final class SQLiteStore: OrderedStore {
  private let handle: OpaquePointer
  private let busyNanoseconds: Int64
  private var busySince: Int64 = 0
  private let begin: EngineStatement
  private let beginReading: EngineStatement
  private let commit: EngineStatement
  private let rollback: EngineStatement
  private var gets: [EngineStatement]
  private var puts: [EngineStatement]
  private var deletes: [EngineStatement]
  private var rangeDeletes: [EngineStatement]
  /// Idle ones, by partition: a scan within a scan has one of its own.
  private var scans: [[EngineStatement]]
  /// The same for ranges without an end.
  private var openScans: [[EngineStatement]]
  /// The version of the file after this store's last commit.
  private var versionLeft: UInt32 = 0
  private var foreignChangeCount: UInt32 = 0
  private let wantsFull = Atomic<Bool>(false)
  /// What SQLite does now; nil before the first transaction.
  private var isFull: Bool?

  /// The version of the tables, in `meta` under this key, in 32 bits big-endian.
  static let schemaVersionKey = Array("schema_version".utf8)
  static let schemaVersion: UInt32 = 1

  /// Opens the store at `path` for one who changes it, or only reads it. `mode` is for the first
  /// who opens it; a reader opens what is there.
  init(
    path: [UInt8], at place: DatabasePlace, mode: SQLOpenMode, isReader: Bool = false,
    busyMilliseconds: Int64
  ) throws(DatabaseError) {
    let connection = try StoreConnection(
      path: path, at: place, creates: mode != .open && !isReader)
    unsafe handle = unsafe connection.handle
    busyNanoseconds = busyMilliseconds * 1_000_000
    if !isReader { try connection.makeTables(mode, version: Self.schemaVersion) }
    try connection.checkTables(version: Self.schemaVersion)
    unsafe begin = try EngineStatement("BEGIN IMMEDIATE", on: handle)
    unsafe beginReading = try EngineStatement("BEGIN", on: handle)
    unsafe commit = try EngineStatement("COMMIT", on: handle)
    unsafe rollback = try EngineStatement("ROLLBACK", on: handle)
    gets = try unsafe Self.statements(on: handle) { "SELECT value FROM \($0) WHERE key = ?1" }
    puts = try unsafe Self.statements(on: handle) { "REPLACE INTO \($0) VALUES (?1, ?2)" }
    deletes = try unsafe Self.statements(on: handle) { "DELETE FROM \($0) WHERE key = ?1" }
    rangeDeletes = try unsafe Self.statements(on: handle) {
      "DELETE FROM \($0) WHERE key >= ?1 AND key < ?2"
    }
    scans = Partition.allCases.map { _ in [] }
    openScans = scans
    connection.keep()
    unsafe sqlite3_busy_handler(
      handle,
      { (context, count) in
        unsafe Unmanaged<SQLiteStore>.fromOpaque(context!).takeUnretainedValue().waitBusy(count)
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// `close_v2` waits for the statements, which end after this.
  deinit {
    unsafe sqlite3_busy_handler(handle, nil, nil)
    unsafe sqlite3_close_v2(handle)
  }

  private static func statements(
    on handle: OpaquePointer, _ sql: (String) -> String
  ) throws(DatabaseError) -> [EngineStatement] {
    var statements: [EngineStatement] = []
    for partition in Partition.allCases {
      statements.append(try unsafe EngineStatement(sql(partition.name), on: handle))
    }
    return statements
  }

  private func waitBusy(_ count: Int32) -> Int32 {
    let now = Clock.monotonicNanoseconds()
    if count == 0 { busySince = now }
    guard now - busySince < busyNanoseconds else { return 0 }
    unsafe cengine_sleep(handle, 1000)
    return 1
  }

  /// With `full`, what is changed from the next transaction on outlives a loss of power. Any thread
  /// may call it.
  func want(_ durability: RecordDurability) {
    wantsFull.store(durability == .full, ordering: .relaxed)
  }

  private func useWantedDurability() throws(DatabaseError) {
    let wanted = wantsFull.load(ordering: .relaxed)
    guard wanted != isFull else { return }
    let level = wanted ? "FULL" : "NORMAL"
    let code = unsafe sqlite3_exec(handle, "PRAGMA synchronous = \(level)", nil, nil, nil)
    guard code == SQLITE_OK else { throw unsafe DatabaseError(of: handle, code) }
    isFull = wanted
  }

  // MARK: Reading

  func get(_ partition: Partition, _ key: [UInt8]) throws(DatabaseError) -> [UInt8]? {
    let statement = gets[partition.rawValue]
    return try statement.binding(key) { () throws(DatabaseError) in
      guard try statement.step() else { return nil }
      return unsafe Array(statement.blob(0))
    }
  }

  func scan(
    _ partition: Partition, _ range: KeyRange,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(DatabaseError) -> Bool
  ) throws(DatabaseError) {
    let statement = try takeScan(partition, hasEnd: range.end != nil)
    defer { giveBack(statement, partition, hasEnd: range.end != nil) }
    try statement.binding(range.start, range.end) { () throws(DatabaseError) in
      while try statement.step() {
        guard try unsafe body(statement.blob(0), statement.blob(1)) else { return }
      }
    }
  }

  private func takeScan(
    _ partition: Partition, hasEnd: Bool
  ) throws(DatabaseError) -> EngineStatement {
    let index = partition.rawValue
    if let idle = hasEnd ? scans[index].popLast() : openScans[index].popLast() { return idle }
    let condition = hasEnd ? "key >= ?1 AND key < ?2" : "key >= ?1"
    return try unsafe EngineStatement(
      "SELECT key, value FROM \(partition.name) WHERE \(condition) ORDER BY key", on: handle)
  }

  private func giveBack(_ statement: EngineStatement, _ partition: Partition, hasEnd: Bool) {
    if hasEnd {
      scans[partition.rawValue].append(statement)
    } else {
      openScans[partition.rawValue].append(statement)
    }
  }

  func consistently<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    // Within `atomically`, everything is consistent already.
    guard unsafe sqlite3_get_autocommit(handle) != 0 else { return try body() }
    try beginReading.run()
    defer { try? commit.run() }
    return try body()
  }

  // MARK: Changing

  func put(
    _ partition: Partition, _ key: [UInt8], _ value: UnsafeRawBufferPointer
  ) throws(DatabaseError) {
    let statement = puts[partition.rawValue]
    unsafe cengine_bind_blob(statement.handle, 2, value.baseAddress, UInt64(value.count), 1)
    try statement.binding(key) { () throws(DatabaseError) in _ = try statement.step() }
  }

  func delete(_ partition: Partition, _ key: [UInt8]) throws(DatabaseError) {
    let statement = deletes[partition.rawValue]
    try statement.binding(key) { () throws(DatabaseError) in _ = try statement.step() }
  }

  func delete(_ partition: Partition, _ range: KeyRange) throws(DatabaseError) {
    guard range.end != nil else {
      let statement = try unsafe EngineStatement(
        "DELETE FROM \(partition.name) WHERE key >= ?1", on: handle)
      return try statement.binding(range.start) { () throws(DatabaseError) in
        _ = try statement.step()
      }
    }
    let statement = rangeDeletes[partition.rawValue]
    try statement.binding(range.start, range.end) { () throws(DatabaseError) in
      _ = try statement.step()
    }
  }

  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    if unsafe sqlite3_get_autocommit(handle) == 0 { return try withSavepoint(body) }
    try useWantedDurability()
    try begin.run()
    let version = fileVersion
    if version != versionLeft { foreignChangeCount &+= 1 }
    do throws(DatabaseError) {
      let result = try body()
      try commit.run()
      versionLeft = fileVersion
      return result
    } catch {
      // SQLite has rolled back by itself after some errors.
      if unsafe sqlite3_get_autocommit(handle) == 0 { try? rollback.run() }
      versionLeft = fileVersion
      throw error
    }
  }

  func foreignChanges() -> UInt32 { foreignChangeCount }

  /// Changes with each commit of this connection, and when it sees one of another.
  private var fileVersion: UInt32 {
    var version: UInt32 = 0
    unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_DATA_VERSION, &version)
    return version
  }

  // MARK: A transaction around several

  private func withSavepoint<R>(
    _ body: () throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    try unsafe EngineStatement("SAVEPOINT part", on: handle).run()
    do throws(DatabaseError) {
      let result = try body()
      try unsafe EngineStatement("RELEASE part", on: handle).run()
      return result
    } catch {
      try? unsafe EngineStatement("ROLLBACK TO part", on: handle).run()
      try? unsafe EngineStatement("RELEASE part", on: handle).run()
      throw error
    }
  }

  /// Begins a transaction that goes on until `endLong`. What is done atomically meanwhile is a part
  /// of it. Another connection that wants to write waits.
  func beginLong() throws(DatabaseError) {
    try useWantedDurability()
    try begin.run()
  }

  func endLong(commits: Bool) throws(DatabaseError) {
    try commits ? commit.run() : rollback.run()
    versionLeft = fileVersion
  }
}

/// A connection until it is known to be a record store's. It closes what it does not hand over.
@safe
private final class StoreConnection {
  let handle: OpaquePointer
  private var isKept = false

  init(
    path: [UInt8], at place: DatabasePlace, creates: Bool
  ) throws(DatabaseError) {
    var flags = cengine_open_flags
    // A reader, too, may have to recover the WAL.
    flags |= SQLITE_OPEN_READWRITE
    if creates { flags |= SQLITE_OPEN_CREATE }
    let uri = path == Connection.memoryPath ? path : try place.uri(of: path)
    let name = uri.map { CChar(bitPattern: $0) } + [0]
    var handle: OpaquePointer?
    let code =
      if let vfs = place.vfs {
        unsafe sqlite3_open_v2(name, &handle, flags, vfs)
      } else {
        unsafe sqlite3_open_v2(name, &handle, flags, nil)
      }
    guard code == SQLITE_OK, let handle = unsafe handle else {
      let error = unsafe DatabaseError(of: handle, code)
      unsafe sqlite3_close_v2(handle)
      throw error
    }
    unsafe self.handle = unsafe handle
    unsafe sqlite3_busy_timeout(handle, 5000)
    try unsafe check(cengine_harden(handle))
    // The place may have no temporary files. SQLite wants one for a savepoint of many pages.
    try run("PRAGMA temp_store = MEMORY")
  }

  deinit { if !isKept { unsafe sqlite3_close_v2(handle) } }

  func keep() { isKept = true }

  private func check(_ code: Int32) throws(DatabaseError) {
    if code != SQLITE_OK { throw unsafe DatabaseError(of: handle, code) }
  }

  private func run(_ sql: String) throws(DatabaseError) {
    try unsafe check(sqlite3_exec(handle, sql, nil, nil, nil))
  }

  private func tableCount(_ condition: String = "TRUE") throws(DatabaseError) -> Int64 {
    let statement = try unsafe EngineStatement(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND \(condition)", on: handle)
    _ = try statement.step()
    return statement.integer(0)
  }

  /// Makes the tables of a new store, in one transaction.
  func makeTables(_ mode: SQLOpenMode, version: UInt32) throws(DatabaseError) {
    if mode == .create, try tableCount() > 0 {
      throw DatabaseError(SQLITE_CANTOPEN, "the store exists already")
    }
    guard mode != .open, try tableCount() == 0 else { return }
    try run("PRAGMA journal_mode = WAL")
    try run("BEGIN IMMEDIATE")
    do throws(DatabaseError) {
      // Another may have been faster.
      if try tableCount() == 0 {
        for partition in Partition.allCases {
          try run(
            "CREATE TABLE \(partition.name)(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
          )
        }
        try run("INSERT INTO meta VALUES (CAST('schema_version' AS BLOB), \(hex(version)))")
      } else if mode == .create {
        throw DatabaseError(SQLITE_CANTOPEN, "the store exists already")
      }
      try run("COMMIT")
    } catch {
      try? run("ROLLBACK")
      throw error
    }
  }

  private func hex(_ version: UInt32) -> String {
    let digits = String(version, radix: 16)
    return "x'" + String(repeating: "0", count: 8 - digits.utf8.count) + digits + "'"
  }

  /// Another database must not be taken for a store.
  func checkTables(version: UInt32) throws(DatabaseError) {
    let names = Partition.allCases.map { "'\($0.name)'" }.joined(separator: ", ")
    guard try tableCount("name IN (\(names))") == Int64(Partition.allCases.count) else {
      throw DatabaseError(
        SQLITE_NOTADB, "this database is no record store; open another path, or create one")
    }
    let statement = try unsafe EngineStatement(
      "SELECT value FROM meta WHERE key = CAST('schema_version' AS BLOB)", on: handle)
    let found = try statement.step() ? statement.blobNumber(0) : nil
    guard found == version else {
      throw DatabaseError(
        SQLITE_NOTADB,
        "the record store has version \(found.map(String.init) ?? "none"); this engine reads \(version)"
      )
    }
  }
}

extension EngineStatement {
  /// Runs `body` with blobs as parameters 1 and 2, and resets the statement then.
  fileprivate func binding<R>(
    _ first: [UInt8], _ second: [UInt8]?, _ body: () throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    guard let second else {
      _ = unsafe sqlite3_bind_null(handle, 2)
      return try binding(first, body)
    }
    let result: Result<R, DatabaseError> = unsafe second.withUnsafeBytes { second in
      unsafe cengine_bind_blob(handle, 2, second.baseAddress, UInt64(second.count), 1)
      do throws(DatabaseError) { return .success(try binding(first, body)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  fileprivate func binding<R>(
    _ first: [UInt8], _ body: () throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    let result: Result<R, DatabaseError> = unsafe first.withUnsafeBytes { first in
      unsafe cengine_bind_blob(handle, 1, first.baseAddress, UInt64(first.count), 1)
      defer { reset() }
      do throws(DatabaseError) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// The bytes of the column, until the next step.
  fileprivate func blob(_ column: Int32) -> UnsafeRawBufferPointer {
    let start = unsafe sqlite3_column_blob(handle, column)
    let count = unsafe Int(sqlite3_column_bytes(handle, column))
    return unsafe UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
  }

  /// A number of 32 bits, big-endian; nil if the blob is none.
  fileprivate func blobNumber(_ column: Int32) -> UInt32? {
    let bytes = unsafe Array(blob(column))
    guard bytes.count == 4 else { return nil }
    return bytes.reduce(0) { $0 << 8 | UInt32($1) }
  }
}
