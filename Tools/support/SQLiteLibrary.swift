// The installed SQLite, loaded at run time.

package import CSQLite

/// The functions of libsqlite3 that tools call. The library is never unloaded.
@safe
package final class SQLiteLibrary {
  package typealias Database = OpaquePointer
  package typealias Statement = OpaquePointer
  package typealias Text = UnsafePointer<CChar>

  package let libraryVersion: @convention(c) () -> Text
  package let open: @convention(c) (Text, UnsafeMutablePointer<Database?>, Int32, Text?) -> Int32
  package let close: @convention(c) (Database?) -> Int32
  package let busyTimeout: @convention(c) (Database?, Int32) -> Int32
  package let message: @convention(c) (Database?) -> Text
  package let prepare:
    @convention(c) (
      Database?, Text, Int32, UnsafeMutablePointer<Statement?>, UnsafeMutablePointer<Text?>?
    ) -> Int32
  package let step: @convention(c) (Statement?) -> Int32
  package let reset: @convention(c) (Statement?) -> Int32
  package let finalize: @convention(c) (Statement?) -> Int32
  package let bind: @convention(c) (Statement?, Int32, Int64) -> Int32
  package let bindDouble: @convention(c) (Statement?, Int32, Double) -> Int32
  /// The last parameter is SQLITE_STATIC, nil, or SQLite's own.
  package let bindText:
    @convention(c) (Statement?, Int32, UnsafeRawPointer?, Int32, UnsafeRawPointer?) -> Int32
  package let columnText: @convention(c) (Statement?, Int32) -> UnsafePointer<UInt8>?
  package let columnByteCount: @convention(c) (Statement?, Int32) -> Int32
  package let columnInteger: @convention(c) (Statement?, Int32) -> Int64
  package let columnDouble: @convention(c) (Statement?, Int32) -> Double
  package let columnType: @convention(c) (Statement?, Int32) -> Int32
  package let interrupt: @convention(c) (Database?) -> Void
  package let enableLoadExtension: @convention(c) (Database?, Int32) -> Int32
  package let loadExtension:
    @convention(c) (
      Database?, Text, Text?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> Int32
  package let findVFS: @convention(c) (Text) -> UnsafeMutablePointer<sqlite3_vfs>?
  package let registerVFS: @convention(c) (UnsafeMutablePointer<sqlite3_vfs>, Int32) -> Int32
  package let createFilename:
    @convention(c) (
      Text, Text, Text, Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> UnsafeMutablePointer<CChar>?
  package let journalFilename: @convention(c) (Text) -> Text?

  package init() throws(ToolError) {
    let library = try DynamicLibrary.sqlite()
    unsafe libraryVersion = try library.function("libversion")
    unsafe open = try library.function("open_v2")
    unsafe close = try library.function("close_v2")
    unsafe busyTimeout = try library.function("busy_timeout")
    unsafe message = try library.function("errmsg")
    unsafe prepare = try library.function("prepare_v2")
    unsafe step = try library.function("step")
    unsafe reset = try library.function("reset")
    unsafe finalize = try library.function("finalize")
    unsafe bind = try library.function("bind_int64")
    unsafe bindDouble = try library.function("bind_double")
    unsafe bindText = try library.function("bind_text")
    unsafe columnText = try library.function("column_text")
    unsafe columnByteCount = try library.function("column_bytes")
    unsafe columnInteger = try library.function("column_int64")
    unsafe columnDouble = try library.function("column_double")
    unsafe columnType = try library.function("column_type")
    unsafe interrupt = try library.function("interrupt")
    unsafe enableLoadExtension = try library.function("enable_load_extension")
    unsafe loadExtension = try library.function("load_extension")
    unsafe findVFS = try library.function("vfs_find")
    unsafe registerVFS = try library.function("vfs_register")
    unsafe createFilename = try library.function("create_filename")
    unsafe journalFilename = try library.function("filename_journal")
  }

  package var version: String { unsafe String(cString: libraryVersion()) }
}

extension DynamicLibrary {
  /// SQLite 3.32 or newer.
  package static func sqlite() throws(ToolError) -> DynamicLibrary {
    try DynamicLibrary("libsqlite3.so.0", prefix: "sqlite3_", advice: "install libsqlite3-0")
  }
}
