// The proxy's side of a read window: it keeps what clients see of a database the same as the file.
//
// Every read of an owned database that comes to the proxy leaves its granules in the window, every
// write goes to the file first and then to the granules that stand in the window. Under its lock,
// so that no granule is filled with what was read before a write and stored after it. Who reads the
// file while it is not owned learns nothing for the window.
//
// Memory: all windows of a sidecar together hold as much as their budget allows (WindowBudget); what
// does not fit is read through the channel. What is in a window may be given back, unless the window
// is sealed, or pinned: then a client has addresses in it.
//
// Nothing that stands in the shared memory is read for itself: what the sidecar knows it keeps here.

internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

/// Used under its file's window lock, except for the descriptor.
final class ReadWindow: @unchecked Sendable {
  let descriptor: SharedDescriptor
  private let region: WindowRegion
  private let budget: WindowBudget
  /// Whether its memory comes back only as a whole, when no client maps it any more.
  var isWhole: Bool { budget.isSealed || !pins.isEmpty }
  private(set) var isOwned = false
  /// While it is owned.
  private var fileByteCount: Int64 = 0
  private var absentFiles: AbsentFiles = []
  /// As far as there has been memory.
  private var granules: [Granule] = []
  private(set) var memoryCount = 0
  /// Where to go on giving back: what was not touched for longest, for want of better knowledge.
  private var oldest = 0
  /// The handles whose clients have addresses in it.
  private var pins: Set<UInt64> = []
  /// Counts what might have made a file beside the database. Another window never has the same count.
  private(set) var creationCount: Int

  private enum Granule: UInt8 {
    case empty, hasMemory, valid
  }

  private static let windowsMade = Atomic<Int>(0)

  /// A window for a file of any size: as much of it as the budget allows.
  init(_ budget: WindowBudget) throws(Errno) {
    let made = try WindowRegion.create(
      granuleCount: budget.granuleCount, isSealed: budget.isSealed)
    region = made.region
    descriptor = made.descriptor
    self.budget = budget
    creationCount = ReadWindow.windowsMade.wrappingAdd(1, ordering: .relaxed).newValue << 32
  }

  deinit { budget.giveBack(memoryCount) }

  // MARK: Ownership

  func begin(fileByteCount: Int64) {
    region.begin(fileByteCount: fileByteCount, filledBefore: granules.count)
    for index in granules.indices where granules[index] == .valid { granules[index] = .hasMemory }
    self.fileByteCount = fileByteCount
    absentFiles = []
    isOwned = true
  }

  func end() {
    isOwned = false
    region.end()
  }

  // MARK: Giving back

  func pin(for handle: UInt64) { pins.insert(handle) }
  func unpin(for handle: UInt64) { pins.remove(handle) }

  /// Ends it for good: its clients will ask for another one.
  func retire() {
    isOwned = false
    region.retire()
  }

  /// Takes up to `count` granules out and gives their memory back; how many. None of a window that is
  /// pinned or sealed.
  func giveBack(_ count: Int) -> Int {
    guard !isWhole else { return 0 }
    let taken = takeOut(min(count, memoryCount))
    guard !taken.isEmpty else { return 0 }
    region.noteEviction()
    var given = 0
    for range in taken {
      do throws(Errno) {
        try region.release(range, of: descriptor.descriptor)
        given += range.count
      } catch {
        // It has its memory still.
        for index in range { granules[index] = .hasMemory }
      }
    }
    memoryCount -= given
    budget.giveBack(given)
    return given
  }

  /// Makes so many granules invalid and empty, those that stand there for longest.
  private func takeOut(_ count: Int) -> [Range<Int>] {
    var taken: [Range<Int>] = []
    var left = count
    for _ in granules.indices where left > 0 {
      if oldest >= granules.count { oldest = 0 }
      if granules[oldest] != .empty {
        region.invalidate(oldest)
        granules[oldest] = .empty
        left -= 1
        if let last = taken.last, last.upperBound == oldest {
          taken[taken.count - 1] = last.lowerBound..<(oldest + 1)
        } else {
          taken.append(oldest..<(oldest + 1))
        }
      }
      oldest += 1
    }
    return taken
  }

  // MARK: Content

