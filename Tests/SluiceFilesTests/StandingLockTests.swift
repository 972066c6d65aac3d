// Locks that stand, as the VFS uses them. A client that takes one without asking must be as safe
// from others as if it had asked. A lock that only stands may never cause a refusal.

import Foundation
import Glibc
import SluiceChannel
import SluiceClient
import SluiceWire
import TestSupport
import Testing

struct StandingLockTests {
  private let sidecar: SidecarProcess

  init() throws { sidecar = try SidecarProcess() }

  /// A connection that takes what stands and asks for the rest.
  private final class Connection {
    let file: RemoteFile
    let life: Life
    var level = LockLevel.none
    /// How many locks were taken without a request.
    var takenCount = 0

    init(_ session: Session, _ options: OpenOptions = .standingLocks) throws {
      file = try session.openChannel().open(
        OpenRequest(
          path: Array("a.db".utf8), kind: .mainDatabase,
          options: options.union([.readWrite, .create])))
      life = try #require(try file.openWindow()).life
    }

    func lock(_ level: LockLevel) -> Status? {
      if self.level >= level { return .done }
      if level == .shared, file.takeStanding(.file, life) {
        takenCount += 1
        self.level = level
        return .done
      }
      let answer = status { try file.lock(level) }
      if answer == .done { self.level = level }
      if answer == .busyPending { self.level = .pending }
      return answer
    }

    func unlock(_ level: LockLevel) -> Status? {
      let held = self.level
      if held <= level { return .done }
      self.level = level
      if held == .shared, file.giveBackStanding(.file) { return .done }
      return status { try file.unlock(level) }
    }
  }

  private func connect(_ options: OpenOptions = .standingLocks) throws -> Connection {
    try Connection(sidecar.connect(), options)
  }

  @Test func aLockThatWasGrantedStandsAfterItsUse() throws {
    let connection = try connect()
    #expect(!connection.file.takeStanding(.file, connection.life), "nobody has granted it")
    #expect(connection.lock(.shared) == .done)
    for _ in 0..<10 {
      #expect(connection.unlock(.none) == .done)
      #expect(connection.lock(.shared) == .done)
    }
    #expect(connection.takenCount == 10)
    // After a write too.
    #expect(connection.lock(.reserved) == .done)
    #expect(connection.lock(.exclusive) == .done)
    #expect(connection.unlock(.none) == .done)
    #expect(connection.lock(.shared) == .done)
    #expect(connection.takenCount == 11)
  }

  @Test func lockThatOnlyStandsCausesNoRefusal() throws {
    let (first, second) = (try connect(), try connect())
    #expect(first.lock(.shared) == .done)
    #expect(first.unlock(.none) == .done)
    #expect(second.lock(.shared) == .done)
    #expect(second.lock(.exclusive) == .done)
    #expect(first.lock(.shared) == .busy)
    #expect(second.unlock(.none) == .done)
    #expect(first.lock(.shared) == .done)
  }

  @Test func lockInUseKeepsAWriterOutAndIsGivenBack() throws {
    let (reader, writer) = (try connect(), try connect())
    #expect(reader.lock(.shared) == .done)
    #expect(reader.unlock(.none) == .done)
    #expect(reader.lock(.shared) == .done)
    #expect(reader.takenCount == 1)
    #expect(writer.lock(.shared) == .done)
    #expect(writer.lock(.exclusive) == .busyPending)
    #expect(!reader.file.giveBackStanding(.file), "the writer waits for it")
    #expect(reader.unlock(.none) == .done)
    #expect(reader.lock(.shared) == .busy)
    #expect(writer.lock(.exclusive) == .done)
  }

  @Test func anOutsiderSeesNoLockThatOnlyStandsAndEveryOneInUse() throws {
    let connection = try connect()
    #expect(connection.lock(.shared) == .done)
    #expect(connection.unlock(.none) == .done)
    var outsider = unsafe open(sidecar.file("a.db").path, O_RDWR)
    #expect(!isLocked(outsider))
    #expect(!connection.file.takeStanding(.file, connection.life))
    #expect(connection.lock(.shared) == .done)
    #expect(isLocked(outsider))
    #expect(connection.unlock(.none) == .done)
    #expect(!isLocked(outsider))
    Glibc.close(outsider)
    // Ours alone again, with a lock that is in use when the outsider comes.
    for _ in 0..<500 where connection.takenCount == 0 {
      usleep(10_000)
      #expect(connection.lock(.shared) == .done)
      #expect(connection.unlock(.none) == .done)
    }
    #expect(connection.lock(.shared) == .done)
    outsider = unsafe open(sidecar.file("a.db").path, O_RDWR)
    #expect(isLocked(outsider))
    #expect(connection.unlock(.none) == .done)
    #expect(!isLocked(outsider))
    Glibc.close(outsider)
  }

