// Locks of several handles over two sessions, against the model, by chance and by hand; and the
// same locks as another process sees them on the file.

import Foundation
import Glibc
import SluiceClient
import SluiceWire
import TestSupport
import Testing

struct LockTableTests {
  @Test(arguments: [false, true])
  func randomLocksAgreeWithSQLitesRules(somebodyElseHasItOpen: Bool) throws {
    var random = SeededRandom(for: "randomLocksAgreeWithSQLitesRules(\(somebodyElseHasItOpen))")
    let sidecar = try SidecarProcess()
    let sessions = try [sidecar.connect(), sidecar.connect()]
    let channels = sessions + sessions
    var files = try channels.map { try $0.openChannel().openDatabase("a.db") }
    // With an outsider about, the sidecar has no lease and must mirror every lock.
    let outsider = somebodyElseHasItOpen ? unsafe open(sidecar.file("a.db").path, O_RDWR) : -1
    defer { if outsider >= 0 { Glibc.close(outsider) } }
    var model = LockModel(holderCount: files.count)
    var trace: [String] = []
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
      if outsider >= 0 { try compare(outsider, model, trace) }
    }
  }

  /// What stands on SQLite's lock bytes must be what the model's holders have together.
  private func compare(_ outsider: Int32, _ model: LockModel, _ trace: [String]) throws {
    let highest = model.levels.max()!
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
    #expect(status { try first.lock(.exclusive) } == .busy)
    try second.unlock(.none)
    #expect(status { try second.lock(.shared) } == .busy)
    try first.lock(.exclusive)
    #expect(try second.isReserved())
    try first.unlock(.none)
    try second.lock(.shared)
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
