// The ladder by itself, against sets of holders and a file that is only an array: every answer, and
// after every step what stands on each lock byte.

import SluiceSystem
import SluiceWire
import TestSupport
import Testing

@testable import SluiceFiles

/// SQLite's rules over sets of holders.
private struct PlainLadder {
  /// Each holder that rises stays in the sets below.
  var readers: Set<UInt64> = []
  var reserved: Set<UInt64> = []
  var pending: Set<UInt64> = []
  var exclusive: Set<UInt64> = []

  func level(_ holder: UInt64) -> LockLevel {
    exclusive.contains(holder)
      ? .exclusive
      : pending.contains(holder)
        ? .pending
        : reserved.contains(holder) ? .reserved : readers.contains(holder) ? .shared : .none
  }

  /// The other holders because of which `holder` cannot have `level`.
  func obstacles(to level: LockLevel, for holder: UInt64) -> Set<UInt64> {
    let inAllWays = pending.union(exclusive)
    let others =
      switch level {
      case .none: Set<UInt64>()
      case .shared: inAllWays
      case .reserved, .pending: inAllWays.union(reserved)
      case .exclusive: inAllWays.union(reserved).union(readers)
      }
    return others.subtracting([holder])
  }

  mutating func lower(_ holder: UInt64, toShared: Bool) {
    for set in [\PlainLadder.reserved, \.pending, \.exclusive] { self[keyPath: set].remove(holder) }
    if !toShared { readers.remove(holder) }
  }

  /// What stands on the byte at `offset`.
  func kind(at offset: Int64) -> ByteRangeLock {
    switch offset {
    case 0x4000_0000: pending.isEmpty && exclusive.isEmpty ? .none : .exclusive
    case 0x4000_0001: reserved.isEmpty ? .none : .exclusive
    case 0x4000_0002..<0x4000_0200:
      !exclusive.isEmpty ? .exclusive : readers.isEmpty ? .none : .shared
    default: .none
    }
  }
}

/// The lock bytes of a file, at their ends and beside them.
private struct PlainFile {
  static let offsets: [Int64] = [
    0, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0002, 0x4000_0100, 0x4000_01ff, 0x4000_0200,
  ]
  private var kinds = Dictionary(
    uniqueKeysWithValues: PlainFile.offsets.map { ($0, ByteRangeLock.none) })
  var calls: [LocksOnFile.Call] = []

  subscript(offset: Int64) -> ByteRangeLock { kinds[offset]! }

  mutating func put(_ call: LocksOnFile.Call) {
    calls.append(call)
    for offset in Self.offsets
    where call.byteCount == 0 || call.start..<(call.start + call.byteCount) ~= offset {
      kinds[offset] = call.lock
    }
  }
}

private struct Refused: Error {}

struct LadderTests {
  /// A ladder with the levels of its holders and its file, driven as SharedFile drives it.
  private final class Scene {
    var ladder = Ladder()
    var levels: [UInt64: LockLevel] = [:]
    var file = PlainFile()
    var isMirrored = true
    /// Whether the kernel refuses the next lock.
    var isRefusing = false

    func held(_ holder: UInt64) -> LockLevel { levels[holder, default: .none] }

    private func step(_ change: (inout Ladder) -> Void) throws {
      var next = ladder
      change(&next)
      if isMirrored {
        try ladder.locksOnFile.change(to: next.locksOnFile) { call in
          if isRefusing, call.lock != .none { throw Refused() }
          file.put(call)
        }
      }
      ladder = next
    }

    func lock(_ holder: UInt64, _ level: LockLevel) throws {
      try ladder.admit(holder, from: held(holder), to: level)
      guard held(holder) < level else { return }
      switch level {
      case .shared: try step { $0.addReader() }
      case .reserved: try step { $0.reserve(for: holder) }
      default:
        if held(holder) < .pending {
          try step { $0.pend(for: holder) }
          levels[holder] = .pending
        }
        guard ladder.mayExclude else { throw FileError.busyPending }
        try step { $0.exclude() }
      }
      levels[holder] = level
    }

