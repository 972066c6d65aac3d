// The WAL index and mapped content through the typed calls: who may join, how far the index grows,
// and what the descriptors are that clients get.

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
    _ byteCount: Int64, extends: Bool = false, isReadOnly: Bool = false,
    wantsDescriptor: Bool = false
  ) -> WALIndexMapRequest {
    WALIndexMapRequest(
      byteCount: byteCount, extends: extends, isReadOnly: isReadOnly,
      wantsDescriptor: wantsDescriptor)
  }

  // MARK: Growth

  @Test func indexGrowsByWholePagesAndAMebibyteAtMost() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(try file.mapWALIndex(request(32768)).byteCount == 3)
    for wrong in [4, 4095, 4097, 32767, 1 << 20 | 1] as [Int64] {
      #expect(status { _ = try file.mapWALIndex(request(wrong, extends: true)) } == .misuse)
    }
    // From the three bytes that are there, a whole MiB is a page and three bytes too many.
    for wrong in [1 << 20 + 4096, 1 << 30, 1 << 40] as [Int64] {
      #expect(status { _ = try file.mapWALIndex(request(wrong, extends: true)) } == .misuse)
    }
    #expect(try indexByteCount() == 3)
    let mebibyte: Int64 = 1 << 20
    for turn in 1...3 as ClosedRange<Int64> {
      let size = turn * mebibyte
      #expect(try file.mapWALIndex(request(size, extends: true)).byteCount == size)
      #expect(try indexByteCount() == Int(size))
      let beyond = size + mebibyte + 4096
      #expect(status { _ = try file.mapWALIndex(request(beyond, extends: true)) } == .misuse)
      // Who does not extend may ask for as much as he likes, and hears what there is.
      #expect(try file.mapWALIndex(request(beyond)).byteCount == size)
      // Who has enough extends nothing, and whole pages are not asked of him.
      #expect(try file.mapWALIndex(request(5, extends: true)).byteCount == size)
    }
    #expect(try indexByteCount() == 3 << 20)
    let attributes = try FileManager.default.attributesOfItem(atPath: index.path)
    #expect(attributes[.size] as? Int == 3 << 20)
  }

  @Test func pagesOfTheIndexAreThereAndEmpty() throws {
    let file = try session.home.openDatabase("a.db")
    _ = try file.mapWALIndex(request(32768, extends: true))
    var status = stat()
    #expect(unsafe stat(index.path, &status) == 0)
    #expect(status.st_blocks * 512 >= 32768, "no page of it may be missing from the disk")
    #expect(try Data(contentsOf: index).allSatisfy { $0 == 0 })
  }

  // MARK: Joining

  @Test func locksAreForThoseWhoHaveJoined() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(status { try file.lockWALIndex(first: 0, count: 1, .exclusive) } == .misuse)
    _ = try file.mapWALIndex(request(32768))
    try file.lockWALIndex(first: 0, count: 1, .exclusive)
    try file.unmapWALIndex(deletes: false)
    #expect(status { try file.lockWALIndex(first: 0, count: 1, .exclusive) } == .misuse)
    try file.unmapWALIndex(deletes: true)
    #expect(
      FileManager.default.fileExists(atPath: index.path), "who has not joined removes nothing")
    _ = try file.mapWALIndex(request(32768))
    try file.unmapWALIndex(deletes: true)
    #expect(!FileManager.default.fileExists(atPath: index.path))
  }

  @Test func fileWithoutANameHasNoIndex() throws {
    let file = try session.home.open(
      OpenRequest(
        path: nil, kind: .temporary, options: [.readWrite, .create, .exclusive, .deleteOnClose]))
    #expect(status { _ = try file.mapWALIndex(request(32768, extends: true)) } == .misuse)
  }

  @Test func readerCreatesNothing() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(status { _ = try file.mapWALIndex(request(32768, isReadOnly: true)) } == .notFound)
    #expect(status { try file.lockWALIndex(first: 3, count: 1, .shared) } == .misuse)
    #expect(!FileManager.default.fileExists(atPath: index.path))
  }

  @Test(arguments: [false, true])
  func readerOfAnIndexThatNobodyUsesHasJoinedAndLearnsWhenItIsSetUp(
    somebodyElseHasItOpen: Bool
  ) throws {
    let old = Data(repeating: 7, count: 32768)
    try old.write(to: index)
    let reader = try session.home.openDatabase("a.db")
    let outsider =
      somebodyElseHasItOpen ? unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR) : -1
    defer { if outsider >= 0 { Glibc.close(outsider) } }
    let asked = request(32768, extends: true, isReadOnly: true, wantsDescriptor: true)
    for _ in 0..<2 {
      #expect(status { _ = try reader.mapWALIndex(asked) } == .walIndexNotSetUp)
    }
    #expect(try Data(contentsOf: index) == old, "a reader empties nothing")
    try reader.lockWALIndex(first: 3, count: 1, .shared)

    let writer = try sidecar.connect().home.openDatabase("a.db")
    let first = try writer.mapWALIndex(request(32768))
    #expect(first.byteCount == 3)
    #expect(!first.isReadOnly)
    #expect(status { try writer.lockWALIndex(first: 3, count: 1, .exclusive) } == .busy)
    try reader.lockWALIndex(first: 3, count: 1, .unlock)
    try writer.lockWALIndex(first: 3, count: 1, .exclusive)
    #expect(try writer.mapWALIndex(request(32768, extends: true)).byteCount == 32768)
    let answer = try reader.mapWALIndex(asked)
    #expect(answer.isReadOnly)
    #expect(answer.byteCount == 32768)
    #expect(answer.descriptor != nil)
    // He extends nothing, however he asks.
    let more = request(65536, extends: true, isReadOnly: true)
    #expect(try reader.mapWALIndex(more).byteCount == 32768)
  }

  // MARK: Descriptors

  /// The locks on the file are the sidecar's, however long its clients keep what they were given.
  @Test func descriptorOfTheIndexIsADescriptionOfItsOwn() throws {
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600)
    defer { Glibc.close(outsider) }
    let file = try session.home.openDatabase("a.db")
    let answer = try file.mapWALIndex(request(32768, extends: true, wantsDescriptor: true))
    let passed = try #require(answer.descriptor)
    try file.lockWALIndex(first: 0, count: 1, .exclusive)
    let other = unsafe Glibc.open(index.path, O_RDWR)
    defer { Glibc.close(other) }
    #expect(blocks(other, F_WRLCK, 120, 1))
    #expect(blocks(other, F_WRLCK, 128, 1), "the dead-man switch")
    // What a client does with his own changes nothing.
    let number = passed.descriptor.rawValue
    #expect(blocks(number, F_WRLCK, 120, 1), "it is not the one that the locks are on")
    var all = flock()
    all.l_type = Int16(F_UNLCK)
    all.l_whence = Int16(SEEK_SET)
    #expect(unsafe fcntl(number, 37, &all) == 0)  // F_OFD_SETLK
    #expect(blocks(other, F_WRLCK, 120, 1))
    #expect(fcntl(number, F_GETFL) & O_ACCMODE == O_RDWR)

    try file.close()
    #expect(!blocks(other, F_WRLCK, 0, 0), "though the client has his descriptor still")
    withExtendedLifetime(passed) {}
  }

  @Test func readersDescriptorOfTheContentCannotWriteAndEndsTheLease() throws {
    let file = try session.home.openDatabase("a.db")
    try file.write([1, 2, 3], at: 0)
    try file.lock(.shared)
    try file.lock(.reserved)
    #expect(try leaseCount() == 1)
    let passed = try file.contentDescriptor()
    #expect(try leaseCount() == 0)
    let number = passed.descriptor.rawValue
    #expect(fcntl(number, F_GETFL) & O_ACCMODE == O_RDONLY)
    // What was held under the lease stands on the file now.
    #expect(blocks(number, F_WRLCK, 0x4000_0001, 1))
    var bytes = [UInt8](repeating: 0, count: 4)
    #expect(unsafe pread(number, &bytes, 4, 0) == 3)
    #expect(bytes == [1, 2, 3, 0])
    #expect(unsafe pwrite(number, bytes, 1, 0) == -1)
    #expect(ftruncate(number, 0) == -1)
    try file.write([9], at: 1)
    #expect(unsafe pread(number, &bytes, 4, 0) == 3)
    #expect(bytes == [1, 9, 3, 0])
    // While a client has it, the sidecar gets no new lease.
    try file.unlock(.none)
    usleep(200_000)
    try file.lock(.shared)
    #expect(try leaseCount() == 0)
    withExtendedLifetime(passed) {}
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
