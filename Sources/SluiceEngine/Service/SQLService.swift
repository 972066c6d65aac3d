// The SQL service: one database connection for each channel, a thread for each.
//
// Threads: `SQLService` any; the others are confined to the thread of their channel.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class SQLService: Service {
  private let place: DatabasePlace
  let pulse = Pulse()

  init(at place: DatabasePlace) { self.place = place }

  let operations: ClosedRange<UInt16> = 0x0110...0x01ff
  let features: UInt32 = 0

  var threading: Threading { .perChannel(maximum: 1024) }

  func makeWatch() throws(Errno) -> (any Watch)? { nil }

  /// Its files are the file sidecar's.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {}

  func startThread(_ thread: any ServingThread) -> any ServiceThread { SQLThread(self) }

  func stop() { pulse.stop() }

  func makeSession(_ link: SessionLink, _ end: ProxyEnd) -> SQLSession {
    SQLSession(
      at: place, isCancelled: { [unowned end] in end.isCancelled },
      isClientGone: { link.isClientGone })
  }
}

private final class SQLThread: ServiceThread {
  private let service: SQLService

  init(_ service: SQLService) { self.service = service }

  func openSession(_ link: SessionLink) -> any ServiceSession { SQLClient(service, link) }
  func alarmRang(now: Int64) {}
  func end() {}
}

private final class SQLClient: ServiceSession {
  private let service: SQLService
  private let link: SessionLink
  private var channels: [UInt32: SQLChannel] = [:]

  init(_ service: SQLService, _ link: SessionLink) {
    self.service = service
    self.link = link
  }

  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel {
    let channel = SQLChannel(end, service.makeSession(link, end))
    channels[number] = channel
    service.pulse.add(end)
    return channel
  }

  func closeChannel(number: UInt32) {
    guard let channel = channels.removeValue(forKey: number) else { return }
    service.pulse.remove(channel.end)
    channel.session.close()
  }

  func end() { for number in Array(channels.keys) { closeChannel(number: number) } }
}

private final class SQLChannel: ServiceChannel {
  let end: ProxyEnd
  let session: SQLSession

  init(_ end: ProxyEnd, _ session: SQLSession) {
    self.end = end
    self.session = session
  }

  func serve(
    _ request: Request, _ operation: Operation, now: Int64
  ) throws(ProtocolViolation) -> Outcome {
    let payload = unsafe request.payload
    // Heads and cells are copied in words of 8 bytes.
    guard UInt(bitPattern: payload.baseAddress) % 8 == 0 else { throw .payloadRange }
    switch operation {
    case .sqlExecute: try unsafe answer(session.execute(request.file, payload))
    case .sqlFetch: try unsafe answer(session.fetch(request.file, payload))
    case .sqlReset: answer(session.reset(request.file))
    case .sqlOpen:
      let arguments = try end.arguments(of: request, as: SQLOpenRequest.self)
      let (outcome, reply) = unsafe session.open(arguments, payload)
      answer(outcome, reply)
    case .sqlValueRead:
      let arguments = try end.arguments(of: request, as: SQLValueReadRequest.self)
      unsafe answer(session.valueRead(request.file, arguments, payload))
    case .sqlValueWrite:
      let arguments = try end.arguments(of: request, as: SQLValueWriteRequest.self)
      unsafe answer(session.valueWrite(arguments, payload))
    case .sqlExport:
      let arguments = try end.arguments(of: request, as: OffsetFields.self)
      let (outcome, reply) = unsafe session.export(arguments.offset, payload)
      answer(outcome, reply)
    default: end.complete(.unknownOperation)
    }
    return .answered
  }

  @inline(__always)
  private func answer(_ outcome: SQLOutcome) {
    end.complete(
      outcome.status, errno: Errno(outcome.errorNumber), sentByteCount: outcome.byteCount)
  }

  private func answer<Reply: Message>(_ outcome: SQLOutcome, _ reply: Reply) {
    guard outcome.status.isDone else { return answer(outcome) }
    end.complete(outcome.status, reply, sentByteCount: outcome.byteCount)
  }
}
