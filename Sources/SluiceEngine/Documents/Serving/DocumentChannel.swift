// The document requests of a channel, given to its session and answered.

internal import SluiceChannel
internal import SluiceWire

final class DocumentChannel {
  private let end: ProxyEnd
  let session: DocumentSession

  init(_ end: ProxyEnd, _ hub: DocumentHub) {
    self.end = end
    session = DocumentSession(hub)
  }

  /// Does a request and answers it.
  func serve(_ request: Request, _ operation: Operation) throws(ProtocolViolation) {
    let payload = unsafe request.payload
    switch operation {
    case .documentsOpen:
      let arguments = try end.arguments(of: request, as: DocumentsOpenRequest.self)
      unsafe answer(session.open(arguments, payload))
    case .documentsStage:
      let arguments = try end.arguments(of: request, as: RecordsStageRequest.self)
      answer(unsafe session.stage(arguments, payload))
    case .documentsNext:
      let arguments = try end.arguments(of: request, as: OffsetFields.self)
      answer(unsafe session.next(arguments.offset, payload))
    case .documentsClose: answer(session.leave())
    default:
      guard let call = DocumentCall(operation) else { return end.complete(.unknownOperation) }
      let arguments = try end.arguments(of: request, as: DocumentsCallFields.self)
      unsafe answer(try session.call(call, arguments, payload))
    }
  }

  @inline(__always)
  private func answer(_ outcome: DocumentOutcome) {
    end.complete(outcome.status, sentByteCount: outcome.byteCount)
  }

  @inline(__always)
  private func answer<Reply: Message>(_ result: (outcome: DocumentOutcome, reply: Reply)) {
    guard result.outcome.status.isDone else { return answer(result.outcome) }
    end.complete(result.outcome.status, result.reply, sentByteCount: result.outcome.byteCount)
  }
}
