// A whole database as bytes: the file that stock SQLite would open.
//
// The image is copied in one read transaction, so it is consistent while others write. An image of
// a WAL database says WAL in its header, which a database in memory cannot have; the image says
// rollback journal instead (bytes 18 and 19, see SQLite's file format).

internal import CEngine

@safe
final class DatabaseImage {
  private let bytes: UnsafeMutablePointer<UInt8>
  let byteCount: Int

  /// Copies the database of a connection that has no transaction open.
  init(of connection: Connection) throws(DatabaseError) {
    guard connection.isAutocommit else {
      throw DatabaseError(SQLITE_MISUSE, "a transaction is open; end it before the export")
    }
    let pageCount = try connection.number("PRAGMA page_count")
    let pageByteCount = try connection.number("PRAGMA page_size")
    guard pageCount * pageByteCount <= Limits.imageByteCountMaximum else {
      throw DatabaseError(
        SQLITE_TOOBIG,
        "the database is larger than 1 GiB; use the shell's .backup on the sidecar instead")
    }
    let copy = try unsafe openMemory()
    defer { unsafe sqlite3_close_v2(copy) }
    try unsafe copyAll(from: connection.handle, to: copy)
    var count: Int64 = 0
    guard let bytes = unsafe sqlite3_serialize(copy, "main", &count, 0) else {
      throw DatabaseError(SQLITE_NOMEM, "no memory for the database's image")
    }
    unsafe self.bytes = unsafe bytes
    byteCount = Int(count)
    if byteCount > 19 { for index in 18...19 { unsafe bytes[index] = 1 } }
  }

  deinit { unsafe sqlite3_free(bytes) }

  /// Copies as much as there is from an offset.
  func copy(from offset: Int, into room: UnsafeMutableRawBufferPointer) -> Int {
    let count = max(0, min(room.count, byteCount - offset))
    if count > 0 {
      unsafe room.baseAddress!.copyMemory(from: bytes + offset, byteCount: count)
    }
    return count
  }
}

/// An image that a client sent, as a database in memory that SQLite can read.
@safe
final class SeedImage {
  private let source: OpaquePointer

  init(_ image: [UInt8]) throws(DatabaseError) {
    guard image.count >= 512, image.starts(with: Array("SQLite format 3\0".utf8)) else {
      throw DatabaseError(SQLITE_NOTADB, "the image is no SQLite database")
    }
    unsafe source = try unsafe openMemory()
    // From here on `deinit` closes, even if this throws.
    try load(image)
  }

  deinit { unsafe sqlite3_close_v2(source) }

  private func load(_ image: [UInt8]) throws(DatabaseError) {
    guard let copy = unsafe sqlite3_malloc64(UInt64(image.count)) else {
      throw DatabaseError(SQLITE_NOMEM, "no memory for the database's image")
    }
    unsafe image.withUnsafeBytes {
      unsafe copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
    let bytes = unsafe copy.assumingMemoryBound(to: UInt8.self)
    for index in 18...19 { unsafe bytes[index] = 1 }
    let flags = UInt32(SQLITE_DESERIALIZE_FREEONCLOSE) | UInt32(SQLITE_DESERIALIZE_READONLY)
    var code = unsafe sqlite3_deserialize(
      source, "main", bytes, Int64(image.count), Int64(image.count), flags)
    // It is looked at with the first read.
    if code == SQLITE_OK {
      code = unsafe sqlite3_exec(source, "SELECT count(*) FROM sqlite_schema", nil, nil, nil)
    }
    guard code == SQLITE_OK else { throw unsafe DatabaseError(of: source, code) }
  }

  /// Makes the connection's empty database equal to the image.
  func copy(into connection: Connection) throws(DatabaseError) {
    try unsafe copyAll(from: source, to: connection.handle)
  }
}

private func openMemory() throws(DatabaseError) -> OpaquePointer {
  var handle: OpaquePointer?
  let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
  let code = unsafe sqlite3_open_v2(":memory:", &handle, flags, nil)
  guard code == SQLITE_OK, let handle = unsafe handle else {
    let error = unsafe DatabaseError(of: handle, code)
    unsafe sqlite3_close_v2(handle)
    throw error
  }
  return unsafe handle
}

private func copyAll(
  from source: OpaquePointer, to target: OpaquePointer
) throws(DatabaseError) {
  guard let backup = unsafe sqlite3_backup_init(target, "main", source, "main") else {
    throw unsafe DatabaseError(of: target, sqlite3_errcode(target))
  }
  // All pages in one step: the copy is consistent.
  let code = unsafe sqlite3_backup_step(backup, -1)
  let end = unsafe sqlite3_backup_finish(backup)
  guard code == SQLITE_DONE, end == SQLITE_OK else {
    throw unsafe DatabaseError(of: target, end == SQLITE_OK ? code : end)
  }
}
