// The thread of a storage: it alone uses the connection. It submits what the program asks for, in the
// order of the calls, and waits for the oldest answer or for a further job, whichever is first. So a
// call that takes long keeps no other from being sent.
//
// When the connection is lost, all that was asked for fails. The next job opens the store again, or
// fails. What is known of the store stays true, because what was told as stored outlives its engine.
//
// The program's closures are called in this thread, one at a time.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

final class StorageThread {
  private(set) var connection: RecordConnection
  let inbox: StorageInbox
  let known: KnownStates
  let deletions: ValidDeletions
  let log: RecordLog

  /// Jobs that are not sent.
  var waiting = FIFO<StorageJob>()
  var line = StoreLine()
  var loads = RecordLoads()
  var loading: [UInt32: QueuedLoad] = [:]
  /// Known states that are asked for, and whose answer further askers may share: nothing was stored
  /// since.
  var asks: [RecordID: KnownStateAsk] = [:]
  /// Known states of which a further page is wanted.
  var furtherAsks: [KnownStateAsk] = []
  /// The requests under way, the oldest first.
  private var underWay = FIFO<UnderWay>()
  /// Why nothing can be done before the store is open again.
  private var loss: RecordFailure? { didSet { inbox.lose(loss) } }
  /// Whether the program was told that the store cannot be opened again.
  private var hasToldReopening = false
  private let reopen: () throws(RecordFailure) -> RecordConnection
  private var hasDropped = false
  private var crowd = Crowd()
  private let policy = SpinPolicy(nanoseconds: 50_000)

  /// What the answer to a request is for.
  enum Purpose {
    case piece
    case stores
    case correction(RecordBatch)
    case correctionAsk
    case page(load: UInt32?)
    case ask(KnownStateAsk)
    case call(StorageCall)
  }

  private struct UnderWay {
    var number: UInt32
    var request: RecordRequest
    var purpose: Purpose
  }

  init(
    _ connection: RecordConnection, _ inbox: StorageInbox, _ known: KnownStates,
    _ deletions: ValidDeletions, _ log: @escaping RecordLog,
    _ reopen: @escaping () throws(RecordFailure) -> RecordConnection
  ) {
    self.reopen = reopen
    self.connection = connection
    self.inbox = inbox
    self.known = known
    self.deletions = deletions
    self.log = { (level, text) in
      inbox.note(nil)
      log(level, text)
    }
  }

  // MARK: The loop

  func run() {
    while true {
      let signals = inbox.wake.signals
      takeJobs()
      if loss != nil { connectAgain() }
      if loss != nil {
        failWaiting()
      } else {
        attempt { () throws(RecordFailure) in try submitMore() }
      }
      if let oldest = underWay.first {
        attempt { () throws(RecordFailure) in try awaitAnswer(to: oldest, after: signals) }
      } else if isFinished {
        break
      } else if inbox.wake.signals == signals {
        sleep(after: signals)
      }
    }
    known.giveUpWaiting()
    connection.end()
  }

  private var isFinished: Bool { waiting.isEmpty && line.isIdle && inbox.isOver }

  private func sleep(after signals: UInt32) {
    let wake = inbox.wake
    if policy.spin(&crowd, until: { wake.signals != signals }) { return }
    wake.wait(after: signals, timeoutNanoseconds: 1_000_000_000)
  }

  private func takeJobs() {
    let (jobs, isClosed) = inbox.take()
    for job in jobs { waiting.append(job) }
    if isClosed, !hasDropped { dropStores() }
  }

  /// The storage was closed: stores that are not in progress are dropped.
  private func dropStores() {
    hasDropped = true
    // The first one of an idle line counts as in progress since its call.
    var isKept = line.isIdle
    let dropped = waiting.removeAll { job in
      guard case .store = job else { return false }
      defer { isKept = false }
      return !isKept
    }
    for store in line.dropSkipped() { store.done(false) }
    for job in dropped { job.fail() }
  }

  private func awaitAnswer(to oldest: UnderWay, after signals: UInt32) throws(RecordFailure) {
    let result: Result<RecordAnswer, RecordFailure>
    do throws(RecordFailure) {
      let answer = try connection.answer(
        to: oldest.number, of: oldest.request, orWake: inbox.wake, after: signals)
      guard let answer else { return }
      result = .success(answer)
    } catch {
      if error.endsConnection { throw error }
      result = .failure(error)
    }
    _ = underWay.popFirst()
    try take(result, for: oldest.purpose)
  }

