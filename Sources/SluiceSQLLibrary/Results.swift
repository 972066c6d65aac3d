// The functions of sluice.h on results.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CSluiceSQL
internal import CSluice
internal import SluiceSQL
internal import SluiceWire

/// Does something with a result, alone on its connection.
@inline(__always)
private func call(
  _ result: OpaquePointer?, _ body: (Rows) throws(CallFailure) -> Int32
) -> Int32 {
  guard let rows = unsafe Handle.rows(result) else { return SLUICE_MISUSE }
  return rows.client.call { (_) throws(CallFailure) in try body(rows) }
}

@c @implementation
public func sluice_step(_ result: OpaquePointer?) -> Int32 {
  unsafe call(result) { (rows) throws(CallFailure) in try rows.step() }
}

@c @implementation
public func sluice_next_rows(
  _ result: OpaquePointer?, _ given: UnsafeMutablePointer<sluice_rows>?
) -> Int32 {
  unsafe given?.pointee = sluice_rows()
  return unsafe call(result) { (rows) throws(CallFailure) in
    guard let given = unsafe given else { throw .own(SLUICE_MISUSE, "the rows are NULL") }
    guard let next = unsafe try rows.nextRows() else { return SLUICE_DONE }
    unsafe given.pointee = unsafe next
    return SLUICE_ROW
  }
}

@c @implementation
public func sluice_result_close(_ result: OpaquePointer?) -> Int32 {
  guard let handle = unsafe result else { return SLUICE_OK }
  guard let rows = unsafe Handle.rows(handle), !rows.client.isInCallback else {
    return SLUICE_MISUSE
  }
  rows.client.alone { rows.close() }
  unsafe Handle.close(handle)
  return SLUICE_OK
}

// MARK: Columns

@c @implementation
public func sluice_column_count(_ result: OpaquePointer?) -> Int32 {
  unsafe Int32(clamping: Handle.rows(result)?.columnCount ?? 0)
}

@c @implementation
public func sluice_column_name(_ result: OpaquePointer?, _ column: Int32) -> UnsafePointer<CChar>? {
  unsafe Handle.rows(result)?.name(column)
}

/// Takes something of a value of the present row; `otherwise` if there is none.
@inline(__always)
private func value<T>(
  _ result: OpaquePointer?, _ column: Int32, otherwise: T, _ take: (SQLCell) -> T
) -> T {
  var taken = otherwise
  _ = unsafe call(result) { (rows) throws(CallFailure) in
    taken = take(try rows.cell(column))
    return SLUICE_OK
  }
  return taken
}

@c @implementation
public func sluice_column_type(_ result: OpaquePointer?, _ column: Int32) -> Int32 {
  unsafe value(result, column, otherwise: SLUICE_NULL) { cell in
    switch cell {
    case .integer: SLUICE_INTEGER
    case .real: SLUICE_REAL
    case .text, .farText: SLUICE_TEXT
    case .blob, .farBlob: SLUICE_BLOB
    case .null: SLUICE_NULL
    }
  }
}

@c @implementation
public func sluice_column_int64(_ result: OpaquePointer?, _ column: Int32) -> Int64 {
  unsafe value(result, column, otherwise: 0) { cell in
    switch cell {
    case .integer(let value): value
    // As SQLite does: what is too large becomes the nearest.
    case .real(let value) where value.isNaN: 0
    case .real(let value): value >= 0x1p63 ? .max : value < -0x1p63 ? .min : Int64(value)
    default: 0
    }
  }
}

@c @implementation
public func sluice_column_double(_ result: OpaquePointer?, _ column: Int32) -> Double {
  unsafe value(result, column, otherwise: 0) { cell in
    switch cell {
    case .integer(let value): Double(value)
    case .real(let value): value
    default: 0
    }
  }
}

@c @implementation
public func sluice_column_text(
  _ result: OpaquePointer?, _ column: Int32, _ length: UnsafeMutablePointer<Int>?
) -> UnsafePointer<CChar>? {
  unsafe bytes(result, column, length) { cell in
    if case .text(let bytes) = cell { unsafe bytes } else { nil }
  }?.assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func sluice_column_blob(
  _ result: OpaquePointer?, _ column: Int32, _ length: UnsafeMutablePointer<Int>?
) -> UnsafeRawPointer? {
  unsafe bytes(result, column, length) { cell in
    if case .blob(let bytes) = cell { unsafe bytes } else { nil }
  }
}

@inline(__always)
private func bytes(
  _ result: OpaquePointer?, _ column: Int32, _ length: UnsafeMutablePointer<Int>?,
  _ take: (SQLCell) -> UnsafeRawBufferPointer?
) -> UnsafeRawPointer? {
  let bytes = unsafe value(result, column, otherwise: nil, take)
  unsafe length?.pointee = unsafe bytes?.count ?? 0
  // An empty value is there, wherever that is.
  return unsafe bytes.map { unsafe $0.baseAddress ?? UnsafeRawPointer(sluice_version()) }
}