    func unlock(_ holder: UInt64, toShared: Bool) throws -> Bool {
      var wasWriter = false
      try step { ladder in
        wasWriter = ladder.endWriting(by: holder)
        if !toShared { ladder.removeReader() }
      }
      levels[holder] = toShared ? .shared : LockLevel.none
      return wasWriter
    }

    func setMirrored(_ wanted: Bool) {
      guard wanted != isMirrored else { return }
      isMirrored = wanted
      if wanted {
        LocksOnFile.nothing.change(to: ladder.locksOnFile) { file.put($0) }
      } else {
        file.put(.clear)
      }
    }
  }

  @Test func randomStepsAgreeWithSetsOfHolders() throws {
    var random = SeededRandom(for: "LadderTests.randomStepsAgreeWithSetsOfHolders")
    let holders: [UInt64] = [3, 5, 8, 13, 21]
    let scene = Scene()
    var model = PlainLadder()
    var counts: [String: Int] = [:]
    var trace: [String] = []
    for _ in 0..<30_000 {
      let holder = holders.randomElement(using: &random)!
      let level = LockLevel.allCases.randomElement(using: &random)!
      let action = Int.random(in: 0..<24, using: &random)
      scene.isRefusing = Int.random(in: 0..<6, using: &random) == 0
      var answer = "done"
      switch action {
      case 0..<14:
        let expected = lock(&model, holder, level, refuses: scene.isRefusing && scene.isMirrored)
        do {
          try scene.lock(holder, level)
        } catch let error as FileError {
          answer = "\(error)"
        } catch {
          answer = "refused"
        }
        try #require(answer == expected, "\(trace.suffix(20))")
      case 14..<21 where model.level(holder) > .none:
        let toShared = Bool.random(using: &random)
        let isWriter = model.level(holder) > .shared
        if toShared, !isWriter { continue }
        scene.isRefusing = false
        try #require(try scene.unlock(holder, toShared: toShared) == isWriter)
        model.lower(holder, toShared: toShared)
        answer = "unlocked"
      case 21 where model.level(holder) == .shared && !scene.isMirrored:
        // It stood unused, and another handle needs it.
        scene.ladder.removeReader()
        scene.levels[holder] = LockLevel.none
        model.lower(holder, toShared: false)
        answer = "taken back"
      case 22: scene.setMirrored(true)
      case 23: scene.setMirrored(false)
      default: continue
      }
      counts[answer, default: 0] += 1
      trace.append("\(holder): \(action) \(level) → \(answer)")
      try compare(scene, model, holders, trace)
    }
    for answer in ["done", "busy", "busyPending", "misuse", "refused", "unlocked", "taken back"] {
      #expect(counts[answer, default: 0] > 50, "\(answer): chance has not tried it: \(counts)")
    }
  }

  /// What the answer to a lock request must be.
  private func lock(
    _ model: inout PlainLadder, _ holder: UInt64, _ level: LockLevel, refuses: Bool
  ) -> String {
    if level == .none || level == .pending { return "misuse" }
    if level > .shared, !model.readers.contains(holder) { return "misuse" }
    if model.level(holder) >= level { return "done" }
    let writers = model.reserved.union(model.pending).union(model.exclusive)
    let obstacles = model.obstacles(to: level, for: holder)
    if !obstacles.intersection(level == .shared ? obstacles : writers).isEmpty { return "busy" }
    switch level {
    case .shared:
      // The kernel is asked for the first reader only.
      if refuses, model.readers.isEmpty { return "refused" }
      model.readers.insert(holder)
    case .reserved:
      if refuses { return "refused" }
      model.reserved.insert(holder)
    default:
      if refuses, !model.pending.contains(holder) { return "refused" }
      model.pending.insert(holder)
      if model.readers != [holder] { return "busyPending" }
      if refuses { return "refused" }
      model.exclusive.insert(holder)
    }
    return "done"
  }