  private func take(
    _ result: Result<RecordAnswer, RecordFailure>, for purpose: Purpose
  ) throws(RecordFailure) {
    switch purpose {
    case .piece: if case .failure(let failure) = result { tell(failure, "a message's piece") }
    case .stores: try takeStores(result)
    case .correction(let batch): try takeCorrection(result, batch)
    case .correctionAsk: try takeCorrectionAsk(result)
    case .page(let load): try takePage(result, load)
    case .ask(let ask): try takeAsk(result, ask)
    case .call(let call): try takeCall(result, call)
    }
  }

  // MARK: Sending

  /// Sends what has room, in order.
  private func submitMore() throws(RecordFailure) {
    guard try submitNextPage(), try submitCorrection(), try submitStaging(),
      try submitFurtherAsks()
    else { return }
    let skipped = line.takeSkipped()
    if !skipped.isEmpty { waiting.prepend(skipped.map { .store($0) }) }
    while let job = waiting.first {
      let isSent: Bool
      switch job {
      case .store: isSent = try submitStores()
      case .load(let load): isSent = try submit(load)
      case .knownState(let id, let done): isSent = try submitAsk(id, done)
      // All that came before it is done first.
      case .call(.close) where !line.isIdle || !loading.isEmpty: isSent = false
      case .call(let call): isSent = try submit(call)
      }
      if !isSent { return }
    }
  }

  /// Submits a request; false if there is no room now.
  func submit(_ request: RecordRequest, for purpose: Purpose) throws(RecordFailure) -> Bool {
    guard let number = try connection.submit(request) else { return false }
    underWay.append(UnderWay(number: number, request: request, purpose: purpose))
    return true
  }

  private func submit(_ call: StorageCall) throws(RecordFailure) -> Bool {
    var call = call
    do throws(RecordFailure) {
      guard let request = try call.nextRequest() else {
        _ = waiting.popFirst()
        call.finish(nil)
        return true
      }
      guard try submit(request, for: .call(call)) else { return false }
    } catch {
      if error.endsConnection { throw error }
      tell(error, "a call")
      call.fail()
    }
    _ = waiting.popFirst()
    return true
  }

  private func takeCall(
    _ result: Result<RecordAnswer, RecordFailure>, _ call: StorageCall
  ) throws(RecordFailure) {
    var call = call
    do throws(RecordFailure) {
      let answer = try result.get()
      if try call.take(answer) {
        // The rest of it comes before other jobs.
        waiting.prepend([.call(call)])
      } else {
        call.finish(answer)
      }
    } catch {
      if error.endsConnection {
        call.fail()
        throw error
      }
      tell(error, "a call")
      call.fail()
    }
  }

  // MARK: Failures

  func tell(_ failure: RecordFailure, _ what: String) {
    log(.error, "\(what) failed: \(String(decoding: failure.message, as: UTF8.self))")
    inbox.note(failure)
  }

  /// Does `body`; a failure that ends the connection fails all that is under way.
  private func attempt(_ body: () throws(RecordFailure) -> Void) {
    do throws(RecordFailure) { try body() } catch { lose(error) }
  }

  private func lose(_ failure: RecordFailure) {
    loss = failure
    hasToldReopening = false
    connection.end()
    tell(failure, "the connection to the record store")
    for store in line.removeAll() { store.done(false) }
    let requests = underWay
    underWay = FIFO()
    failCalls(requests)
    for (_, load) in loading.sorted(by: { $0.key < $1.key }) { load.done(false) }
    loading = [:]
    loads = RecordLoads()
    for ask in furtherAsks { ask.answer(nil) }
    furtherAsks = []
    asks = [:]
    failWaiting()
    known.giveUpWaiting()
  }

  /// Opens the store again if a job wants it.
  private func connectAgain() {
    // To close, none has to be open.
    guard let job = waiting.first else { return }
    if case .call(.close) = job { return }
    do throws(RecordFailure) {
      connection = try reopen()
      loss = nil
      log(.warning, "the record store is open again")
    } catch {
      if !hasToldReopening { tell(error, "opening the record store again") }
      hasToldReopening = true
      return
    }
    if deletions.isErasureEnabled { waiting.prepend([.call(.post(.erase(.enable)))]) }
  }

  private func failCalls(_ requests: FIFO<UnderWay>) {
    for index in 0..<requests.count {
      switch requests[index].purpose {
      case .ask(let ask): ask.answer(nil)
      case .call(let call): call.fail()
      case .piece, .stores, .correction, .correctionAsk, .page: break
      }
    }
  }

  private func failWaiting() {
    while let job = waiting.popFirst() { job.fail() }
  }
}
