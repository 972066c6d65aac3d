// The read window of a database, as typed places. It holds what the proxy knows of the file, and
// the pages that were read or written through the proxy, in memory that clients map for reading.
//
// Only the proxy writes. The window is true while `ownership` is odd: then only the proxy's clients
// have the database open. A reader checks `ownership` before and after it copies. SQLite's locks
// keep writers off the pages that it copies, as with any file.
//
// The proxy may take granules out of the window and give their memory back, so that it reads as
// zeros, and may put the same granules in again later. A reader must not take these zeros for
// content, although the granule was valid when its copy began and is valid again when it ends. So
// `ownership` changes in between, and stays odd:
//
//   proxy                                    reader
//   valid[g] = 0
//   ownership += 2      SYNC eviction        count = ownership, odd?
//   fence                                    valid[g] == 1?
//   gives the memory back                    copies
//   (fills g again, valid[g] = 1)            fence; ownership == count?
//
// A reader that loads `count` after the addition also finds valid[g] == 0, or content that was
// filled after it. A reader that copies a zero, or a byte filled later, sees the effect of a step
// after the addition: the kernel takes the page out of every page table before it gives the page
// away, and the reader's page fault waits for that. So the reader's second check finds the
// addition.

internal import CSluice
public import SluiceSystem
internal import Synchronization

/// The files beside a database that are known to be absent.
public struct AbsentFiles: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let journal = AbsentFiles(rawValue: SLUICE_ABSENT_JOURNAL)
  public static let wal = AbsentFiles(rawValue: SLUICE_ABSENT_WAL)
}

/// Owns the mapping of a read window.
@safe
public final class WindowRegion: @unchecked Sendable {
  /// The unit in which content is valid, in bytes.
  public static let granuleByteCount = Int(SLUICE_GRANULE_BYTE_COUNT)
  private static let headerByteCount = Int(SLUICE_WINDOW_HEADER_BYTE_COUNT)

  public let granuleCount: Int
  private let mapping: Mapping
  private let validBytes: UnsafeMutablePointer<UInt8>
  private let granules: UnsafeMutableRawPointer

  private init(_ mapping: consuming Mapping, granuleCount: Int) {
    unsafe validBytes = unsafe (mapping.start + Self.headerByteCount)
      .assumingMemoryBound(to: UInt8.self)
    unsafe granules = unsafe mapping.start + Self.granulesOffset(granuleCount)
    self.granuleCount = granuleCount
    self.mapping = mapping
  }

  private static func granulesOffset(_ granuleCount: Int) -> Int {
    headerByteCount + (granuleCount + 4095) / 4096 * 4096
  }

  /// The size of a window of `granuleCount` granules, in bytes, with an empty page at its end.
  static func byteCount(granuleCount: Int) -> Int {
    granulesOffset(granuleCount) + granuleCount * granuleByteCount + 4096
  }

  /// Makes a window for the first `granuleCount` granules of a file, for its proxy, and the
  /// descriptor by which clients may map it. Only filled granules use memory.
  ///
  /// A sealed window can never be mapped for writing. Its memory cannot be given back, because the
  /// kernel takes that for a write. An unsealed window is for a client that can only harm itself.
  public static func create(
    granuleCount: Int, isSealed: Bool
  ) throws(Errno) -> (region: WindowRegion, descriptor: SharedDescriptor) {
    let byteCount = byteCount(granuleCount: granuleCount)
    let descriptor = try FileDescriptor.sealedMemory(
      "sluice-window", byteCount: byteCount, isFinal: false)
    let region = WindowRegion(
      try Mapping(descriptor, byteCount: byteCount), granuleCount: granuleCount)
    unsafe region.header.pointee.magic = sluice_magic
    unsafe region.header.pointee.granule_count = UInt32(granuleCount)
    if isSealed { try descriptor.forbidWriting() }
    return (region, SharedDescriptor(descriptor))
  }

  /// Maps a window that a proxy made. Nil if it is malformed. A forked child has the mapping too,
  /// because SQLite may use its pages there.
  public static func attach(_ descriptor: borrowing FileDescriptor) throws(Errno) -> WindowRegion? {
    guard let byteCount = Int(exactly: try descriptor.status().byteCount),
      byteCount >= self.byteCount(granuleCount: 1), descriptor.isSealedMemory(byteCount: byteCount)
    else { return nil }
    let mapping = try Mapping(
      descriptor, byteCount: byteCount, writable: false, inheritable: true)
    let header = unsafe mapping.start.loadUnaligned(as: sluice_window.self)
    let granuleCount = Int(header.granule_count)
    guard header.magic == sluice_magic, self.byteCount(granuleCount: granuleCount) == byteCount
    else { return nil }
    return WindowRegion(mapping, granuleCount: granuleCount)
  }

  // MARK: Places

  private var header: UnsafeMutablePointer<sluice_window> {
    unsafe mapping.start.assumingMemoryBound(to: sluice_window.self)
  }