  /// Whether SHARED stands on the file.
  private func isLocked(_ file: Int32) -> Bool {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = 0x4000_0002
    lock.l_len = 510
    let result = unsafe fcntl(file, F_GETLK, &lock)
    precondition(result == 0, "F_GETLK has nothing to fail with")
    return lock.l_type != Int16(F_UNLCK)
  }

  @Test func nothingStandsForAClientThatDoesNotAskOrAsksToUnlockAtOnce() throws {
    for options in [[], [.standingLocks, .unlockAsSoonAsPossible]] as [OpenOptions] {
      let connection = try connect(options)
      #expect(connection.lock(.shared) == .done)
      #expect(!connection.file.giveBackStanding(.file))
      #expect(connection.unlock(.none) == .done)
      #expect(!connection.file.takeStanding(.file, connection.life))
    }
  }

  @Test func readLocksAndTheWriteLockOfAnIndexStandUntilOthersNeedThem() throws {
    let connections = [try connect(), try connect()]
    let files = connections.map(\.file)
    for file in files {
      try file.lock(.shared)
      _ = try file.joinWALIndex(
        WALIndexMapRequest(
          byteCount: 32768, extends: true, isReadOnly: false, wantsDescriptor: false))
    }
    let life = connections[0].life
    try files[0].lockWALIndex(first: 3, count: 1, .shared)
    try files[0].lockWALIndex(first: 0, count: 1, .exclusive)
    for lock in [1, 8] as [UInt8] {
      #expect(files[0].giveBackStanding(.walIndex(lock)))
      #expect(files[0].takeStanding(.walIndex(lock), life))
    }
    // In use: others are refused, and it comes back with a request.
    #expect(status { try files[1].lockWALIndex(first: 3, count: 1, .exclusive) } == .busy)
    #expect(status { try files[1].lockWALIndex(first: 0, count: 1, .exclusive) } == .busy)
    #expect(!files[0].giveBackStanding(.walIndex(1)))
    #expect(!files[0].giveBackStanding(.walIndex(8)))
    try files[0].lockWALIndex(first: 0, count: 1, .unlock)
    try files[0].lockWALIndex(first: 3, count: 1, .unlock)
    // Refusals leave places in the line for a while, and nothing stands beside those.
    usleep(300_000)
    try files[0].lockWALIndex(first: 3, count: 1, .shared)
    try files[0].lockWALIndex(first: 3, count: 1, .unlock)
    try files[0].lockWALIndex(first: 3, count: 1, .shared)
    try files[0].lockWALIndex(first: 0, count: 1, .exclusive)
    #expect(files[0].giveBackStanding(.walIndex(1)))
    #expect(files[0].giveBackStanding(.walIndex(8)))
    // Not in use: nobody is refused.
    try files[1].lockWALIndex(first: 3, count: 1, .exclusive)
    try files[1].lockWALIndex(first: 0, count: 1, .exclusive)
    #expect(!files[0].takeStanding(.walIndex(8), life))
    #expect(status { try files[0].lockWALIndex(first: 3, count: 1, .shared) } == .busy)
  }

  /// Otherwise it would overwrite what the next writer has put there.
  @Test func aPieceThatWasHeldBackIsWrittenBeforeTheRightToWriteIsFree() throws {
    let (files, wals) = try writers(in: [sidecar.connect(), sidecar.connect()])
    try files[0].lockWALIndex(first: 0, count: 1, .exclusive)
    try unsafe ([1, 1, 1] as [UInt8]).withUnsafeBytes {
      try unsafe wals[0].post($0, at: 0, handsOver: false)
    }
    #expect(files[0].giveBackStanding(.walIndex(1)))
    try files[1].lockWALIndex(first: 0, count: 1, .exclusive)
    try wals[1].write([2, 2, 2], at: 0)
    try wals[0].settle()
    #expect(try wals[1].read(3, at: 0) == [2, 2, 2])
  }

