// The installed SQLite, loaded at run time: tools start, and show their help, where there is none.

package import CSQLite
internal import CSluice

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

  private static let fileName = "libsqlite3.so.0"

  package init() throws(ToolError) {
    guard let library = unsafe dlopen(SQLiteLibrary.fileName, RTLD_NOW) else {
      let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given"
      throw .failed(
        "\(SQLiteLibrary.fileName): cannot be loaded: \(reason); install libsqlite3-0")
    }
    unsafe libraryVersion = try unsafe function("libversion", of: library)
    unsafe open = try unsafe function("open_v2", of: library)
    unsafe close = try unsafe function("close_v2", of: library)
    unsafe busyTimeout = try unsafe function("busy_timeout", of: library)
    unsafe message = try unsafe function("errmsg", of: library)
    unsafe prepare = try unsafe function("prepare_v2", of: library)
    unsafe step = try unsafe function("step", of: library)
    unsafe reset = try unsafe function("reset", of: library)
    unsafe finalize = try unsafe function("finalize", of: library)
    unsafe bind = try unsafe function("bind_int64", of: library)
    unsafe bindDouble = try unsafe function("bind_double", of: library)
    unsafe bindText = try unsafe function("bind_text", of: library)
    unsafe columnText = try unsafe function("column_text", of: library)
    unsafe columnByteCount = try unsafe function("column_bytes", of: library)
    unsafe columnInteger = try unsafe function("column_int64", of: library)
    unsafe columnDouble = try unsafe function("column_double", of: library)
    unsafe columnType = try unsafe function("column_type", of: library)
    unsafe interrupt = try unsafe function("interrupt", of: library)
    unsafe enableLoadExtension = try unsafe function("enable_load_extension", of: library)
    unsafe loadExtension = try unsafe function("load_extension", of: library)
    unsafe findVFS = try unsafe function("vfs_find", of: library)
    unsafe registerVFS = try unsafe function("vfs_register", of: library)
    unsafe createFilename = try unsafe function("create_filename", of: library)
    unsafe journalFilename = try unsafe function("filename_journal", of: library)
  }

  package var version: String { unsafe String(cString: libraryVersion()) }
}

private func function<Function>(
  _ name: String, of library: UnsafeMutableRawPointer
) throws(ToolError) -> Function {
  guard let address = unsafe dlsym(library, "sqlite3_" + name) else {
    throw .failed("libsqlite3.so.0: has no sqlite3_\(name); SQLite 3.32 or newer is needed")
  }
  return unsafe unsafeBitCast(address, to: Function.self)
}
