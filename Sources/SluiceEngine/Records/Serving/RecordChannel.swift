// The record requests of a channel, given to its session and answered.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

final class RecordChannel {
  private let end: ProxyEnd
  let session: RecordSession

  init(
    _ end: ProxyEnd, _ hubs: RecordHubs, _ clock: any RecordClock,
    isClientGone: @escaping () -> Bool
  ) {
    self.end = end
    session = RecordSession(
      hubs, clock, isCancelled: { [unowned end] in end.isCancelled },
      isClientGone: isClientGone, hasFurtherRequest: { [unowned end] in end.hasFurtherRequest })
  }

  /// Does a request and answers it. What is due is done before.
  func serve(_ request: Request, _ operation: Operation) throws(ProtocolViolation) {
    session.eraseIfDue()
    let payload = unsafe request.payload
    switch operation {
    case .recordsStore:
      let arguments = try end.arguments(of: request, as: RecordsStoreRequest.self)
      unsafe answer(try session.store(arguments, payload))
    case .recordsLoad:
      let arguments = try end.arguments(of: request, as: RecordsLoadRequest.self)
      unsafe answer(session.load(arguments, payload))
    case .recordsNext: unsafe answer(session.page(payload))
    default: try unsafe serveOther(request, operation, payload)
    }
  }

  private func serveOther(
    _ request: Request, _ operation: Operation, _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) {
    switch operation {
    case .recordsOpen:
      let arguments = try end.arguments(of: request, as: RecordsOpenRequest.self)
      unsafe answer(session.open(arguments, payload))
    case .recordsStage:
      let arguments = try end.arguments(of: request, as: RecordsStageRequest.self)
      unsafe answer(session.stage(arguments, payload))
    case .recordsKnownState:
      let arguments = try end.arguments(of: request, as: RecordsKnownStateRequest.self)
      unsafe answer(session.knownState(arguments, payload))
    case .recordsErase:
      let arguments = try end.arguments(of: request, as: RecordsErasureRequest.self)
      unsafe answer(session.erase(arguments, payload))
    case .recordsUnmount:
      answer(session.unmount(try end.arguments(of: request, as: RecordIDRequest.self)))
    case .recordsTrack: unsafe answer(try session.track(payload))
    case .recordsUnsynced:
      let arguments = try end.arguments(of: request, as: RecordsPageRequest.self)
      unsafe answer(session.unsynced(arguments, payload))
    case .recordsStopTracking:
      let arguments = try end.arguments(of: request, as: RecordIDRequest.self)
      unsafe answer(session.stopTracking(arguments, payload).0)
    case .recordsIDs:
      let arguments = try end.arguments(of: request, as: RecordsPageRequest.self)
      unsafe answer(session.ids(arguments, payload))
    case .recordsCount: unsafe answer(session.count(payload))
    case .recordsLock:
      let arguments = try end.arguments(of: request, as: RecordsLockRequest.self)
      unsafe answer(session.lock(arguments, payload))
    case .recordsVerify:
      let arguments = try end.arguments(of: request, as: RecordsPageRequest.self)
      unsafe answer(session.verify(arguments, payload))
    case .recordsImport:
      let arguments = try end.arguments(of: request, as: RecordsImportRequest.self)
      unsafe answer(session.import(arguments, payload).0)
    case .recordsClose:
      session.close()
      answer(RecordOutcome())
    default: end.complete(.unknownOperation)
    }
  }

  @inline(__always)
  private func answer(_ outcome: RecordOutcome) {
    end.complete(
      outcome.status, errno: Errno(outcome.errorNumber), sentByteCount: outcome.byteCount)
  }

  @inline(__always)
  private func answer<Reply: Message>(_ result: (outcome: RecordOutcome, reply: Reply)) {
    guard result.outcome.status.isDone else { return answer(result.outcome) }
    end.complete(result.outcome.status, result.reply, sentByteCount: result.outcome.byteCount)
  }
}