  /// The first writer's reactor is in the midst of a slow sync, and the other writer's is not. SQLite
  /// leaves such writes when it rolls back a transaction whose pages it had spilled.
  @Test func writesThatWerePostedAreDoneBeforeTheRightToWriteIsFree() throws {
    let sidecar = try SidecarProcess(["--reactors", "2", "--sync-delay", "100"])
    let sessions = [try sidecar.connect(), try sidecar.connect()]
    let syncing = try sessions[0].openChannel().openDatabase("b.db")
    let (files, wals) = try writers(in: sessions)
    try files[0].lockWALIndex(first: 0, count: 1, .exclusive)
    let isSynced = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      try? syncing.sync()
      isSynced.signal()
    }
    usleep(20_000)
    try unsafe ([1, 1, 1] as [UInt8]).withUnsafeBytes { try unsafe wals[0].post($0, at: 0) }
    #expect(files[0].giveBackStanding(.walIndex(1)))
    try files[1].lockWALIndex(first: 0, count: 1, .exclusive)
    try wals[1].write([2, 2, 2], at: 0)
    try wals[0].settle()
    isSynced.wait()
    #expect(try wals[1].read(3, at: 0) == [2, 2, 2])
  }

  /// Two programs that may write to a WAL.
  private func writers(
    in sessions: [Session]
  ) throws -> (files: [RemoteFile], wals: [RemoteFile]) {
    let files = try sessions.map { try Connection($0, .standingLocks).file }
    let wals = try files.map { file in
      try file.lock(.shared)
      _ = try file.joinWALIndex(
        WALIndexMapRequest(
          byteCount: 32768, extends: true, isReadOnly: false, wantsDescriptor: false))
      return try file.channel.open(
        OpenRequest(path: Array("a.db-wal".utf8), kind: .wal, options: [.readWrite, .create]))
    }
    return (files, wals)
  }

  @Test func onesOwnStandingLockIsNotInOnesWay() throws {
    let file = try connect().file
    try file.lock(.shared)
    _ = try file.joinWALIndex(
      WALIndexMapRequest(
        byteCount: 32768, extends: true, isReadOnly: false, wantsDescriptor: false))
    try file.lockWALIndex(first: 4, count: 1, .shared)
    #expect(file.giveBackStanding(.walIndex(16)))
    try file.lockWALIndex(first: 4, count: 1, .exclusive)
    try file.lockWALIndex(first: 4, count: 1, .unlock)
    try file.lockWALIndex(first: 4, count: 1, .shared)
    #expect(file.giveBackStanding(.walIndex(16)))
    // The WRITE lock, which stands alone, when it is to be shared.
    try file.lockWALIndex(first: 0, count: 1, .exclusive)
    #expect(file.giveBackStanding(.walIndex(1)))
    try file.lockWALIndex(first: 0, count: 1, .shared)
    try file.lockWALIndex(first: 0, count: 1, .unlock)
    try file.lockWALIndex(first: 0, count: 5, .exclusive)
  }

  @Test func aLockThatStoodUnusedIsInUseWhenItIsAskedForAmongOthers() throws {
    let (first, second) = (try connect().file, try connect().file)
    for file in [first, second] {
      try file.lock(.shared)
      _ = try file.joinWALIndex(
        WALIndexMapRequest(
          byteCount: 32768, extends: true, isReadOnly: false, wantsDescriptor: false))
    }
    try first.lockWALIndex(first: 3, count: 1, .shared)
    #expect(first.giveBackStanding(.walIndex(8)))
    try first.lockWALIndex(first: 2, count: 2, .shared)
    #expect(status { try second.lockWALIndex(first: 3, count: 1, .exclusive) } == .busy)
  }

  @Test func whatStandsInTheWordAfterItsConnectionIsNobodys() throws {
    let session = try sidecar.connect()
    let first = try Connection(session)
    #expect(first.lock(.shared) == .done)
    try first.file.close()
    let second = try connect()
    #expect(second.lock(.shared) == .done)
    #expect(second.lock(.exclusive) == .done)
  }

  @Test func theDeathOfTheSidecarEndsItsLife() throws {
    let connection = try connect()
    #expect(connection.lock(.shared) == .done)
    #expect(connection.unlock(.none) == .done)
    #expect(!connection.life.isOver)
    sidecar.destroy()
    #expect(connection.life.isOver)
    #expect(connection.lock(.shared) != .done)
  }

  @Test func randomLocksAgreeWithSQLitesRules() throws {
    var random = SeededRandom(for: "StandingLockTests.randomLocksAgreeWithSQLitesRules")
    let sessions = try [sidecar.connect(), sidecar.connect()]
    let connections = try (sessions + sessions).map { try Connection($0) }
    var model = LockModel(holderCount: connections.count)
    var trace: [String] = []
    for _ in 0..<20000 {
      let number = Int.random(in: connections.indices, using: &random)
      let connection = connections[number]
      let unlocks = Bool.random(using: &random)
      let levels: [LockLevel] =
        unlocks
        ? [.none, .none, .shared]
        : connection.level == .none ? [.shared] : [.shared, .reserved, .exclusive]
      let level = levels.randomElement(using: &random)!
      let (expected, got) =
        unlocks
        ? (model.unlock(number, level), connection.unlock(level))
        : (model.lock(number, level), connection.lock(level))
      trace.append("\(number): \(unlocks ? "unlock" : "lock") \(level) → \(expected)")
      try #require(got == expected, "\(trace.suffix(20))")
    }
    #expect(connections.allSatisfy { $0.takenCount > 100 }, "\(connections.map(\.takenCount))")
  }
}
