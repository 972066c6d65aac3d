// How an error reaches SQLite's log and xGetLastError.
//
// Threads: any. The last error is kept for each thread.

internal import CSQLite
internal import CSluice
internal import SluiceSystem

/// How much goes to sqlite3_log. SLUICE_LOG is 0 for nothing, 1 for significant failures (the
/// default), 2 for every failure.
private let logLevel: Int = {
  guard let value = unsafe environmentValue("SLUICE_LOG"), unsafe value[1] == 0 else { return 1 }
  switch unsafe UInt8(bitPattern: value[0]) {
  case UInt8(ascii: "0"): return 0
  case UInt8(ascii: "2"): return 2
  default: return 1
  }
}()

/// Stores the failure for xGetLastError, writes it to SQLite's log, and returns the result code.
@inline(never)
func report(_ error: VFSError, _ operation: VFSOperation, _ path: [UInt8]) -> Int32 {
  let code = error.resultCode(operation)
  let last = unsafe sluice_last_error()!
  unsafe last.pointee.error_number = error.errno.rawValue
  let text = unsafe sluice_last_error_text(last)!
  let room = unsafe UnsafeMutableBufferPointer(
    start: text, count: Int(SLUICE_LAST_ERROR_BYTE_COUNT))
  if logLevel == 2 || logLevel == 1 && !error.isOrdinary {
    unsafe describe(error, operation, path.suffix(loggedPathByteCountMaximum), in: room)
    unsafe csqlite_log(code, text)
  }
  unsafe describe(error, operation, path[...], in: room)
  return code
}

/// sqlite3_log cuts a message after 209 bytes, and the reason follows the path. So the log gets
/// only the end of a long path.
private let loggedPathByteCountMaximum = 80

private func describe(
  _ error: VFSError, _ operation: VFSOperation, _ path: ArraySlice<UInt8>,
  in room: UnsafeMutableBufferPointer<CChar>
) {
  var line = unsafe LineWriter(room)
  unsafe line.write("sluice: ")
  line.write(operation.name)
  unsafe line.write(" ")
  if path.startIndex > 0 { unsafe line.write("…") }
  if path.isEmpty { unsafe line.write("a temporary file") } else { line.write(path) }
  unsafe line.write(": ")
  line.write(error.text)
  if error.errno.rawValue != 0, !error.isOrdinary {
    unsafe line.write(": ")
    unsafe line.write(error.errno.text)
  }
  line.finish()
}

/// xGetLastError: the thread's last errno, and its message if there is room.
func lastError(_ byteCount: Int32, _ out: UnsafeMutablePointer<CChar>?) -> Int32 {
  let last = unsafe sluice_last_error()!
  if let out = unsafe out, byteCount > 0 {
    unsafe strncpy(out, sluice_last_error_text(last), Int(byteCount) - 1)
    unsafe out[Int(byteCount) - 1] = 0
  }
  return unsafe last.pointee.error_number
}

/// Writes one line into a buffer, and drops the bytes that do not fit.
@safe
private struct LineWriter {
  private let room: UnsafeMutableBufferPointer<CChar>
  private var count = 0

  init(_ room: UnsafeMutableBufferPointer<CChar>) { unsafe self.room = unsafe room }

  mutating func write(_ text: StaticString) {
    unsafe write(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func write(_ text: UnsafePointer<CChar>) {
    let bytes = unsafe UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
    unsafe write(UnsafeBufferPointer(start: bytes, count: strlen(text)))
  }

  mutating func write<Bytes: Sequence<UInt8>>(_ bytes: Bytes) {
    for byte in bytes where unsafe count < room.count - 1 {
      unsafe room[count] = CChar(bitPattern: byte)
      count += 1
    }
  }

  func finish() { unsafe room[count] = 0 }
}
