// The bytes of record messages in a payload: little-endian numbers and byte strings with their
// count before them, without gaps. What is hot in the record operations is here; their arguments are
// in RecordMessages.swift. Protocol/RECORDS.md has the tables.

/// Writes at the end of an array.
public struct RecordByteWriter {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var count: Int { bytes.count }

  public mutating func reserve(_ byteCount: Int) { bytes.reserveCapacity(byteCount) }
  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  @inline(__always)
  public mutating func number<T: FixedWidthInteger>(_ value: T) {
    unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  /// The count in 32 bits, then the bytes.
  @inline(__always)
  public mutating func string(_ value: some Collection<UInt8>) {
    number(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  @inline(__always)
  public mutating func string(_ value: UnsafeRawBufferPointer) {
    number(UInt32(value.count))
    unsafe bytes.append(contentsOf: value)
  }

  /// Bytes as they are.
  public mutating func write(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

  /// Gives up what was written behind `count`.
  public mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }

  /// Gives up the first `count` bytes.
  public mutating func dropFirst(_ count: Int) { bytes.removeFirst(count) }

  /// Writes a number over what was written at `place`.
  public mutating func overwrite<T: FixedWidthInteger>(_ value: T, at place: Int) {
    for index in 0..<MemoryLayout<T>.size {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}

/// Reads bytes that do not change meanwhile: a private copy of what the peer sent.
@safe
public struct RecordByteReader {
  private let bytes: UnsafeRawBufferPointer
  public private(set) var place = 0

  public init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = unsafe bytes }

  public var restCount: Int { unsafe bytes.count - place }

  @inline(__always)
  public mutating func number<T: FixedWidthInteger>(_: T.Type) throws(WireError) -> T {
    guard restCount >= MemoryLayout<T>.size else { throw .truncated }
    let value = unsafe bytes.loadUnaligned(fromByteOffset: place, as: T.self)
    place += MemoryLayout<T>.size
    return T(littleEndian: value)
  }

  @inline(__always)
  public mutating func string() throws(WireError) -> UnsafeRawBufferPointer {
    let count = Int(try number(UInt32.self))
    guard count <= restCount else { throw .truncated }
    defer { place += count }
    return unsafe UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])
  }

  /// The number of items that follow, each of at least `byteCount` bytes, so that a count never
  /// promises more than the bytes can hold.
  @inline(__always)
  public mutating func count(ofItems byteCount: Int) throws(WireError) -> Int {
    let count = Int(try number(UInt32.self))
    guard count <= restCount / byteCount else { throw .truncated }
    return count
  }

  /// Nothing may follow.
  public func finish() throws(WireError) {
    if restCount > 0 { throw .trailingBytes }
  }
}

/// `Array.withUnsafeBytes` with the type of what is thrown.
public func withBytes<R, E: Error>(
  of array: [UInt8], _ body: (UnsafeRawBufferPointer) throws(E) -> R
) throws(E) -> R {
  let result = unsafe array.withUnsafeBytes { (bytes) -> Result<R, E> in
    do throws(E) { return .success(try unsafe body(bytes)) } catch { return .failure(error) }
  }
  return try result.get()
}