  private func compare(
    _ scene: Scene, _ model: PlainLadder, _ holders: [UInt64], _ trace: [String]
  ) throws {
    let ladder = scene.ladder
    try #require(ladder.sharedCount == model.readers.count, "\(trace.suffix(20))")
    for offset in PlainFile.offsets {
      let expected = scene.isMirrored ? model.kind(at: offset) : .none
      try #require(scene.file[offset] == expected, "byte \(offset): \(trace.suffix(20))")
    }
    for holder in holders {
      try #require(scene.held(holder) == model.level(holder), "\(trace.suffix(20))")
      for level in [LockLevel.shared, .reserved, .exclusive] where model.level(holder) < level {
        let isTaken = !model.obstacles(to: level, for: holder).isEmpty
        try #require(
          ladder.isTaken(level, for: holder, at: model.level(holder)) == isTaken,
          "\(holder) \(level): \(trace.suffix(20))")
        // The writer cannot go on before this one has gone, nor this one before the writer.
        let waitsForHolder = !model.pending.union(model.exclusive).subtracting([holder]).isEmpty
        try #require(
          ladder.isDeadlock(holder, at: model.level(holder), awaiting: level)
            == (level > .shared && model.readers.contains(holder) && waitsForHolder))
      }
    }
    try #require(ladder.writerIsReserved == !model.reserved.isEmpty, "\(trace.suffix(20))")
    let isAlone = model.readers.count == 1 && !model.pending.isEmpty
    try #require(ladder.mayExclude == isAlone, "\(trace.suffix(20))")
  }

  @Test func pendingIsKeptWhenTheKernelRefusesExclusive() throws {
    let scene = Scene()
    try scene.lock(1, .shared)
    try scene.lock(2, .shared)
    #expect(throws: FileError.busyPending) { try scene.lock(1, .exclusive) }
    #expect(scene.held(1) == .pending && scene.file[0x4000_0000] == .exclusive)
    _ = try scene.unlock(2, toShared: false)
    scene.isRefusing = true
    #expect(throws: Refused.self) { try scene.lock(1, .exclusive) }
    #expect(scene.held(1) == .pending && scene.ladder.writerLevel == .pending)
    #expect(scene.file[0x4000_0000] == .exclusive && scene.file[0x4000_0002] == .shared)
    scene.isRefusing = false
    try scene.lock(1, .exclusive)
    #expect(scene.file[0x4000_0002] == .exclusive)
  }

  /// Each step costs the system calls that it needs, and no more.
  @Test func eachStepChangesWhatItMust() throws {
    let scene = Scene()
    func calls(_ body: () throws -> Void) rethrows -> [String] {
      scene.file.calls = []
      try body()
      return scene.file.calls.map { "\($0.lock) \($0.start & 0xff) \($0.byteCount)" }
    }
    #expect(try calls { try scene.lock(1, .shared) } == ["shared 2 510"])
    #expect(try calls { try scene.lock(2, .shared) } == [])
    #expect(try calls { try scene.lock(1, .reserved) } == ["exclusive 1 1"])
    #expect(try calls { _ = try scene.unlock(2, toShared: false) } == [])
    #expect(
      try calls { try scene.lock(1, .exclusive) } == ["exclusive 0 1", "exclusive 2 510"])
    #expect(calls { scene.setMirrored(false) } == ["none 0 0"])
    #expect(
      calls { scene.setMirrored(true) } == ["exclusive 2 510", "exclusive 0 1", "exclusive 1 1"])
    #expect(
      try calls { _ = try scene.unlock(1, toShared: true) } == ["shared 2 510", "none 0 2"])
    #expect(try calls { _ = try scene.unlock(1, toShared: false) } == ["none 0 0"])
  }
}
