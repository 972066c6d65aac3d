// The functions of sluice.h in an installed libsluice-sql.so, as a program in C has them.

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

  init(_ path: String) throws(ToolError) {
    let library = try DynamicLibrary(path, prefix: "sluice_", advice: "build it with Tools/build")
    unsafe open = try library.function("open")
    unsafe message = try library.function("error_message")
    unsafe execute = try library.function("execute")
    unsafe step = try library.function("step")
    unsafe integer = try library.function("column_int64")
    unsafe double = try library.function("column_double")
    unsafe text = try library.function("column_text")
    unsafe nextRows = try library.function("next_rows")
    unsafe closeResult = try library.function("result_close")
    unsafe batch = try library.function("batch")
    unsafe cancel = try library.function("cancel")
  }
}
