// The engine's end of a channel, served as a test says: it counts requests, holds answers back, lies,
// and dies.

import SluiceChannel
import SluiceClient
import SluiceSystem
import SluiceWire
import Synchronization

@testable import SluiceRecords

final class ScriptedEngine: @unchecked Sendable {
  /// What to answer.
  enum Reply {
    case done([UInt8] = [])
    case number(UInt64, [UInt8] = [])
    case page(RecordsPageReply, [UInt8])
    case refused(Status)
    /// The engine dies without an answer.
    case dies
  }

  typealias Script = @Sendable (SluiceWire.Operation, ProxyEnd, Request) -> Reply

  private let end: ProxyEnd
  private let regions: FutexLock<ChannelRegions?>
  private let near: FutexLock<SharedDescriptor>
  private let far: SharedDescriptor
  private let isOver = Atomic<Bool>(false)
  /// The operations in the order of their arrival, without the open.
  let seen = FutexLock<[SluiceWire.Operation]>([])
  private let script: Script

  init(_ script: @escaping Script) throws {
    self.script = script
    let pair = try SocketPair()
    near = FutexLock(SharedDescriptor(pair.ours))
    far = SharedDescriptor(pair.theirs)
    var attached: ChannelRegions?
    let own = try ChannelRegions.create(.standard) { (control, io) throws(Errno) in
      let control = SharedDescriptor(FileDescriptor(owning: dup(control)))
      let io = SharedDescriptor(FileDescriptor(owning: dup(io)))
      attached = try ChannelRegions.attach(control: control.descriptor, io: io.descriptor)
    }
    end = ProxyEnd(own)
    regions = FutexLock(attached.take())
    try Thread("test-engine") { [self] in run() }.detach()
  }

  func connect() throws(ConnectError) -> RingSession {
    let regions = self.regions.withLock { $0.take() }
    guard let regions else { throw .hungUp }
    let copy = near.withLock { dup($0.descriptor.rawValue) }
    return try RingSession(socket: FileDescriptor(owning: copy), regions: regions) { [weak self] in
      self?.stop()
    }
  }

  func stop() {
    isOver.store(true, ordering: .releasing)
    far.descriptor.shutDown()
  }

  func storage(log: @escaping RecordLog = { (_, _) in }) async throws -> RecordStorage {
    try await RecordStorage.start("store", RecordOpenOptions(), log) {
      () throws(RecordFailure) in
      do throws(ConnectError) { return try self.connect() } catch { throw .notConnected(error) }
    }
  }

  func connection() throws -> RecordConnection {
    try RecordConnection(try connect(), path: Array("store".utf8))
  }

  private func run() {
    while !isOver.load(ordering: .acquiring) {
      guard let request = try? end.nextRequest() else {
        Clock.sleep(nanoseconds: 20_000)
        continue
      }
      guard let operation = request.operation else { return stop() }
      if operation == .recordsOpen {
        end.complete(.done, RecordsOpenReply(durability: .normal, schemaVersion: 1))
        continue
      }
      seen.withLock { $0.append(operation) }
      answer(request, script(operation, end, request))
    }
  }

  private func answer(_ request: Request, _ reply: Reply) {
    func fill(_ payload: [UInt8]) -> Int {
      unsafe request.payload.copyBytes(from: payload)
      return payload.count
    }
    switch reply {
    case .done(let payload): end.complete(.done, sentByteCount: fill(payload))
    case .number(let number, let payload):
      end.complete(.done, RecordsNumberReply(number: number), sentByteCount: fill(payload))
    case .page(let page, let payload):
      end.complete(.done, page, sentByteCount: fill(payload))
    case .refused(let status): end.complete(status)
    case .dies: stop()
    }
  }

  // MARK: Answers

  /// The answer to a store: all its messages are stored.
  static func storeAll(_ end: ProxyEnd, _ request: Request) -> Reply {
    guard let arguments = try? end.arguments(of: request, as: RecordsStoreRequest.self) else {
      return .dies
    }
    var writer = RecordByteWriter()
    let bytes = unsafe Array(request.payload[..<Int(arguments.byteCount)])
    try? withBytes(of: bytes) { (bytes) throws(WireError) in
      var reader = unsafe RecordByteReader(bytes)
      for _ in 0..<arguments.messageCount {
        let message = try RecordMessage(from: &reader)
        writer.number(RecordStoreOutcome.stored.rawValue)
        writer.number(UInt32(message.sessions.count))
        for session in message.sessions {
          writer.number(session.after + UInt64(session.transactions.count))
        }
      }
    }
    return .number(arguments.messageCount, writer.bytes)
  }

  /// A page of the stream with a frame.
  static func page(
    _ load: UInt32, _ kind: RecordFrameKind, _ content: [UInt8] = [], hasMore: Bool = false
  ) -> [UInt8] {
    var writer = RecordByteWriter()
    writer.number(UInt32(hasMore ? 1 : 0))
    writer.number(load)
    writer.number(kind.rawValue)
    writer.string(content)
    return writer.bytes
  }
}

/// A message that begins a value, or adds to it.
func message(
  _ id: String, _ session: String = "s", after: UInt64 = 0, count: Int = 1, hasHeader: Bool = true,
  byteCount: Int = 10
) -> RecordMessage {
  var transactions = RecordTransactions()
  for index in 0..<count {
    let changes = String(repeating: "x", count: byteCount)
    let text = #"{"privacy":"trusting","madeAt":\#(Int(after) + index),"changes":"\#(changes)"}"#
    transactions.append(Array(text.utf8))
  }
  let header = #"{"type":"comap","ruleset":{"type":"unsafeAllowAll"},"meta":null,"uniqueness":"z"}"#
  return RecordMessage(
    id: Array(id.utf8), header: hasHeader ? Array(header.utf8) : nil,
    sessions: [
      RecordSessionContent(
        session: Array(session.utf8), after: after, transactions: transactions,
        lastSignature: Array("signature_z\(Int(after) + count)".utf8))
    ])
}

/// Yields until `body` is true. A watchdog, not a claim about speed.
func eventually(_ body: () -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(30)
  while ContinuousClock.now < deadline {
    if body() { return true }
    try? await Task.sleep(for: .milliseconds(1))
  }
  return false
}
