// The functions of sluice.h on results.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL

/// Does something with a result, alone on its connection.
@inline(never)
private func call(
  _ rows: Rows, _ body: (Rows) throws(CallFailure) -> Int32
) -> Int32 {
  rows.client.call { (_) throws(CallFailure) in try body(rows) }
}

@c @implementation
public func sluice_step(_ result: OpaquePointer?) -> Int32 {
  unsafe Handle.withRows(result, otherwise: SLUICE_MISUSE) { rows in
    if !rows.client.isClosed, rows.stepInPage() { return SLUICE_ROW }
    return call(rows) { (rows) throws(CallFailure) in try rows.step() }
  }
}

@c @implementation
public func sluice_next_rows(
  _ result: OpaquePointer?, _ given: UnsafeMutablePointer<sluice_rows>?
) -> Int32 {
  unsafe given?.pointee = sluice_rows()
  return unsafe Handle.withRows(result, otherwise: SLUICE_MISUSE) { rows in
    call(rows) { (rows) throws(CallFailure) in
      guard let given = unsafe given else { throw .own(SLUICE_MISUSE, "the rows are NULL") }
      guard let next = unsafe try rows.nextRows() else { return SLUICE_DONE }
      unsafe given.pointee = unsafe next
      return SLUICE_ROW
    }
  }
}

@c @implementation
public func sluice_result_close(_ result: OpaquePointer?) -> Int32 {
  guard let handle = unsafe result else { return SLUICE_OK }
  return unsafe Handle.withRows(handle, otherwise: SLUICE_MISUSE) { rows in
    if rows.client.isInCallback { return SLUICE_MISUSE }
    rows.client.close(rows)
    unsafe Handle.close(handle)
    return SLUICE_OK
  }
}

// MARK: Columns

@c @implementation
public func sluice_column_count(_ result: OpaquePointer?) -> Int32 {
  unsafe Handle.withRows(result, otherwise: 0) { Int32(clamping: $0.columnCount) }
}

@c @implementation
public func sluice_column_name(_ result: OpaquePointer?, _ column: Int32) -> UnsafePointer<CChar>? {
  unsafe Handle.withRows(result, otherwise: nil) { unsafe $0.name(column) }
}

/// Takes something of a value of the present row; `otherwise` if there is none.
@inline(__always)
private func value<T>(
  _ result: OpaquePointer?, _ column: Int32, otherwise: T, _ take: (sluice_value) -> T
) -> T {
  unsafe Handle.withRows(result, otherwise: otherwise) { rows in
    if !rows.client.isClosed, let value = unsafe rows.value(column) { return unsafe take(value) }
    return unsafe farValue(rows, column).map { unsafe take($0) } ?? otherwise
  }
}

/// The same for a value that is read in pieces, and for one that cannot be had.
@inline(never)
private func farValue(_ rows: Rows, _ column: Int32) -> sluice_value? {
  var taken: sluice_value?
  _ = call(rows) { (rows) throws(CallFailure) in
    unsafe taken = unsafe try rows.farValue(column)
    return SLUICE_OK
  }
  return unsafe taken
}

@c @implementation
public func sluice_column_type(_ result: OpaquePointer?, _ column: Int32) -> Int32 {
  unsafe Handle.withRows(result, otherwise: SLUICE_NULL) { rows in
    if !rows.client.isClosed, let type = rows.type(column) { return type }
    return unsafe farValue(rows, column)?.type ?? SLUICE_NULL
  }
}

@c @implementation
public func sluice_column_int64(_ result: OpaquePointer?, _ column: Int32) -> Int64 {
  unsafe value(result, column, otherwise: 0) { value in
    switch unsafe value.type {
    case SLUICE_INTEGER: unsafe value.integer
    case SLUICE_REAL: unsafe integer(value.real)
    default: 0
    }
  }
}

/// As SQLite does: what is too large becomes the nearest.
private func integer(_ value: Double) -> Int64 {
  value.isNaN ? 0 : value >= 0x1p63 ? .max : value < -0x1p63 ? .min : Int64(value)
}

@c @implementation
public func sluice_column_double(_ result: OpaquePointer?, _ column: Int32) -> Double {
  unsafe value(result, column, otherwise: 0) { value in
    switch unsafe value.type {
    case SLUICE_INTEGER: unsafe Double(value.integer)
    case SLUICE_REAL: unsafe value.real
    default: 0
    }
  }
}

@c @implementation
public func sluice_column_text(
  _ result: OpaquePointer?, _ column: Int32, _ length: UnsafeMutablePointer<Int>?
) -> UnsafePointer<CChar>? {
  unsafe bytes(result, column, SLUICE_TEXT, length)?.assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func sluice_column_blob(
  _ result: OpaquePointer?, _ column: Int32, _ length: UnsafeMutablePointer<Int>?
) -> UnsafeRawPointer? {
  unsafe bytes(result, column, SLUICE_BLOB, length)
}

/// The bytes of a value of that type. An empty one is there, wherever that is.
@inline(__always)
private func bytes(
  _ result: OpaquePointer?, _ column: Int32, _ type: Int32, _ length: UnsafeMutablePointer<Int>?
) -> UnsafeRawPointer? {
  unsafe length?.pointee = 0
  return unsafe value(result, column, otherwise: nil) { value in
    guard unsafe value.type == type else { return nil }
    unsafe length?.pointee = Int(value.length)
    return unsafe value.length == 0 ? UnsafeRawPointer(sluice_version()) : value.bytes
  }
}
