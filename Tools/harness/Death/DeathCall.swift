// A call of the product's own client while its sidecar is killed. It has a thread of its own, so
// that the harness notices a call that hangs.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// The state before the call. One thread uses it after the other.
final class DeathCall: Sendable {
  private let kind: DeathCase
  private let session: Session
  private let channel: Channel
  private let file: RemoteFile
  /// The channel that the call closes.
  private let spare: FutexLock<Channel?>
  /// Holds RESERVED, where the call waits for that lock.
  private let holder: RemoteFile?
  private let hasBegun = Atomic<Bool>(false)
  private let result = FutexLock<Result?>(nil)

  struct Result {
    var text: String
    var isDone: Bool
    var endedNanoseconds: Int64
  }

  init(_ kind: DeathCase, socket: String) throws(HarnessError) {
    self.kind = kind
    do throws(ConnectError) {
      session = try Session.connect(toSocket: zeroTerminated(socket))
    } catch {
      throw .failed("\(socket): \(error.text)")
    }
    do throws(CallError) {
      let request = OpenRequest(
        path: Array(DeathFiles.database.utf8), kind: .mainDatabase, options: [.readWrite])
      channel = try session.openChannel()
      file = try channel.open(request)
      for level in [LockLevel.shared, .exclusive] where kind.heldBefore >= level {
        try file.lock(level)
      }
      if kind.usesWALIndex, kind != .walIndexMap {
        _ = try file.joinWALIndex(DoomedClient.mapRequest)
      }
      spare = FutexLock(kind == .channelClose ? try session.openChannel() : nil)
      holder = kind == .lockAwait ? try session.openChannel().open(request) : nil
      try holder?.lock(.shared)
      try holder?.lock(.reserved)
    } catch {
      throw .failed("before \(kind): \(error.text)")
    }
  }

  // MARK: The call

  /// The body of the call's thread.
  func run() {
    hasBegun.store(true, ordering: .sequentiallyConsistent)
    var text = ""
    do throws(CallError) { try make() } catch { text = "\(error)" }
    let now = Clock.monotonicNanoseconds()
    result.withLock { $0 = Result(text: text, isDone: text.isEmpty, endedNanoseconds: now) }
  }

  var begun: Bool { hasBegun.load(ordering: .sequentiallyConsistent) }

  /// Nil while the call lasts.
  var outcome: Result? { result.withLock { $0 } }

  /// Releases the lock that the call waits for.
  func letTurnCome() throws(HarnessError) {
    do throws(CallError) { try holder?.unlock(.none) } catch {
      throw .failed("unlock: \(error.text)")
    }
  }

  /// Whether a further call fails, as every call must when the sidecar is dead.
  func nextCallFails() -> Bool { (try? channel.roundTrip()) == nil }

  private func make() throws(CallError) {
    let page = UnsafeMutableRawBufferPointer.allocate(
      byteCount: DeathFiles.pageByteCount, alignment: 16)
    defer { unsafe page.deallocate() }
    unsafe page.initializeMemory(as: UInt8.self, repeating: DeathFiles.after)
    switch kind {
    case .nothing: try channel.roundTrip()
    case .channelOpen: _ = try session.openChannel()
    case .channelClose:
      spare.withLock { $0 = nil }
      // Closing a channel returns nothing: the next call shows the outcome.
      try channel.roundTrip()
    case .fullPathname: _ = try channel.fullPathname(Array(DeathFiles.other.utf8))
    case .open: try open(DeathFiles.journal, .mainJournal, [.readWrite, .create])
    case .openDeleteOnClose: try open(DeathFiles.other, .temporary, [.readWrite, .deleteOnClose])
    case .delete: try channel.delete(Array(DeathFiles.other.utf8), syncDirectory: true)
    case .access: _ = try channel.access(Array(DeathFiles.journal.utf8), .exists)
    case .close: try file.close()
    case .read: _ = try unsafe file.read(into: page, at: 0)
    case .write:
      try unsafe file.write(UnsafeRawBufferPointer(page), at: Int64(DeathFiles.pageByteCount))
    case .writePosted:
      for number in 0..<kind.requestCount {
        try unsafe file.post(
          UnsafeRawBufferPointer(page), at: Int64(number * DeathFiles.pageByteCount))
      }
      try file.settle()
    case .truncate: try file.truncate(toByteCount: Int64(DeathFiles.truncated))
    case .sync: try file.sync()
    case .fileSize: _ = try file.byteCount()
    case .lockShared: try file.lock(.shared)
    case .lockReserved: try file.lock(.reserved)
    case .lockExclusive: try file.lock(.exclusive)
    case .unlock: try file.unlock(.none)
    case .checkReservedLock: _ = try file.isReserved()
    case .allocate: try file.allocate(byteCount: Int64(DeathFiles.allocated))
    case .hasMoved: _ = try file.hasMoved()
    case .openWindow: _ = try file.openWindow()
    case .pinWindow: try file.pinWindow()
    case .lockAwait: _ = try file.awaitLock(.reserved, milliseconds: 10_000)
    case .syncPromise: _ = try file.promiseSync()
    case .syncAwait: try file.awaitSync()
    case .walIndexMap: _ = try file.joinWALIndex(DoomedClient.mapRequest)
    case .walIndexLock: try file.lockWALIndex(first: 0, count: 8, .exclusive)
    case .walIndexUnmap: try file.unmapWALIndex(deletes: true)
    case .hasExternalReader: _ = try file.hasExternalReader()
    }
  }

  /// Opens a file and keeps it open, because closing it would be another request.
  private func open(
    _ name: String, _ kind: FileKind, _ options: OpenOptions
  ) throws(CallError) {
    let opened = try channel.open(OpenRequest(path: Array(name.utf8), kind: kind, options: options))
    kept.withLock { $0 = opened }
  }

  private let kept = FutexLock<RemoteFile?>(nil)
}
