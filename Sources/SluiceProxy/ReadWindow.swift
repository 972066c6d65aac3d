// The proxy's side of a read window: it keeps what clients see of a database the same as the file.
//
// Every read of an owned database that comes to the proxy leaves its granules in the window, every
// write goes to the file first and then to the granules that stand in the window. Under its lock,
// so that no granule is filled with what was read before a write and stored after it. Who reads the
// file while it is not owned learns nothing for the window.
//
// Memory: all windows of a sidecar together hold at most so much; what does not fit is read through
// the channel.

internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

/// How much memory all windows may take together.
final class WindowBudget: Sendable {
  let byteCountMaximum: Int
  private let granulesTaken = Atomic<Int>(0)

  init(byteCountMaximum: Int) { self.byteCountMaximum = byteCountMaximum }

  private var granuleCountMaximum: Int { byteCountMaximum / WindowRegion.granuleByteCount }

  /// Of one window. Without any memory it shows at least what is known of the file.
  var granuleCount: Int { max(1, granuleCountMaximum) }

  func take() -> Bool {
    if granulesTaken.wrappingAdd(1, ordering: .relaxed).newValue <= granuleCountMaximum {
      return true
    }
    granulesTaken.wrappingSubtract(1, ordering: .relaxed)
    return false
  }

  func giveBack(_ count: Int) { granulesTaken.wrappingSubtract(count, ordering: .relaxed) }
}

/// Used under its file's window lock, except for the descriptor.
final class ReadWindow: @unchecked Sendable {
  let descriptor: SharedDescriptor
  private let region: WindowRegion
  private let budget: WindowBudget
  /// A bit for each granule that has memory, and how far they go.
  private var hasMemory: [Bool] = []
  private var memoryCount = 0
  /// Counts what might have made a file beside the database.
  private(set) var creationCount = 0

  /// A window for a file of any size: as much of it as the budget allows.
  init(_ budget: WindowBudget) throws(Errno) {
    let made = try WindowRegion.create(granuleCount: budget.granuleCount)
    region = made.region
    descriptor = made.descriptor
    self.budget = budget
  }

  deinit { budget.giveBack(memoryCount) }

  // MARK: Ownership

  func begin(fileByteCount: Int64) {
    region.begin(fileByteCount: fileByteCount, filledBefore: hasMemory.count)
  }

  func end() { region.end() }

  // MARK: Content

  /// Reads from the window, after filling what is missing from `file`. Nil where this stretch is
  /// not for the window.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64,
    from file: borrowing FileDescriptor
  ) throws(Errno) -> Int? {
    guard region.isOwned, offset >= 0, buffer.count > 0,
      offset < region.currentFileByteCount, let start = Int(exactly: offset)
    else { return nil }
    let count = min(buffer.count, Int(region.currentFileByteCount - offset))
    let granules = Self.granules(start, count)
    guard granules.upperBound <= region.granuleCount else { return nil }
    for granule in granules where !region.isValid(granule) {
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
    region.validate(granule)
    return true
  }

  private func takeMemory(_ granule: Int) -> Bool {
    if granule < hasMemory.count, hasMemory[granule] { return true }
    guard budget.take() else { return false }
    while hasMemory.count <= granule { hasMemory.append(false) }
    hasMemory[granule] = true
    memoryCount += 1
    return true
  }

  /// Writes to the file. What stands in the window of that stretch is changed first and written
  /// from there, for the client's memory may say something else the next time that it is read.
  func write(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, to file: borrowing FileDescriptor
  ) throws(Errno) {
    let limit = Int64(region.granuleCount * WindowRegion.granuleByteCount)
    guard region.isOwned, buffer.count > 0 else {
      return try unsafe file.write(buffer, at: offset)
    }
    do throws(Errno) {
      if offset <= limit - Int64(buffer.count), let place = unsafe change(buffer, Int(offset)) {
        try unsafe file.write(place, at: offset)
      } else {
        try unsafe file.write(buffer, at: offset)
      }
    } catch {
      if offset < limit {
        invalidate(Self.granules(Int(offset), min(buffer.count, Int(limit - offset))))
      }
      // Some of it may have been written all the same.
      if let status = try? file.status() { region.setFileByteCount(status.byteCount) }
      throw error
    }
    region.setFileByteCount(max(region.currentFileByteCount, offset + Int64(buffer.count)))
  }

  /// Changes a stretch that is all in the window, and gives its place. Of one that is not, nothing
  /// stays in the window.
  private func change(
    _ buffer: UnsafeRawBufferPointer, _ start: Int
  ) -> UnsafeRawBufferPointer? {
    let granules = Self.granules(start, buffer.count)
    for granule in granules where !region.isValid(granule) {
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

  private func invalidate(_ granules: Range<Int>) {
    for granule in granules { region.invalidate(granule) }
  }

  /// The file has another size. What lies behind its end is not there, the rest of the last granule
  /// included.
  func note(fileByteCount: Int64) {
    guard region.isOwned else { return }
    region.setFileByteCount(fileByteCount)
    let end = Int(fileByteCount) / WindowRegion.granuleByteCount
    if end < hasMemory.count { invalidate(end..<hasMemory.count) }
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
    region.setAbsent(region.currentAbsentFiles.subtracting(files))
  }

  /// The file was not there at a time after `creationCount` was looked at.
  func note(absent files: AbsentFiles, besides path: [UInt8], since count: Int) {
    if databasePath == nil { databasePath = path }
    if databasePath != path {
      hasTwoNames = true
      region.setAbsent([])
    }
    guard region.isOwned, !hasTwoNames, count == creationCount else { return }
    region.setAbsent(region.currentAbsentFiles.union(files))
  }
}
