// Locks of several handles over two sessions, against the model, by chance and by hand; and the
// same locks as another process sees them on the file.

import Foundation
import Glibc
import SluiceClient
import SluiceWire
import TestSupport
import Testing

struct LockTableTests {
  enum Outsider: String, CaseIterable { case absent, idle, reading }

  @Test(arguments: Outsider.allCases)
  func randomLocksAgreeWithSQLitesRules(outside: Outsider) throws {
    var random = SeededRandom(for: "randomLocksAgreeWithSQLitesRules(\(outside))")
    let sidecar = try SidecarProcess()
    let sessions = try [sidecar.connect(), sidecar.connect()]
    let channels = sessions + sessions
    var files = try channels.map { try $0.openChannel().openDatabase("a.db") }
    // With an outsider about, the sidecar has no lease and must mirror every lock.
    let outsider = outside == .absent ? -1 : unsafe open(sidecar.file("a.db").path, O_RDWR)
    defer { if outsider >= 0 { Glibc.close(outsider) } }
    // The outsider is the last holder of the model.
    var model = LockModel(holderCount: files.count + 1)
    var trace: [String] = []
    var counts: [Status: Int] = [:]
    for _ in 0..<5000 {
      let holder = Int.random(in: files.indices, using: &random)
      let level = LockLevel.allCases.randomElement(using: &random)!
      let action = Int.random(in: 0..<20, using: &random)
      let (expected, got): (Status, Status?)
      switch action {
      case 0..<10:
        (expected, got) = (
          model.lock(holder, level), status { try files[holder].lock(level) }
        )
      case 10..<18:
        (expected, got) = (
          model.unlock(holder, level), status { try files[holder].unlock(level) }
        )
      case 18 where outside == .reading:
        let isReading = model.levels[files.count] == .shared
        (expected, got) =
          isReading
          ? (model.unlock(files.count, .none), endReading(outsider))
          : (model.lock(files.count, .shared), beginReading(outsider))
        trace.append("outside: \(isReading ? "unlock" : "lock") shared → \(expected)")
        try #require(got == expected, "\(trace.suffix(20))")
        continue
      case 18:
        #expect(try files[holder].isReserved() == model.isReserved, "\(trace.suffix(20))")
        continue
      default:
        try files[holder].close()
        model.close(holder)
        files[holder] = try channels[holder].home.openDatabase("a.db")
        continue
      }
      trace.append("\(holder): \(action < 10 ? "lock" : "unlock") \(level) → \(expected)")
      try #require(got == expected, "\(trace.suffix(20))")
      counts[expected, default: 0] += 1
      if outsider >= 0 { try compare(outsider, model, trace) }
    }
    for status in [Status.done, .busy, .busyPending, .misuse] {
      #expect(counts[status, default: 0] > 20, "\(status): chance has not tried it")
    }
  }

  /// What stands on SQLite's lock bytes must be what the model's holders have together.
  private func compare(_ outsider: Int32, _ model: LockModel, _ trace: [String]) throws {
    // A process does not see its own locks.
    let highest = model.levels.dropLast().max()!
    let expected =
      switch highest {
      case .none: "  "
      case .shared: "r "
      case .reserved: "rw"
      // A writer at PENDING or more may have come there without RESERVED.
      case .pending: "rp"
      case .exclusive: "wp"
      }
    var seen = ""
    seen += blocks(outsider, F_RDLCK, 0x4000_0002, 510) ? "w" : ""
    if seen.isEmpty { seen = blocks(outsider, F_WRLCK, 0x4000_0002, 510) ? "r" : " " }
    if blocks(outsider, F_RDLCK, 0x4000_0000, 1) {
      seen += "p"
    } else {
      seen += blocks(outsider, F_RDLCK, 0x4000_0001, 1) ? "w" : " "
    }
    try #require(seen == expected, "\(trace.suffix(20))")
  }

  /// SHARED as SQLite's unix VFS takes it.
  private func beginReading(_ file: Int32) -> Status {
    guard place(file, F_RDLCK, pendingByte, 1) else { return .busy }
    defer { _ = place(file, F_UNLCK, pendingByte, 1) }
    return place(file, F_RDLCK, sharedBytes, 510) ? .done : .busy
  }

  private func endReading(_ file: Int32) -> Status {
    place(file, F_UNLCK, pendingByte, 512) ? .done : .systemError
  }

  private let pendingByte: Int64 = 0x4000_0000
  private let reservedByte: Int64 = 0x4000_0001
  private let sharedBytes: Int64 = 0x4000_0002

  /// Whether this process, or with `ofDescription` this open file description, got that lock.
  private func place(
    _ file: Int32, _ kind: Int32, _ start: Int64, _ byteCount: Int64, ofDescription: Bool = false
  ) -> Bool {
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = Int(start)
    lock.l_len = Int(byteCount)
    // F_OFD_SETLK, which Swift does not see.
    return unsafe fcntl(file, ofDescription ? 37 : F_SETLK, &lock) == 0
  }

  /// Whether a lock of that kind would be refused to this process.
  private func blocks(_ file: Int32, _ kind: Int32, _ start: Int64, _ byteCount: Int64) -> Bool {
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = Int(start)
    lock.l_len = Int(byteCount)
    let result = unsafe fcntl(file, F_GETLK, &lock)
    precondition(result == 0, "F_GETLK has nothing to fail with")
    return lock.l_type != Int16(F_UNLCK)
  }

