// The WAL index and mapped content through the typed calls: which client may join, how far the
// index grows, and what it is that clients map.

import Foundation
import Glibc
import SluiceClient
import SluiceWire
import Testing

struct WALIndexCallTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
  }

  private var index: URL { sidecar.file("a.db-shm") }

  private func indexByteCount() throws -> Int {
    try Data(contentsOf: index).count
  }

  private func request(
    _ byteCount: Int64, extends: Bool = false, isReadOnly: Bool = false
  ) -> WALIndexMapRequest {
    WALIndexMapRequest(
      byteCount: byteCount, extends: extends, isReadOnly: isReadOnly, wantsDescriptor: false)
  }

  // MARK: Readers

  @Test(arguments: [WALLockKind.shared, .exclusive])
  func anotherSessionsReadLockIsExternalWhateverItsKind(kind: WALLockKind) throws {
    let own = try session.home.openDatabase("a.db")
    let sister = try session.openChannel().openDatabase("a.db")
    let foreign = try sidecar.connect().home.openDatabase("a.db")
    for file in [own, sister, foreign] { _ = try file.joinWALIndex(request(0)) }
    try sister.lockWALIndex(first: 4, count: 1, kind)
    #expect(try !own.hasExternalReader())
    #expect(try foreign.hasExternalReader())
    try sister.lockWALIndex(first: 4, count: 1, .unlock)
    try foreign.lockWALIndex(first: 0, count: 3, .exclusive)
    #expect(try !own.hasExternalReader(), "these are no READ locks")
    try foreign.lockWALIndex(first: 3, count: 1, kind)
    #expect(try own.hasExternalReader())
    #expect(try !foreign.hasExternalReader())
  }

  // MARK: Growth

  @Test func indexGrowsByWholePagesAndAMebibyteAtMost() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(try file.joinWALIndex(request(32768)).byteCount == 3)
    for wrong in [4, 4095, 4097, 32767, 1 << 20 | 1] as [Int64] {
      #expect(status { _ = try file.joinWALIndex(request(wrong, extends: true)) } == .misuse)
    }
    // From the three bytes that are there, a whole MiB is a page and three bytes too many.
    for wrong in [1 << 20 + 4096, 1 << 30, 1 << 40] as [Int64] {
      #expect(status { _ = try file.joinWALIndex(request(wrong, extends: true)) } == .misuse)
    }
    #expect(try indexByteCount() == 3)
    let mebibyte: Int64 = 1 << 20
    for turn in 1...3 as ClosedRange<Int64> {
      let size = turn * mebibyte
      #expect(try file.joinWALIndex(request(size, extends: true)).byteCount == size)
      #expect(try indexByteCount() == Int(size))
      let beyond = size + mebibyte + 4096
      #expect(status { _ = try file.joinWALIndex(request(beyond, extends: true)) } == .misuse)
      // A client that does not extend may ask for any size, and is told the size that there is.
      #expect(try file.joinWALIndex(request(beyond)).byteCount == size)
      // A client that has enough extends nothing, so its size need not be whole pages.
      #expect(try file.joinWALIndex(request(5, extends: true)).byteCount == size)
    }
    #expect(try indexByteCount() == 3 << 20)
    let attributes = try FileManager.default.attributesOfItem(atPath: index.path)
    #expect(attributes[.size] as? Int == 3 << 20)
  }

  @Test func pagesOfTheIndexAreThereAndEmpty() throws {
    let file = try session.home.openDatabase("a.db")
    _ = try file.joinWALIndex(request(32768, extends: true))
    var status = stat()
    #expect(unsafe stat(index.path, &status) == 0)
    #expect(status.st_blocks * 512 >= 32768, "no page of it may be missing from the disk")
    #expect(try Data(contentsOf: index).allSatisfy { $0 == 0 })
  }

  // MARK: Joining

  @Test func locksAreForClientsThatHaveJoined() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(status { try file.lockWALIndex(first: 0, count: 1, .exclusive) } == .misuse)
    _ = try file.joinWALIndex(request(32768))
    try file.lockWALIndex(first: 0, count: 1, .exclusive)
    try file.unmapWALIndex(deletes: false)
    #expect(status { try file.lockWALIndex(first: 0, count: 1, .exclusive) } == .misuse)
    try file.unmapWALIndex(deletes: true)
    #expect(
      FileManager.default.fileExists(atPath: index.path),
      "a client that has not joined removes nothing")
    _ = try file.joinWALIndex(request(32768))
    try file.unmapWALIndex(deletes: true)
    #expect(!FileManager.default.fileExists(atPath: index.path))
  }

  /// As clients of a dead sidecar do until they learn of its death.
  @Test func clientWithAnOldIndexMappedDoesNotWriteToTheNewOne() throws {
    let range = MappedRange(offset: 0, byteCount: 32768, isWritable: true)
    let wanted = request(32768, extends: true)
    let file = try session.home.openDatabase("a.db")
    try file.lock(.shared)
    _ = try file.joinWALIndex(wanted)
    let old = try #require(try file.mapWALIndex(wanted, range))
    try file.close()
    let next = try sidecar.connect().home.openDatabase("a.db")
    try next.lock(.shared)
    _ = try next.joinWALIndex(wanted)
    let new = try #require(try next.mapWALIndex(wanted, range))
    unsafe old.start.storeBytes(of: 0xff, toByteOffset: 100, as: UInt8.self)
    #expect(unsafe new.start.load(fromByteOffset: 100, as: UInt8.self) == 0)
    #expect(try Data(contentsOf: index)[100] == 0)
    unsafe new.start.storeBytes(of: 7, toByteOffset: 100, as: UInt8.self)
    #expect(try Data(contentsOf: index)[100] == 7)
  }

  /// As a second connection of a program maps it.
  @Test func partThatASessionHasMappedIsMappedAgainWithoutTheSidecar() throws {
    let range = MappedRange(offset: 0, byteCount: 32768, isWritable: true)
    let wanted = request(32768, extends: true)
    let files = try (0..<2).map { _ in try session.openChannel().openDatabase("a.db") }
    for file in files { try file.lock(.shared) }
    let number = try files[0].joinWALIndex(wanted).file
    #expect(files[0].copyWALIndexPart(of: number, range) == nil, "nobody has mapped it")
    let first = try #require(try files[0].mapWALIndex(wanted, range))
    #expect(try files[1].joinWALIndex(wanted).file == number)
    let second = try #require(files[1].copyWALIndexPart(of: number, range))
    unsafe first.start.storeBytes(of: 7, toByteOffset: 100, as: UInt8.self)
    #expect(unsafe second.start.load(fromByteOffset: 100, as: UInt8.self) == 7)
    // Another file, another range, other rights, another session.
    var other = number
    other.inode += 1
    #expect(files[1].copyWALIndexPart(of: other, range) == nil)
    for another in [
      MappedRange(offset: 32768, byteCount: 32768, isWritable: true),
      MappedRange(offset: 0, byteCount: 4096, isWritable: true),
      MappedRange(offset: 0, byteCount: 32768, isWritable: false),
    ] {
      #expect(files[1].copyWALIndexPart(of: number, another) == nil)
    }
    let stranger = try sidecar.connect().home.openDatabase("a.db")
    #expect(stranger.copyWALIndexPart(of: number, range) == nil)
    // What one lets go is not let go for the other, and is not given to others.
    first.letGo()
    unsafe first.start.storeBytes(of: 9, toByteOffset: 100, as: UInt8.self)
    #expect(unsafe second.start.load(fromByteOffset: 100, as: UInt8.self) == 7)
    #expect(try Data(contentsOf: index)[100] == 7)
    do {
      let third = try #require(files[0].copyWALIndexPart(of: number, range))
      #expect(unsafe third.start.load(fromByteOffset: 100, as: UInt8.self) == 7)
      second.letGo()
      #expect(files[0].copyWALIndexPart(of: number, range) != nil)
    }
    #expect(files[0].copyWALIndexPart(of: number, range) == nil, "the last one has gone")
  }

  // MARK: The last one

  /// SQLite asks for EXCLUSIVE when it closes a connection in WAL mode.
  @Test(arguments: [false, true])
  func lastOneAloneGetsExclusive(isMirrored: Bool) throws {
    let outsider =
      isMirrored ? unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600) : -1
    defer { if outsider >= 0 { Glibc.close(outsider) } }
    let files = try (0..<2).map { _ in try sidecar.connect().openChannel().openDatabase("a.db") }
    for file in files {
      try file.lock(.shared)
      _ = try file.joinWALIndex(request(32768, extends: true))
    }
    #expect(status { try files[0].lock(.exclusive) } == .busy)
    // It has no PENDING: others come, and are as alone or not as before.
    let late = try session.home.openDatabase("a.db")
    try late.lock(.shared)
    try late.unlock(.none)
    if isMirrored {
      #expect(!blocks(outsider, F_RDLCK, 0x4000_0000, 1))
      #expect(!blocks(outsider, F_RDLCK, 0x4000_0002, 510))
    }
    #expect(status { try files[1].lock(.exclusive) } == .busy)
    #expect(try !files[1].isReserved())
    // One that still has to leave the index is in the way; what it has posted is done before.
    try files[1].unlock(.none)
    #expect(status { try files[0].lock(.exclusive) } == .busy)
    try files[1].unmapWALIndex(deletes: false, waits: false)
    try files[0].lock(.exclusive)
    #expect(status { try late.lock(.shared) } == .busy)
    if isMirrored {
      #expect(blocks(outsider, F_RDLCK, 0x4000_0000, 1))
      #expect(blocks(outsider, F_RDLCK, 0x4000_0002, 510))
    }
    try files[0].unmapWALIndex(deletes: true, waits: false)
    try files[0].close(waits: false)
    try late.lock(.shared)
    #expect(!FileManager.default.fileExists(atPath: index.path))
  }

  @Test func readerOutsideIsInTheWayOfTheLastOne() throws {
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600)
    defer { Glibc.close(outsider) }
    let file = try session.home.openDatabase("a.db")
    try file.lock(.shared)
    _ = try file.joinWALIndex(request(32768, extends: true))
    var lock = flock()
    lock.l_type = Int16(F_RDLCK)
    lock.l_start = 0x4000_0002
    lock.l_len = 510
    #expect(unsafe fcntl(outsider, F_SETLK, &lock) == 0)
    #expect(status { try file.lock(.exclusive) } == .busy)
    #expect(!blocks(outsider, F_RDLCK, 0x4000_0000, 1))
    lock.l_type = Int16(F_UNLCK)
    #expect(unsafe fcntl(outsider, F_SETLK, &lock) == 0)
    try file.lock(.exclusive)
    try file.unlock(.shared)
    #expect(!blocks(outsider, F_RDLCK, 0x4000_0000, 1))
    #expect(!blocks(outsider, F_RDLCK, 0x4000_0002, 510))
  }

  @Test func fileWithoutANameHasNoIndex() throws {
    let file = try session.home.open(
      OpenRequest(
        path: nil, kind: .temporary, options: [.readWrite, .create, .exclusive, .deleteOnClose]))
    #expect(status { _ = try file.joinWALIndex(request(32768, extends: true)) } == .misuse)
  }

  @Test func readerCreatesNothing() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(status { _ = try file.joinWALIndex(request(32768, isReadOnly: true)) } == .notFound)
    #expect(status { try file.lockWALIndex(first: 3, count: 1, .shared) } == .misuse)
    #expect(!FileManager.default.fileExists(atPath: index.path))
  }

  @Test(arguments: [false, true])
  func readerOfAnIndexThatNobodyUsesHasJoinedAndLearnsWhenItIsSetUp(
    isOpenElsewhere: Bool
  ) throws {
    let old = Data(repeating: 7, count: 32768)
    try old.write(to: index)
    let reader = try session.home.openDatabase("a.db")
    let outsider =
      isOpenElsewhere ? unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600) : -1
    defer { if outsider >= 0 { Glibc.close(outsider) } }
    let asked = request(32768, extends: true, isReadOnly: true)
    for _ in 0..<2 {
      #expect(status { _ = try reader.joinWALIndex(asked) } == .walIndexNotSetUp)
    }
    #expect(try Data(contentsOf: index) == old, "a reader empties nothing")
    try reader.lockWALIndex(first: 3, count: 1, .shared)

    let writer = try sidecar.connect().home.openDatabase("a.db")
    let first = try writer.joinWALIndex(request(32768))
    #expect(first.byteCount == 3)
    #expect(!first.isReadOnly)
    #expect(status { try writer.lockWALIndex(first: 3, count: 1, .exclusive) } == .busy)
    try reader.lockWALIndex(first: 3, count: 1, .unlock)
    try writer.lockWALIndex(first: 3, count: 1, .exclusive)
    #expect(try writer.joinWALIndex(request(32768, extends: true)).byteCount == 32768)
    let answer = try reader.joinWALIndex(asked)
    #expect(answer.isReadOnly)
    #expect(answer.byteCount == 32768)
    // It extends nothing, however it asks.
    let more = request(65536, extends: true, isReadOnly: true)
    #expect(try reader.joinWALIndex(more).byteCount == 32768)
  }

  // MARK: Mappings

  /// The locks on the file are the sidecar's, however long its clients keep what they mapped, and
  /// no client ever has a descriptor of it.
  @Test func mappingOfTheIndexHasNoPartInItsLocks() throws {
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600)
    defer { Glibc.close(outsider) }
    let file = try session.home.openDatabase("a.db")
    let range = MappedRange(offset: 0, byteCount: 32768, isWritable: true)
    let mapped = try #require(
      try file.mapWALIndex(request(32768, extends: true), range))
    #expect(try openPaths().filter { $0 == index.path } == [])
    try file.lockWALIndex(first: 0, count: 1, .exclusive)
    let other = unsafe Glibc.open(index.path, O_RDWR)
    defer { Glibc.close(other) }
    #expect(blocks(other, F_WRLCK, 120, 1))
    #expect(blocks(other, F_WRLCK, 128, 1), "the dead-man switch")
    unsafe mapped.start.storeBytes(of: 42, as: UInt8.self)
    var byte: UInt8 = 0
    #expect(unsafe pread(other, &byte, 1, 0) == 1)
    #expect(byte == 42)
    try file.close()
    #expect(!blocks(other, F_WRLCK, 0, 0), "though the client has it mapped still")
    withExtendedLifetime(mapped) {}
  }

  /// What this process, the client, has open.
  private func openPaths() throws -> [String] {
    let directory = "/proc/self/fd"
    return try FileManager.default.contentsOfDirectory(atPath: directory).compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: directory + "/" + $0)
    }
  }

  private func leaseCount() throws -> Int {
    var status = stat()
    guard unsafe stat(sidecar.file("a.db").path, &status) == 0 else { return -1 }
    let locks = try String(contentsOfFile: "/proc/locks", encoding: .utf8)
    return locks.split(separator: "\n").filter {
      $0.contains("LEASE") && $0.contains(":\(status.st_ino) ")
    }.count
  }

  /// Whether a lock of that kind would be refused to this description.
  private func blocks(_ file: Int32, _ kind: Int32, _ start: Int, _ byteCount: Int) -> Bool {
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = start
    lock.l_len = byteCount
    // F_OFD_GETLK, which Swift does not see.
    let result = unsafe fcntl(file, 36, &lock)
    precondition(result == 0, "F_OFD_GETLK has nothing to fail with")
    return lock.l_type != Int16(F_UNLCK)
  }
}