  private var ownership: UnsafePointer<Atomic<UInt32>> {
    unsafe UnsafePointer(
      UnsafeRawPointer(sluice_window_ownership(header))
        .assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  private var fileByteCount: UnsafePointer<Atomic<Int64>> {
    unsafe UnsafePointer(
      UnsafeRawPointer(sluice_window_byte_count(header))
        .assumingMemoryBound(to: Atomic<Int64>.self))
  }

  private var absent: UnsafePointer<Atomic<UInt32>> {
    unsafe UnsafePointer(
      UnsafeRawPointer(sluice_window_absent(header)).assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  private var retired: UnsafePointer<Atomic<UInt32>> {
    unsafe UnsafePointer(
      UnsafeRawPointer(sluice_window_retired(header)).assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  private func valid(_ granule: Int) -> UnsafePointer<Atomic<UInt8>> {
    unsafe UnsafeRawPointer(validBytes + granule).assumingMemoryBound(to: Atomic<UInt8>.self)
  }

  // MARK: The reader's side

  /// An odd number while the window is true. A reader must find the same number after it has read.
  @inline(__always)
  public var ownershipCount: UInt32 { unsafe ownership.pointee.load(ordering: .acquiring) }

  /// The file's size in bytes, or nil if it is not known.
  @inline(__always)
  public var knownByteCount: Int64? {
    let count = ownershipCount
    if count & 1 == 0 { return nil }
    let byteCount = unsafe fileByteCount.pointee.load(ordering: .acquiring)
    return ownershipCount == count ? byteCount : nil
  }

  /// The files that are known to be absent.
  @inline(__always)
  public var knownAbsentFiles: AbsentFiles {
    let count = ownershipCount
    if count & 1 == 0 { return [] }
    let files = AbsentFiles(rawValue: unsafe absent.pointee.load(ordering: .acquiring))
    return ownershipCount == count ? files : []
  }

  /// Whether another window has replaced this one.
  @inline(__always)
  public var isRetired: Bool { unsafe retired.pointee.load(ordering: .acquiring) != 0 }

  /// Copies a range of the file; false if the window does not hold all of it.
  @inline(__always)
  public func copy(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Bool {
    let count = ownershipCount
    guard count & 1 == 1, let place = unsafe content(at: offset, byteCount: buffer.count) else {
      return false
    }
    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: place, count: buffer.count))
    atomicMemoryFence(ordering: .acquiring)
    return ownershipCount == count  // SYNC eviction
  }

  /// The address of a range of the file; nil if the window does not hold all of it.
  @inline(__always)
  public func content(at offset: Int64, byteCount: Int) -> UnsafeRawPointer? {
    let fileByteCount = unsafe fileByteCount.pointee.load(ordering: .acquiring)
    guard ownershipCount & 1 == 1, offset >= 0, byteCount > 0,
      let start = Int(exactly: offset), start <= granuleCount * Self.granuleByteCount - byteCount,
      offset + Int64(byteCount) <= fileByteCount
    else { return nil }
    let last = (start + byteCount - 1) / Self.granuleByteCount
    var granule = start / Self.granuleByteCount
    while granule <= last {
      guard unsafe valid(granule).pointee.load(ordering: .acquiring) == 1 else { return nil }
      granule += 1
    }
    return unsafe UnsafeRawPointer(granules + start)
  }

  // MARK: The proxy's side, one thread at a time

  public var isOwned: Bool { ownershipCount & 1 == 1 }

  /// From now on the sidecar owns the file, which has this size. Nothing else is known of it. The
  /// first `granuleCount` granules may have been filled before.
  public func begin(fileByteCount byteCount: Int64, filledBefore granuleCount: Int) {
    end()
    for granule in 0..<granuleCount { invalidate(granule) }
    setAbsent([])
    setFileByteCount(byteCount)
    unsafe ownership.pointee.wrappingAdd(1, ordering: .releasing)
  }

  /// From now on the sidecar does not own the file.
  public func end() {
    if isOwned { unsafe ownership.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent) }
  }

  /// Ends the window for good.
  public func retire() {
    end()
    unsafe retired.pointee.store(1, ordering: .releasing)
  }

  /// To be called after granules were made invalid, and before their memory is given back or filled
  /// with anything but the file's content at that time.
  public func noteEviction() {
    unsafe ownership.pointee.wrappingAdd(2, ordering: .sequentiallyConsistent)  // SYNC eviction
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  /// Gives the memory of some granules back to the system. From then on they read as zeros.
  public func release(
    _ granules: Range<Int>, of descriptor: borrowing FileDescriptor
  ) throws(Errno) {
    precondition(granules.lowerBound >= 0 && granules.upperBound <= granuleCount, "in the window")
    try descriptor.release(
      offset: Int64(
        Self.granulesOffset(granuleCount) + granules.lowerBound * Self.granuleByteCount),
      byteCount: granules.count * Self.granuleByteCount)
  }

  public func setFileByteCount(_ byteCount: Int64) {
    unsafe fileByteCount.pointee.store(byteCount, ordering: .releasing)
  }

  public var currentFileByteCount: Int64 {
    unsafe fileByteCount.pointee.load(ordering: .relaxed)
  }

  public func setAbsent(_ files: AbsentFiles) {
    unsafe absent.pointee.store(files.rawValue, ordering: .releasing)
  }

  public var currentAbsentFiles: AbsentFiles {
    AbsentFiles(rawValue: unsafe absent.pointee.load(ordering: .relaxed))
  }

  public func isValid(_ granule: Int) -> Bool {
    unsafe valid(granule).pointee.load(ordering: .relaxed) == 1
  }

  public func validate(_ granule: Int) {
    unsafe valid(granule).pointee.store(1, ordering: .releasing)
  }

  public func invalidate(_ granule: Int) {
    unsafe valid(granule).pointee.store(0, ordering: .releasing)
  }

  /// The memory of some granules.
  public func place(_ granule: Int, count: Int = 1) -> UnsafeMutableRawBufferPointer {
    precondition(granule >= 0 && count >= 0 && granule + count <= granuleCount, "in the window")
    return unsafe UnsafeMutableRawBufferPointer(
      start: granules + granule * Self.granuleByteCount, count: count * Self.granuleByteCount)
  }
}
