// A failure, and its texts. C writes them (Sources/CSluice/failures.c), which keeps libsluice.so
// small.

internal import CSQLite
internal import CSluice
internal import SluiceSystem

/// What failed, and why. `PRAGMA sluice_error` tells it later.
struct Failure: Sendable {
  let error: VFSError
  let operation: VFSOperation
  let path: [UInt8]

  /// Writes the text into `room`, with a terminating zero. Only the last `pathByteCountMaximum`
  /// bytes of the path are in it.
  @inline(never)
  func describe(
    _ form: sluice_failure_form, pathByteCountMaximum: Int = .max,
    in room: UnsafeMutableBufferPointer<CChar>
  ) {
    var socket: [CChar]?
    if case .connect(_, let named) = error { socket = named }
    var parameter: [UInt8] = []
    var parts = unsafe sluice_failure()
    if case .unknownParameter(let name, let nearest) = error {
      parameter = name
      unsafe parts.nearest = unsafe csqlite_parameter_name(nearest)
    }
    unsafe parts.code = error.resultCode(operation)
    unsafe parts.error_number = error.isOrdinary ? 0 : error.errno.rawValue
    unsafe parts.operation = unsafe characters(operation.name)
    unsafe parts.reason = unsafe characters(error.text)
    unsafe parts.remedy = unsafe remedy
    if case .outside(let root) = error { parameter = root }
    let isAboutSidecar = if case .connect = error { true } else { false }
    unsafe parts.is_about_sidecar = isAboutSidecar
    let cut = max(0, path.count - pathByteCountMaximum)
    unsafe parts.path_is_cut = cut > 0
    unsafe path.withUnsafeBufferPointer { path in
      unsafe parts.path_byte_count = Int32(path.count - cut)
      unsafe parts.path = unsafe path.baseAddress.map {
        unsafe UnsafeRawPointer($0 + cut).assumingMemoryBound(to: CChar.self)
      }
      unsafe parameter.withUnsafeBufferPointer { parameter in
        unsafe parts.parameter_byte_count = Int32(parameter.count)
        unsafe parts.parameter = unsafe parameter.baseAddress.map {
          unsafe UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)
        }
        unsafe (socket ?? []).withUnsafeBufferPointer { named in
          unsafe parts.socket = socket == nil ? nil : named.baseAddress
          unsafe sluice_failures_describe(&parts, form, room.baseAddress!, room.count)
        }
      }
    }
  }

  var remedy: UnsafePointer<CChar>? { unsafe error.remedy.map { unsafe characters($0) } }

  /// The answer of `PRAGMA sluice_error`, which SQLite frees.
  @inline(never)
  func copiedText() -> UnsafeMutablePointer<CChar>? {
    var room = [CChar](repeating: 0, count: 1600)
    return unsafe room.withUnsafeMutableBufferPointer { room in
      unsafe describe(SLUICE_FAILURE_LINES, in: room)
      return unsafe csqlite_copy(room.baseAddress!)
    }
  }
}

private func characters(_ text: StaticString) -> UnsafePointer<CChar> {
  unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
