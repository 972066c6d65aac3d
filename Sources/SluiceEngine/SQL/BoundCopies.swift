// Copies of the short texts and blobs that a statement has bound. The client could change them where
// they lie, and SQLite would take memory for each of them, each time.
//
// What does not fit yet, SQLite copies; there is room for it the next time. So copies never move while
// SQLite has their addresses. They stay until the statement's next values are bound.

@safe
struct BoundCopies {
  private var memory = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var byteCount = 0
  /// How much room the values of this time want.
  private var wanted = 0
  /// A connection keeps many statements.
  private static let byteCountMaximum = 4096

  /// Before the first value of an execution is bound.
  @inline(__always)
  mutating func removeAll() {
    if unsafe wanted > memory.count { grow() }
    byteCount = 0
    wanted = 0
  }

  /// The copy's address; nil if SQLite has to copy the value.
  @inline(__always)
  mutating func add(_ value: UnsafeRawBufferPointer) -> UnsafeRawPointer? {
    guard value.count > 0, value.count <= Self.byteCountMaximum - wanted else { return nil }
    wanted += value.count
    guard unsafe wanted <= memory.count else { return nil }
    let copy = unsafe memory.baseAddress! + byteCount
    unsafe copy.copyMemory(from: value.baseAddress!, byteCount: value.count)
    byteCount += value.count
    return UnsafeRawPointer(copy)
  }

  /// The former values may still be bound: nothing reads them, because the next execution binds all
  /// values, or none.
  @inline(never)
  private mutating func grow() {
    let byteCount = wanted
    free()
    unsafe memory = .allocate(byteCount: min(Self.byteCountMaximum, 2 * byteCount), alignment: 16)
  }

  /// Its statement is finalized, or bound anew.
  mutating func free() {
    unsafe memory.deallocate()
    unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }
}