  /// Reads from the window, after filling what is missing from `file`. Nil where this stretch is
  /// not for the window.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64,
    from file: borrowing FileDescriptor
  ) throws(Errno) -> Int? {
    guard isOwned, offset >= 0, buffer.count > 0, offset < fileByteCount,
      let start = Int(exactly: offset)
    else { return nil }
    let count = min(buffer.count, Int(fileByteCount - offset))
    let granules = Self.granules(start, count)
    guard granules.upperBound <= region.granuleCount else { return nil }
    for granule in granules where !isValid(granule) {
      guard try fill(granule, from: file) else { return nil }
    }
    let place = unsafe region.place(granules.lowerBound, count: granules.count)
    let from = start % WindowRegion.granuleByteCount
    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: place[from..<(from + count)]))
    return count
  }

  private func fill(_ granule: Int, from file: borrowing FileDescriptor) throws(Errno) -> Bool {
    guard takeMemory(granule) else { return false }
    let place = unsafe region.place(granule)
    let count = try unsafe file.read(
      into: place, at: Int64(granule * WindowRegion.granuleByteCount))
    unsafe UnsafeMutableRawBufferPointer(rebasing: place[count...])
      .initializeMemory(as: UInt8.self, repeating: 0)
    granules[granule] = .valid
    region.validate(granule)
    return true
  }

  private func isValid(_ granule: Int) -> Bool {
    granule < granules.count && granules[granule] == .valid
  }

  private func takeMemory(_ granule: Int) -> Bool {
    if granule < granules.count, granules[granule] != .empty { return true }
    guard budget.take() else { return false }
    while granules.count <= granule { granules.append(.empty) }
    granules[granule] = .hasMemory
    memoryCount += 1
    return true
  }

  /// Writes to the file. What stands in the window of that stretch is changed first and written
  /// from there, for the client's memory may say something else the next time that it is read.
  func write(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, to file: borrowing FileDescriptor
  ) throws(Errno) {
    let limit = Int64(region.granuleCount * WindowRegion.granuleByteCount)
    guard isOwned, buffer.count > 0 else {
      return try unsafe file.write(buffer, at: offset)
    }
    do throws(Errno) {
      if offset <= limit - Int64(buffer.count), let place = unsafe change(buffer, Int(offset)) {
        try unsafe file.write(place, at: offset)
      } else {
        // A stretch that crosses the window's end has granules in the window too.
        invalidate(from: offset, byteCount: buffer.count)
        try unsafe file.write(buffer, at: offset)
      }
    } catch {
      invalidate(from: offset, byteCount: buffer.count)
      // Some of it may have been written all the same.
      if let status = try? file.status() { set(fileByteCount: status.byteCount) }
      throw error
    }
    set(fileByteCount: max(fileByteCount, offset + Int64(buffer.count)))
  }

  private func set(fileByteCount byteCount: Int64) {
    fileByteCount = byteCount
    region.setFileByteCount(byteCount)
  }

  /// Changes a stretch that is all in the window, and gives its place. Of one that is not, nothing
  /// stays in the window.
  private func change(
    _ buffer: UnsafeRawBufferPointer, _ start: Int
  ) -> UnsafeRawBufferPointer? {
    let granules = Self.granules(start, buffer.count)
    for granule in granules where !isValid(granule) {
      invalidate(granules)
      return nil
    }
    let place = unsafe region.place(granules.lowerBound, count: granules.count)
    let from = start % WindowRegion.granuleByteCount
    let target = unsafe UnsafeMutableRawBufferPointer(
      rebasing: place[from..<(from + buffer.count)])
    unsafe target.copyMemory(from: buffer)
    return UnsafeRawBufferPointer(target)
  }

  /// Invalidates what the window has of a stretch of the file.
  private func invalidate(from offset: Int64, byteCount: Int) {
    let limit = Int64(region.granuleCount * WindowRegion.granuleByteCount)
    guard offset < limit else { return }
    invalidate(Self.granules(Int(offset), min(byteCount, Int(limit - offset))))
  }

  private func invalidate(_ stretch: Range<Int>) {
    for index in stretch where isValid(index) {
      granules[index] = .hasMemory
      region.invalidate(index)
    }
  }

  /// The file has another size. What lies behind its end is not there, the rest of the last granule
  /// included.
  func note(fileByteCount: Int64) {
    guard isOwned else { return }
    set(fileByteCount: fileByteCount)
    let end = Int(fileByteCount) / WindowRegion.granuleByteCount
    if end < granules.count { invalidate(end..<granules.count) }
  }

  private static func granules(_ start: Int, _ count: Int) -> Range<Int> {
    let size = WindowRegion.granuleByteCount
    return (start / size)..<((start + count + size - 1) / size)
  }

  // MARK: What is known to be absent

  /// Under which name the database is known, for its journal and WAL are named after it. Nothing is
  /// known of the neighbours of one that has two names.
  private var databasePath: [UInt8]?
  private var hasTwoNames = false

  /// Somebody is about to make such a file, or just has.
  func forget(_ files: AbsentFiles) {
    creationCount += 1
    set(absent: absentFiles.subtracting(files))
  }

  /// The file was not there at a time after `creationCount` was looked at.
  func note(absent files: AbsentFiles, besides path: [UInt8], since count: Int) {
    if databasePath == nil { databasePath = path }
    if databasePath != path {
      hasTwoNames = true
      set(absent: [])
    }
    guard isOwned, !hasTwoNames, count == creationCount else { return }
    set(absent: absentFiles.union(files))
  }

  private func set(absent files: AbsentFiles) {
    absentFiles = files
    region.setAbsent(files)
  }
}
