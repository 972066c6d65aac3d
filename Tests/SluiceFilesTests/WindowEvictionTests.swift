// Read windows that take what was read, and give their memory back, without a reader noticing.

import Foundation
import SluiceChannel
import SluiceSystem
import Synchronization
import TestSupport
import Testing

@testable import SluiceFiles

private let mebibyte = 1 << 20
private let granule = WindowRegion.granuleByteCount

/// A window on a file of its own, and what a client sees of it.
private final class TestWindow {
  let window: ReadWindow
  let client: WindowRegion
  let file: FileDescriptor
  let budget: WindowBudget
  private let room = WindowFill()

  init(
    byteCountMaximum: Int, isSealed: Bool = false, firstReadByteCount: Int = 1 << 30,
    isWAL: Bool = false, content: [UInt8]
  ) throws {
    budget = WindowBudget(
      byteCountMaximum: byteCountMaximum, isSealed: isSealed,
      firstReadByteCount: firstReadByteCount)
    window = try ReadWindow(budget, isWAL: isWAL)
    client = try #require(try WindowRegion.attach(window.descriptor.descriptor))
    file = try FileDescriptor.sealedMemory("test-file", byteCount: 1 << 20)
    try unsafe content.withUnsafeBytes { try unsafe file.write($0, at: 0) }
    window.begin(fileByteCount: Int64(content.count))
  }

  /// Reads, and puts what was read into the window; nil if it is not to be there.
  func fill(_ offset: Int, _ count: Int) throws -> [UInt8]? {
    defer { take() }
    return try read(offset, count)
  }

  /// Reads. What was read waits for `take`.
  func read(_ offset: Int, _ count: Int) throws -> [UInt8]? {
    room.clear()
    var bytes = [UInt8](repeating: 0, count: count)
    let got: Int? = try unsafe bytes.withUnsafeMutableBytes { bytes in
      switch unsafe window.read(into: bytes, at: Int64(offset)) {
      case .done(let count): count
      case .missing(let plan): try unsafe room.read(plan, into: bytes, from: file)
      case .outside: nil
      }
    }
    return got.map { Array(bytes[..<$0]) }
  }

  func take() { if let plan = room.plan { window.take(room, plan) } }

  func look(_ offset: Int, _ count: Int) -> [UInt8]? { content(client, offset, count) }

  /// How much memory the kernel has for it, in granules.
  var blockCount: Int {
    var status = stat()
    _ = unsafe fstat(window.descriptor.descriptor.rawValue, &status)
    return Int(status.st_blocks) * 512 / granule
  }
}

private func content(_ client: WindowRegion, _ offset: Int, _ count: Int) -> [UInt8]? {
  var bytes = [UInt8](repeating: 0, count: count)
  let isThere = unsafe bytes.withUnsafeMutableBytes {
    unsafe client.copy(into: $0, at: Int64(offset))
  }
  return isThere ? bytes : nil
}

struct WindowEvictionTests {
  private func numbered(_ granuleCount: Int) -> [UInt8] {
    (0..<granuleCount * granule).map { UInt8(1 + $0 / granule % 250) }
  }

  @Test func whatIsGivenBackHasNoMemoryAndIsReadAnew() throws {
    let bytes = numbered(64)
    let test = try TestWindow(byteCountMaximum: mebibyte, content: bytes)
    for start in stride(from: 0, to: 64 * granule, by: 16 * granule) {
      #expect(try test.fill(start, 16 * granule) == Array(bytes[start..<(start + 16 * granule)]))
    }
    #expect(test.look(5 * granule, granule) == Array(bytes[(5 * granule)..<(6 * granule)]))
    let full = test.blockCount
    #expect(test.window.giveBack(40) == 40)
    #expect(test.blockCount == full - 40)
    #expect(test.budget.byteCountTaken == 24 * granule)
    #expect(test.look(5 * granule, granule) == nil)
    #expect(test.look(50 * granule, granule) != nil, "the oldest went")
    #expect(try test.fill(5 * granule, granule) == Array(bytes[(5 * granule)..<(6 * granule)]))
    #expect(test.look(5 * granule, granule) == Array(bytes[(5 * granule)..<(6 * granule)]))
    #expect(test.window.giveBack(1000) == 25)
    #expect(test.budget.byteCountTaken == 0)
    #expect(test.client.isOwned)
    #expect(test.client.knownByteCount == Int64(bytes.count))
  }

