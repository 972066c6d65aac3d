// The functions of sluice.h in an installed libsluice-sql.so, as a program in C has them.

internal import CSluice
internal import CSluiceSQL
internal import ToolSupport

@safe
struct SluiceSQLFunctions {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Place = UnsafeMutablePointer<Handle?>

  let open: @convention(c) (Text?, Text?, UInt32, Int32, Place?) -> Int32
  let message: @convention(c) (Handle?) -> Text
  let execute:
    @convention(c) (
      Handle?, Text?, Int, UnsafePointer<sluice_value>?, Int, UInt32, Place?
    ) -> Int32
  let step: @convention(c) (Handle?) -> Int32
  let integer: @convention(c) (Handle?, Int32) -> Int64
  let double: @convention(c) (Handle?, Int32) -> Double
  let text: @convention(c) (Handle?, Int32, UnsafeMutablePointer<Int>?) -> Text?
  let nextRows: @convention(c) (Handle?, UnsafeMutablePointer<sluice_rows>?) -> Int32
  let closeResult: @convention(c) (Handle?) -> Int32
  let batch:
    @convention(c) (
      Handle?, UnsafePointer<sluice_batch_step>?, Int, Int32, UInt32,
      UnsafeMutablePointer<Int64>?, UnsafeMutablePointer<Int>?
    ) -> Int32
  let cancel: @convention(c) (Handle?) -> Int32

  /// The library is never unloaded.
  init(_ path: String) throws(ToolError) {
    guard let library = unsafe dlopen(path, RTLD_NOW) else {
      throw .failed("\(path): \(unsafe dlerror().map { unsafe String(cString: $0) } ?? "")")
    }
    unsafe open = try unsafe function("open", of: library)
    unsafe message = try unsafe function("error_message", of: library)
    unsafe execute = try unsafe function("execute", of: library)
    unsafe step = try unsafe function("step", of: library)
    unsafe integer = try unsafe function("column_int64", of: library)
    unsafe double = try unsafe function("column_double", of: library)
    unsafe text = try unsafe function("column_text", of: library)
    unsafe nextRows = try unsafe function("next_rows", of: library)
    unsafe closeResult = try unsafe function("result_close", of: library)
    unsafe batch = try unsafe function("batch", of: library)
    unsafe cancel = try unsafe function("cancel", of: library)
  }
}

private func function<Function>(
  _ name: String, of library: UnsafeMutableRawPointer
) throws(ToolError) -> Function {
  guard let address = unsafe dlsym(library, "sluice_" + name) else {
    throw .failed("libsluice-sql.so has no sluice_\(name)")
  }
  return unsafe unsafeBitCast(address, to: Function.self)
}
