// The requests of a channel, given to its session and answered.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

final class SQLChannel {
  let end: ProxyEnd
  let session: SQLSession

  init(
    _ end: ProxyEnd, at place: DatabasePlace, plugins: PluginSet = .builtIn,
    isClientGone: @escaping () -> Bool
  ) {
    self.end = end
    session = SQLSession(
      at: place, plugins: plugins, isCancelled: { [unowned end] in end.isCancelled },
      isClientGone: isClientGone)
  }

  /// Does a request and answers it.
  func serve(_ request: Request, _ operation: Operation) throws(ProtocolViolation) {
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
    case .sqlChangesAwait:
      let arguments = try end.arguments(of: request, as: SQLChangesRequest.self)
      let (outcome, reply) = unsafe session.awaitChanges(arguments, payload)
      answer(outcome, reply)
    default: end.complete(.unknownOperation)
    }
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