  @Test func pinnedAndSealedWindowsKeepTheirMemoryUntilTheyAreRetired() throws {
    let bytes = numbered(8)
    let pinned = try TestWindow(byteCountMaximum: mebibyte, content: bytes)
    _ = try pinned.fill(0, bytes.count)
    pinned.window.pin(for: 7)
    #expect(pinned.window.isWhole)
    #expect(pinned.window.giveBack(8) == 0)
    let place = unsafe pinned.client.content(at: 0, byteCount: bytes.count)
    pinned.window.retire()
    #expect(pinned.client.isRetired)
    #expect(pinned.look(0, 1) == nil)
    #expect(
      unsafe place?.load(fromByteOffset: granule, as: UInt8.self) == 2, "it stays where it is")
    pinned.window.unpin(for: 7)
    #expect(pinned.window.giveBack(8) == 8)
    let sealed = try TestWindow(byteCountMaximum: mebibyte, isSealed: true, content: bytes)
    _ = try sealed.fill(0, bytes.count)
    #expect(sealed.window.giveBack(8) == 0)
    #expect(sealed.look(0, bytes.count) == bytes)
    #expect(sealed.window.isWhole)
  }

  /// The part of a write that lies in the window must not stand there as it was.
  @Test func aWriteAcrossTheEndOfTheWindowLeavesNothingOldInIt() throws {
    let test = try TestWindow(byteCountMaximum: 16 * granule, content: numbered(24))
    _ = try test.fill(14 * granule, 2 * granule)
    let bytes = [UInt8](repeating: 255, count: 4 * granule)
    try unsafe bytes.withUnsafeBytes {
      try unsafe test.window.write($0, at: Int64(14 * granule), to: test.file)
    }
    #expect(test.look(15 * granule, 8) == nil, "it is read anew")
    #expect(try test.fill(15 * granule, 8) == Array(bytes[..<8]))
  }

  @Test func whatWasReadBeforeAChangeStaysOut() throws {
    let bytes = numbered(8)
    let changes: [(TestWindow) throws -> Void] = [
      { test in
        try unsafe [UInt8](repeating: 9, count: granule).withUnsafeBytes {
          try unsafe test.window.write($0, at: 0, to: test.file)
        }
      },
      { $0.window.note(fileByteCount: Int64(4 * granule)) },
      { $0.window.end() },
      { $0.window.begin(fileByteCount: Int64(bytes.count)) },
    ]
    for change in changes {
      let test = try TestWindow(byteCountMaximum: mebibyte, content: bytes)
      #expect(try test.read(0, granule) != nil)
      #expect(test.look(0, granule) == nil, "the client has its answer first")
      try change(test)
      test.take()
      #expect(test.look(0, granule) == nil)
    }
  }

  @Test func memoryThatWasGivenBackMeanwhileIsNotTakenAnew() throws {
    let test = try TestWindow(byteCountMaximum: mebibyte, content: numbered(8))
    #expect(try test.read(0, 4 * granule) != nil)
    #expect(test.window.giveBack(2) == 2)
    test.take()
    #expect(test.blockCount == test.budget.byteCountTaken / granule + 2, "header and valid bytes")
    #expect(test.look(0, granule) == nil)
    #expect(test.look(3 * granule, granule) != nil)
  }

  @Test func aLargeWindowTakesWhatIsReadAgain() throws {
    let bytes = numbered(40)
    let test = try TestWindow(
      byteCountMaximum: mebibyte, firstReadByteCount: 4 * granule, content: bytes)
    #expect(try test.fill(0, 4 * granule) != nil)
    // A page of sixteen granules needs no more reads than one of a single granule.
    #expect(try test.fill(16 * granule, 16 * granule) == nil)
    #expect(test.budget.byteCountTaken == 4 * granule)
    #expect(
      try test.fill(16 * granule, 16 * granule) == Array(bytes[(16 * granule)..<(32 * granule)]))
    #expect(test.look(16 * granule, 16 * granule) != nil)
    // A client that uses addresses has no other use of a read.
    test.window.pin(for: 7)
    #expect(try test.fill(39 * granule, granule) != nil)
    #expect(test.look(39 * granule, granule) != nil)
  }

  /// Random steps, and after each the client sees what a plain array holds, or nothing.
  @Test(arguments: [false, true])
  func windowSaysWhatAPlainArrayHolds(isWAL: Bool) throws {
    var random = SeededRandom(for: "windowSaysWhatAPlainArrayHolds")
    var model = numbered(24)
    let test = try TestWindow(byteCountMaximum: 16 * granule, isWAL: isWAL, content: model)
    var seen = 0
    var shown = Int.max
    for _ in 0..<20_000 {
      let offset = Int.random(in: 0..<40 * granule, using: &random)
      let count = Int.random(in: 1...3 * granule, using: &random)
      switch Int.random(in: 0..<11, using: &random) {
      case 0:
        let bytes = [UInt8](repeating: .random(in: 0...255, using: &random), count: count)
        try unsafe bytes.withUnsafeBytes {
          try unsafe test.window.write($0, at: Int64(offset), to: test.file)
        }
        while model.count < offset + count { model.append(0) }
        model.replaceSubrange(offset..<(offset + count), with: bytes)
      case 1:
        // The file's own end is further: what is behind the window's reads as zeros then.
        let end = min(offset, model.count)
        let zeros = [UInt8](repeating: 0, count: model.count - end)
        try unsafe zeros.withUnsafeBytes { try unsafe test.file.write($0, at: Int64(end)) }
        model.removeLast(model.count - end)
        test.window.note(fileByteCount: Int64(end))
      case 2, 3: _ = test.window.giveBack(Int.random(in: 1...16, using: &random))
      case 4:
        test.window.end()
        #expect(test.look(offset, count) == nil)
        test.window.begin(fileByteCount: Int64(model.count))
      case 5, 6: _ = try test.read(offset, count)
      case 8:
        shown =
          Bool.random(using: &random) ? .max : Int.random(in: 0..<20 * granule, using: &random)
        test.window.show(Int64(shown))
      case 7: test.take()
      default: _ = try test.fill(offset, count)
      }
      let expected = offset + count <= model.count ? Array(model[offset..<(offset + count)]) : nil
      if let content = test.look(offset, count) {
        seen += 1
        try #require(content == expected)
        try #require(offset + count <= shown)
      }
      try #require(test.budget.byteCountTaken <= 16 * granule)
      try #require(test.client.knownByteCount == Int64(min(model.count, shown)))
    }
    #expect(seen > 700, "\(seen)")
  }

  /// Readers copy without a lock while granules are taken out and filled again. Without the change of
  /// `ownership` in between (WindowRegion.noteEviction) they take zeros for content.
  @Test func readersNeverTakeAHoleForContent() async throws {
    var random = SeededRandom(for: "readersNeverTakeAHoleForContent")
    let bytes = numbered(16)
    let test = try TestWindow(byteCountMaximum: mebibyte, content: bytes)
    let isOver = Atomic<Bool>(false)
    let copies = Atomic<Int>(0)
    let wrong = Atomic<Int>(0)
    let client = test.client
    let readers = (0..<2).map { _ in
      let isDone = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        while !isOver.load(ordering: .relaxed) {
          guard let seen = content(client, 0, bytes.count) else { continue }
          copies.wrappingAdd(1, ordering: .relaxed)
          if seen != bytes { wrong.wrappingAdd(1, ordering: .relaxed) }
        }
        isDone.signal()
      }
      return isDone
    }
    let end = Date(timeIntervalSinceNow: 30)
    var rounds = 0
    while rounds < 30_000 || copies.load(ordering: .relaxed) < 1000, Date() < end {
      _ = test.window.giveBack(Int.random(in: 1...16, using: &random))
      _ = try test.fill(0, bytes.count)
      if rounds % 64 == 0 { usleep(50) }
      rounds += 1
    }
    isOver.store(true, ordering: .relaxed)
    for reader in readers { reader.wait() }
    print("\(rounds) rounds, \(copies.load(ordering: .relaxed)) copies")
    #expect(copies.load(ordering: .relaxed) > 100)
    #expect(wrong.load(ordering: .relaxed) == 0)
  }
}
