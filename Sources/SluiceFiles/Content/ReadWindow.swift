// The proxy's side of a read window: it keeps what clients see of a database the same as the file.
//
// Every read of an owned database that comes to the proxy leaves its granules in the window, after
// the answer (WindowFill). Every write goes to the file and to the granules that stand in the window.
// A write holds the window's lock, a read of the file does not. So a granule goes in only if the file
// has not changed since before it was read. A read of a file that is not owned leaves nothing.
//
// Memory: all windows of a sidecar together hold as much as their budget allows (WindowBudget).
// What does not fit is read through the channel. Once they hold much, a granule gets memory at its
// second read only, because new memory costs the kernel more time than a read. Memory of a window
// may be given back, unless the window is sealed, or pinned because a client has addresses in it.
//
// The sidecar believes nothing that stands in the shared memory: what it knows of a window it keeps
// here.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// Used under its file's window lock, except for the descriptor.
final class ReadWindow: @unchecked Sendable {
  let descriptor: SharedDescriptor
  private let region: WindowRegion
  private let budget: WindowBudget
  /// Whether its memory can be given back only as a whole, when no client maps it any more.
  var isWhole: Bool { budget.isSealed || !pins.isEmpty }
  private(set) var isOwned = false
  /// While it is owned.
  private var fileByteCount: Int64 = 0
  /// Clients may see no more of the file, whatever its size.
  private var shownByteCount: Int64 = .max
  /// Of a WAL: the database to whose ownership its own is tied.
  var database: FileIdentity?
  /// Whether what is written stands in the window at once, because it is usually read soon.
  private let takesWrites: Bool
  private var absentFiles: AbsentFiles = []
  /// As far as there has been memory.
  private var granules: [Granule] = []
  private(set) var memoryCount = 0
  /// Where to go on giving back. The granules here were left alone for longest; nothing better is
  /// known of their use.
  private var oldest = 0
  /// The handles whose clients have addresses in it.
  private var pins: Set<UInt64> = []
  /// Counts the events that may have made a file beside the database. Another window never has the
  /// same count.
  private(set) var creationCount: Int
  /// Counts the changes of the file and of its ownership.
  private var changeCount = 0

  private enum Granule: UInt8 {
    case empty
    /// It was read once, and has no memory.
    case wasRead
    case hasMemory, valid

    var usesMemory: Bool { self == .hasMemory || self == .valid }
  }

  private static let windowsMade = Atomic<Int>(0)
  /// A WAL is usually a few MiB large, and a window needs address space for all that it may show.
  private static let walGranuleCountMaximum = (1 << 30) / WindowRegion.granuleByteCount

  /// A window for a file of any size: as much of it as the budget allows, or of a WAL less.
  init(_ budget: WindowBudget, isWAL: Bool = false) throws(Errno) {
    let limit = isWAL ? Self.walGranuleCountMaximum : .max
    let made = try WindowRegion.create(
      granuleCount: min(budget.granuleCount, limit), isSealed: budget.isSealed)
    takesWrites = isWAL
    region = made.region
    descriptor = made.descriptor
    self.budget = budget
    creationCount = ReadWindow.windowsMade.wrappingAdd(1, ordering: .relaxed).newValue << 32
  }

  deinit { budget.giveBack(memoryCount) }

  // MARK: Ownership

