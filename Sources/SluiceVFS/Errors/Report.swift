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

/// Stores the failure for xGetLastError, writes it to the logs, and returns the result code.
@inline(never)
func report(_ error: VFSError, _ operation: VFSOperation, _ path: [UInt8]) -> Int32 {
  report(Failure(error: error, operation: operation, path: path))
}

@inline(never)
func report(_ failure: Failure) -> Int32 {
  let error = failure.error
  let code = error.resultCode(failure.operation)
  let last = unsafe sluice_last_error()!
  unsafe last.pointee.error_number = error.errno.rawValue
  let text = unsafe sluice_last_error_text(last)!
  let room = unsafe UnsafeMutableBufferPointer(
    start: text, count: Int(SLUICE_LAST_ERROR_BYTE_COUNT))
  let isLogged = logLevel == 2 || logLevel == 1 && !error.isOrdinary
  let isTold = !error.isOrdinary && !error.isNotice(failure.operation)
  if isLogged {
    unsafe failure.describe(
      SLUICE_FAILURE_LINE, pathByteCountMaximum: loggedPathByteCountMaximum, in: room)
    unsafe csqlite_log(code, text)
  }
  if isLogged || isTold {
    unsafe failure.describe(SLUICE_FAILURE_DETAILED_LINE, in: room)
    if isLogged { unsafe sluice_failures_log(code, text, failure.remedy) }
    if isTold { unsafe sluice_failures_tell(text, failure.remedy) }
  }
  unsafe failure.describe(SLUICE_FAILURE_LINE, in: room)
  return code
}

/// sqlite3_log cuts a message after 209 bytes, and the reason follows the path. So the log gets
/// only the end of a long path.
private let loggedPathByteCountMaximum = 80

/// xGetLastError: the thread's last errno, and its message if there is room.
func lastError(_ byteCount: Int32, _ out: UnsafeMutablePointer<CChar>?) -> Int32 {
  let last = unsafe sluice_last_error()!
  if let out = unsafe out, byteCount > 0 {
    unsafe strncpy(out, sluice_last_error_text(last), Int(byteCount) - 1)
    unsafe out[Int(byteCount) - 1] = 0
  }
  return unsafe last.pointee.error_number
}