  @Test func secondOfTwoReadersThatWantToWriteIsRefusedAtOnce() throws {
    let sidecar = try SidecarProcess()
    let first = try sidecar.connect().home.openDatabase("a.db")
    let second = try sidecar.connect().home.openDatabase("a.db")
    try first.lock(.shared)
    try second.lock(.shared)
    try first.lock(.reserved)
    #expect(status { try second.lock(.reserved) } == .busy)
    #expect(status { try first.lock(.exclusive) } == .busyPending)
    #expect(status { try second.lock(.exclusive) } == .busy)
    try second.unlock(.none)
    #expect(status { try second.lock(.shared) } == .busy)
    try first.lock(.exclusive)
    #expect(try second.isReserved())
    try first.unlock(.none)
    try second.lock(.shared)
  }

  /// EXCLUSIVE is asked for from SHARED, as for a hot journal, and from RESERVED.
  @Test(arguments: [LockLevel.shared, .reserved])
  func readersHereLeaveAWriterPending(from level: LockLevel) throws {
    let sidecar = try SidecarProcess()
    let writer = try sidecar.connect().home.openDatabase("a.db")
    let reader = try sidecar.connect().home.openDatabase("a.db")
    let late = try sidecar.connect().home.openDatabase("a.db")
    for file in [writer, reader] { try file.lock(.shared) }
    try writer.lock(level)
    for _ in 0..<3 {
      #expect(status { try writer.lock(.exclusive) } == .busyPending)
      // It holds PENDING now, so that nobody comes and nobody rises.
      #expect(status { try late.lock(.shared) } == .busy)
      #expect(status { try reader.lock(.reserved) } == .busy)
      #expect(status { try reader.lock(.exclusive) } == .busy)
      // A reader asks this to learn whether a journal is a living writer's. A journal that is being
      // rolled back is not: a reader that took it for one would read pages while they are rolled
      // back.
      #expect(try reader.isReserved() == (level == .reserved))
    }
    try reader.unlock(.none)
    try writer.lock(.exclusive)
    try writer.unlock(.shared)
    try late.lock(.shared)
  }

  @Test func anotherWriterHereGivesNoPending() throws {
    let sidecar = try SidecarProcess()
    let writer = try sidecar.connect().home.openDatabase("a.db")
    let loser = try sidecar.connect().home.openDatabase("a.db")
    let late = try sidecar.connect().home.openDatabase("a.db")
    for file in [writer, loser] { try file.lock(.shared) }
    try writer.lock(.reserved)
    #expect(status { try loser.lock(.exclusive) } == .busy)
    // The refused one holds SHARED and no more: readers come, and it is in the writer's way.
    try late.lock(.shared)
    try late.unlock(.none)
    #expect(status { try writer.lock(.exclusive) } == .busyPending)
    try loser.unlock(.none)
    try writer.lock(.exclusive)
  }

  @Test(arguments: [LockLevel.shared, .reserved], [false, true])
  func readersOutsideLeaveAWriterPending(from level: LockLevel, ofDescription: Bool) throws {
    let sidecar = try SidecarProcess()
    let writer = try sidecar.connect().home.openDatabase("a.db")
    let outsider = unsafe open(sidecar.file("a.db").path, O_RDWR)
    defer { Glibc.close(outsider) }
    try writer.lock(.shared)
    try writer.lock(level)
    #expect(place(outsider, F_RDLCK, sharedBytes, 510, ofDescription: ofDescription))
    for _ in 0..<3 {
      #expect(status { try writer.lock(.exclusive) } == .busyPending)
      #expect(blocks(outsider, F_RDLCK, pendingByte, 1), "PENDING must stand on the file")
    }
    #expect(place(outsider, F_UNLCK, sharedBytes, 510, ofDescription: ofDescription))
    try writer.lock(.exclusive)
    #expect(blocks(outsider, F_RDLCK, sharedBytes, 510))
  }

  @Test(arguments: [false, true])
  func aWriterOutsideGivesNoPending(ofDescription: Bool) throws {
    let sidecar = try SidecarProcess()
    let file = try sidecar.connect().home.openDatabase("a.db")
    let outsider = unsafe open(sidecar.file("a.db").path, O_RDWR)
    defer { Glibc.close(outsider) }
    try file.lock(.shared)
    #expect(place(outsider, F_WRLCK, reservedByte, 1, ofDescription: ofDescription))
    #expect(status { try file.lock(.reserved) } == .busy)
    #expect(try file.isReserved())
    #expect(place(outsider, F_WRLCK, pendingByte, 1, ofDescription: ofDescription))
    #expect(status { try file.lock(.exclusive) } == .busy)
    // It holds SHARED and no more.
    #expect(blocks(outsider, F_WRLCK, sharedBytes, 510))
    #expect(place(outsider, F_UNLCK, pendingByte, 2, ofDescription: ofDescription))
    #expect(!blocks(outsider, F_WRLCK, pendingByte, 2))
    try file.lock(.exclusive)
  }

  @Test func endOfASessionFreesItsLocks() throws {
    let sidecar = try SidecarProcess()
    let waiting = try sidecar.connect().home.openDatabase("a.db")
    do {
      let session = try sidecar.connect()
      let file = try session.openChannel().openDatabase("a.db")
      try file.lock(.shared)
      try file.lock(.exclusive)
      #expect(status { try waiting.lock(.shared) } == .busy)
    }
    let deadline = ContinuousClock.now + .seconds(20)
    while status({ try waiting.lock(.shared) }) != .done, ContinuousClock.now < deadline {
      usleep(1000)
    }
    try waiting.lock(.exclusive)
  }

  @Test func endOfAChannelClosesItsFiles() throws {
    let sidecar = try SidecarProcess()
    let session = try sidecar.connect()
    let other = try sidecar.connect().home.openDatabase("a.db")
    do {
      let file = try session.openChannel().openDatabase("a.db")
      try file.lock(.shared)
      try file.lock(.exclusive)
    }
    try other.lock(.shared)
    try other.lock(.exclusive)
  }
}