  func begin(fileByteCount: Int64) {
    region.begin(
      fileByteCount: min(fileByteCount, shownByteCount), filledBefore: granules.count)
    for index in granules.indices where granules[index] == .valid { granules[index] = .hasMemory }
    self.fileByteCount = fileByteCount
    absentFiles = []
    changeCount += 1
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

  /// Takes up to `count` granules out and gives their memory back; of how many. None of a window
  /// that is pinned or sealed.
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
        // These still have their memory.
        for index in range { granules[index] = .hasMemory }
      }
    }
    memoryCount -= given
    budget.giveBack(given)
    return given
  }

  /// Makes so many granules invalid and empty, the oldest first.
  private func takeOut(_ count: Int) -> [Range<Int>] {
    var taken: [Range<Int>] = []
    var left = count
    for _ in granules.indices where left > 0 {
      if oldest >= granules.count { oldest = 0 }
      if granules[oldest].usesMemory {
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

  /// What the window has of a stretch of the file.
  enum Look {
    /// All of it, so many bytes, which were copied.
    case done(Int)
    /// Not all of it. This is to be read from the file, and given to `take`.
    case missing(WindowFill.Plan)
    /// It is not to be in the window.
    case outside
  }

  /// Reads what the window has.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Look {
    guard isOwned, offset >= 0, buffer.count > 0, offset < fileByteCount,
      let start = Int(exactly: offset)
    else { return .outside }
    let count = min(buffer.count, Int(fileByteCount - offset))
    let granules = Self.granules(start, count)
    guard granules.upperBound <= region.granuleCount else { return .outside }
    var isWhole = true
    var hasRoom = true
    for granule in granules where !isValid(granule) {
      isWhole = false
      if !takeMemory(granule) { hasRoom = false }
    }
    guard hasRoom else { return .outside }
    guard isWhole else {
      return .missing(
        WindowFill.Plan(
          window: self, granules: granules, start: start, byteCount: count,
          changeCount: changeCount))
    }
    let place = unsafe region.place(granules.lowerBound, count: granules.count)
    let from = start % WindowRegion.granuleByteCount
    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: place[from..<(from + count)]))
    return .done(count)
  }

  /// Puts in what was read, unless the file has changed since the look. Another thread may have put
  /// the same in, or may have given the memory back.
  func take(_ fill: WindowFill, _ plan: WindowFill.Plan) {
    guard isOwned, plan.changeCount == changeCount else { return }
    for (index, granule) in plan.granules.enumerated() where granules[granule] == .hasMemory {
      unsafe region.place(granule).copyMemory(from: fill.granule(index))
      granules[granule] = .valid
      region.validate(granule)
    }
  }

  private func isValid(_ granule: Int) -> Bool {
    granule < granules.count && granules[granule] == .valid
  }

  private func takeMemory(_ granule: Int) -> Bool {
    while granules.count <= granule { granules.append(.empty) }
    switch granules[granule] {
    case .hasMemory, .valid: return true
    case .empty where pins.isEmpty && !budget.isForFirstReads:
      granules[granule] = .wasRead
      return false
    case .empty, .wasRead: break
    }
    guard budget.take() else { return false }
    granules[granule] = .hasMemory
    memoryCount += 1
    return true
  }

  /// Writes to the file. Granules of that stretch that stand in the window are changed first, and
  /// the file is written from there, because the client may change its own memory between two reads
  /// of it.
  func write(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, to file: borrowing FileDescriptor
  ) throws(Errno) {
    let limit = Int64(region.granuleCount * WindowRegion.granuleByteCount)
    guard isOwned, buffer.count > 0 else {
      return try unsafe file.write(buffer, at: offset)
    }
    changeCount += 1
    do throws(Errno) {
      if offset <= limit - Int64(buffer.count), let place = unsafe change(buffer, Int(offset), file)
      {
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
    region.setFileByteCount(min(byteCount, shownByteCount))
  }

  /// Clients may see only so much of the file.
  func show(_ byteCount: Int64) {
    if shownByteCount == byteCount { return }
    shownByteCount = byteCount
    if isOwned { set(fileByteCount: fileByteCount) }
  }

  /// Changes a stretch of which all is in the window, and gives its place. Where some of it is
  /// missing, none of it stays in the window.
  private func change(
    _ buffer: UnsafeRawBufferPointer, _ start: Int, _ file: borrowing FileDescriptor
  ) -> UnsafeRawBufferPointer? {
    let granules = Self.granules(start, buffer.count)
    let stretch = start..<(start + buffer.count)
    var areValid = true
    for granule in granules where !isValid(granule) {
      areValid = false
      guard takesWrites, prepare(granule, for: stretch, of: file) else {
        invalidate(granules)
        return nil
      }
    }
    let place = unsafe region.place(granules.lowerBound, count: granules.count)
    let from = start % WindowRegion.granuleByteCount
    let target = unsafe UnsafeMutableRawBufferPointer(
      rebasing: place[from..<(from + buffer.count)])
    unsafe target.copyMemory(from: buffer)
    if !areValid { validate(granules) }
    return UnsafeRawBufferPointer(target)
  }

  /// Gets a granule that is not valid ready for a write to this stretch: puts into it what the file
  /// holds beside the stretch. False if there is no memory for it.
  private func prepare(
    _ granule: Int, for stretch: Range<Int>, of file: borrowing FileDescriptor
  ) -> Bool {
    let isNew = granule >= granules.count || !granules[granule].usesMemory
    if isNew, !budget.isForFirstReads { return false }
    guard takeMemory(granule) else { return false }
    let size = WindowRegion.granuleByteCount
    let start = granule * size
    if stretch.lowerBound <= start, stretch.upperBound >= start + size { return true }
    let place = unsafe region.place(granule)
    let isBehindEnd = Int64(start) >= fileByteCount
    let isLast = stretch.lowerBound <= start && Int64(stretch.upperBound) >= fileByteCount
    var count = 0
    if !isBehindEnd, !isLast {
      guard let read = unsafe try? file.read(into: place, at: Int64(start)) else { return false }
      count = read
    }
    unsafe UnsafeMutableRawBufferPointer(rebasing: place[count...])
      .initializeMemory(as: UInt8.self, repeating: 0)
    return true
  }

  private func validate(_ stretch: Range<Int>) {
    for index in stretch where !isValid(index) {
      granules[index] = .valid
      region.validate(index)
    }
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

  /// The file has another size. Nothing behind its end stays in the window, so a last granule that
  /// is not full goes too.
  func note(fileByteCount: Int64) {
    guard isOwned else { return }
    changeCount += 1
    set(fileByteCount: fileByteCount)
    let end = Int(fileByteCount) / WindowRegion.granuleByteCount
    if end < granules.count { invalidate(end..<granules.count) }
  }

  private static func granules(_ start: Int, _ count: Int) -> Range<Int> {
    let size = WindowRegion.granuleByteCount
    return (start / size)..<((start + count + size - 1) / size)
  }

  // MARK: Absent files

  /// The name under which the database is known: its journal and WAL are named after it. Nothing is
  /// known of the neighbours of a database that has two names.
  private var databasePath: [UInt8]?
  private var hasTwoNames = false

  /// A client is about to make such a file, or just has.
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
