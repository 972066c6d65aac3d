// A client that is killed in the middle of a request. This process goes as far as the phase says,
// reports that, and waits for its end. It speaks the protocol by itself, slot by slot.
//
// Its standard input and output are the socket to the harness. It says `ready` and waits for the
// word to go on. When it has reached the phase it says `at`, followed by the answer's status.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire

/// Confined to one thread.
final class DoomedClient {
  private let kind: DeathCase
  private let session: RawSession
  private var file: UInt64 = 0
  /// The channel that the request closes.
  private var channel: UInt64 = 0

  /// What `sluice-harness peer doomed` does.
  static func run(_ options: inout Options) throws(CommandError) {
    guard let socket = try options.value("--socket"),
      let kind = (try options.value("--case")).flatMap(DeathCase.init),
      let phase = (try options.value("--phase")).flatMap(DeathPhase.init)
    else { throw .usage("'sluice-harness' starts this") }
    try options.finish()
    do throws(HarnessError) {
      let client = try DoomedClient(kind, socket)
      try client.prepare()
      say("ready")
      guard awaitWord() else { return }
      say("at " + (try client.go(to: phase)))
      _ = awaitWord()
    } catch {
      say("failed: \(error.text)")
    }
  }

  private static func say(_ text: String) {
    var text = text
    text.withUTF8 { _ = unsafe write(1, $0.baseAddress, $0.count) }
  }

  /// False when the harness is gone.
  private static func awaitWord() -> Bool {
    var byte: UInt8 = 0
    return unsafe read(0, &byte, 1) == 1
  }

  private init(_ kind: DeathCase, _ socket: String) throws(HarnessError) {
    self.kind = kind
    session = try RawSession(socket)
  }

  // MARK: Before

  private func prepare() throws(HarnessError) {
    let opened = try session.ask(
      .open,
      OpenRequest(
        path: Array(DeathFiles.database.utf8), kind: .mainDatabase, options: [.readWrite]))
    guard let reply = opened.decoded(as: OpenReply.self) else {
      throw .failed("the database was not opened: \(opened.status.wording)")
    }
    file = reply.file
    for level in [LockLevel.shared, .exclusive] where kind.heldBefore >= level {
      try done(.lock, file, LockFields(level: level))
    }
    if kind.usesWALIndex, kind != .walIndexMap {
      try done(.walIndexMap, file, DoomedClient.mapRequest)
    }
    if kind == .channelClose {
      let answer = try session.ask(.channelOpen, NoFields())
      guard let number = answer.decoded(as: ChannelFields.self)?.channel else {
        throw .failed("no channel: \(answer.status.wording)")
      }
      channel = number
      _ = try session.receiveChannel(number)
    }
  }

  static let mapRequest = WALIndexMapRequest(
    byteCount: Int64(DeathFiles.indexByteCount), extends: true, isReadOnly: false,
    wantsDescriptor: false)

  private func done<M: Message>(
    _ operation: Operation, _ file: UInt64, _ arguments: M
  ) throws(HarnessError) {
    let answer = try session.ask(operation, file: file, arguments)
    guard answer.status?.isDone ?? false else {
      throw .failed("\(operation): \(answer.status.wording)")
    }
  }

  // MARK: The request

  /// Goes as far as `phase`. Returns the status where there is an answer.
  private func go(to phase: DeathPhase) throws(HarnessError) -> String {
    if phase == .before { return "" }
    for number in 0..<kind.requestCount {
      fill(number)
      if phase == .filled, number == kind.requestCount - 1 { return "" }
      session.home.handOver()
    }
    guard phase == .answered else { return "" }
    try session.home.awaitAnswers(session.socket)
    var last = ""
    while session.home.hasRequests { last = session.home.takeAnswer().status.wording }
    return last
  }

  private func fill(_ number: Int) {
    switch kind {
    case .nothing: fill(NoFields())
    case .channelOpen: fill(NoFields())
    case .channelClose: fill(ChannelFields(channel: channel))
    case .fullPathname: fill(PathFields(path: Array(DeathFiles.other.utf8)))
    case .open:
      fill(
        OpenRequest(
          path: Array(DeathFiles.journal.utf8), kind: .mainJournal, options: [.readWrite, .create]))
    case .openDeleteOnClose:
      fill(
        OpenRequest(
          path: Array(DeathFiles.other.utf8), kind: .temporary,
          options: [.readWrite, .deleteOnClose]))
    case .delete: fill(DeleteRequest(path: Array(DeathFiles.other.utf8), syncDirectory: true))
    case .access: fill(AccessRequest(path: Array(DeathFiles.journal.utf8), mode: .exists))
    case .close, .sync, .fileSize, .checkReservedLock, .hasMoved, .openWindow, .pinWindow,
      .syncPromise, .syncAwait, .hasExternalReader:
      fill(NoFields())
    case .read: fill(OffsetFields(offset: 0), payloadByteCount: DeathFiles.pageByteCount)
    case .write, .writePosted:
      let page = kind == .write ? 1 : number
      unsafe session.home.nextPayload.initializeMemory(
        as: UInt8.self, repeating: DeathFiles.after, count: DeathFiles.pageByteCount)
      fill(
        OffsetFields(offset: Int64(page * DeathFiles.pageByteCount)),
        payloadByteCount: DeathFiles.pageByteCount)
    case .truncate: fill(OffsetFields(offset: Int64(DeathFiles.truncated)))
    case .allocate: fill(OffsetFields(offset: Int64(DeathFiles.allocated)))
    case .lockShared: fill(LockFields(level: .shared))
    case .lockReserved: fill(LockFields(level: .reserved))
    case .lockExclusive: fill(LockFields(level: .exclusive))
    case .unlock: fill(LockFields(level: .none))
    case .lockAwait: fill(LockAwaitRequest(lock: .reserved, milliseconds: 10_000))
    case .walIndexMap: fill(DoomedClient.mapRequest)
    case .walIndexLock: fill(WALIndexLockRequest(first: 0, count: 8, kind: .exclusive))
    case .walIndexUnmap: fill(WALIndexUnmapRequest(deletes: true))
    }
  }

  private func fill<M: Message>(_ arguments: M, payloadByteCount: Int = 0) {
    session.home.fill(
      code: kind.operation.rawValue, file: kind.operation.needsFile ? file : 0, arguments,
      payloadByteCount: payloadByteCount)
  }
}
