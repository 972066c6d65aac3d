// Stores and their corrections in the storage's thread.

internal import SluiceWire

extension StorageThread {
  // MARK: Sending

  /// Sends the stores at the front of the jobs; false if they have to wait.
  func submitStores() throws(RecordFailure) -> Bool {
    guard line.isOpen, case .store(let first)? = waiting.first else { return false }
    asks = [:]
    guard RecordBatch.takes(first.message) else {
      guard line.isIdle else { return false }
      _ = waiting.popFirst()
      tell(.tooLarge, "the store of \(RecordID(first.message.id))")
      first.done(false)
      return true
    }
    var batch = RecordBatch()
    var stores: [QueuedStore] = []
    while stores.count < waiting.count, case .store(let store) = waiting[stores.count],
      RecordBatch.takes(store.message), batch.add(queued(store.message))
    {
      stores.append(store)
    }
    if batch.isStaged {
      // The bytes of a skipped store would be staged for the next one.
      guard line.isIdle else { return false }
      _ = waiting.popFirst()
      line.staging = StoreLine.Staging(batch: batch, store: first)
      return try submitStaging()
    }
    let request = batch.request(isChained: !line.sent.isEmpty)
    guard try submit(request, for: .stores) else { return false }
    for _ in stores { _ = waiting.popFirst() }
    line.send(batch, stores)
    return true
  }

  private func queued(_ message: RecordMessage) -> RecordStore {
    RecordStore(message, deleteIsValid: deletions.isValid(RecordID(message.id)))
  }

  /// Sends the pieces of a large message, and its store behind them; false while they have no room.
  func submitStaging() throws(RecordFailure) -> Bool {
    guard var staging = line.staging else { return true }
    while staging.offset < staging.batch.bytes.count {
      let piece = staging.batch.piece(at: staging.offset)
      guard try submit(piece, for: .piece) else { return false }
      staging.offset += piece.payload.count
      line.staging = staging
    }
    let purpose: Purpose = staging.store == nil ? .correction(staging.batch) : .stores
    guard try submit(staging.batch.request(isChained: false), for: purpose) else { return false }
    line.staging = nil
    if let store = staging.store { line.send(staging.batch, [store]) }
    return true
  }

  // MARK: Answers

  func takeStores(_ result: Result<RecordAnswer, RecordFailure>) throws(RecordFailure) {
    let sent = line.takeSent()
    switch result {
    case .failure(let failure):
      for store in sent.stores {
        tell(failure, "the store of \(RecordID(store.message.id))")
        store.done(false)
      }
    case .success(let answer) where answer.status == .skipped: line.skip(sent.stores)
    case .success(let answer):
      guard let results = sent.batch.results(answer) else {
        line.skip(sent.stores)
        throw connection.malformed()
      }
      line.skip(sent.stores[results.count...])
      for (store, result) in zip(sent.stores, results) {
        switch note(result, store.message) {
        case .done: store.done(true)
        case .failed: store.done(false)
        case .needsCorrection(let hasValue): begin(store, hasValue: hasValue)
        }
      }
    }
  }

  private enum Outcome {
    case done
    case failed
    /// `hasValue`: the value is in the store.
    case needsCorrection(hasValue: Bool)
  }

  /// Notes what the store has now.
  private func note(_ result: RecordStoreResult, _ message: RecordMessage) -> Outcome {
    let id = RecordID(message.id)
    switch result {
    case .stored(let counts):
      known.noteStore(of: message, counts)
      known.changed(id)
      return .done
    case .gaps(let counts):
      known.noteStore(of: message, counts)
      known.changed(id)
      return .needsCorrection(hasValue: true)
    case .noHeader:
      known.noteAbsence(of: id)
      return .needsCorrection(hasValue: false)
    case .refused(let reason):
      log(.error, "the store of \(id) was refused: \(String(decoding: reason, as: UTF8.self))")
      return .failed
    }
  }

  // MARK: Corrections

  private func begin(_ store: QueuedStore, hasValue: Bool) {
    let ask = KnownStateAsk(RecordID(store.message.id)) { _ in }
    line.correction = StoreLine.Correction(
      store: store, step: .asking(ask, isUnderWay: false))
    // There is nothing to ask for.
    if !hasValue { correct(RecordKnownState(ask.id)) }
  }

  /// Lets the program correct a store.
  private func correct(_ state: RecordKnownState) {
    guard let store = line.correction?.store else { return }
    guard let messages = store.correction(state) else {
      log(.error, "the store of \(state.id) needs a correction, and got none")
      return endCorrection(false)
    }
    if messages.isEmpty { return endCorrection(true) }
    if inbox.isClosed { return endCorrection(false) }
    if let message = messages.first(where: { !RecordBatch.takes($0) }) {
      tell(.tooLarge, "the store of \(RecordID(message.id))")
      return endCorrection(false)
    }
    line.correction?.step = .storing(messages, isUnderWay: false)
  }

  private func endCorrection(_ isDone: Bool) {
    let store = line.correction?.store
    line.correction = nil
    store?.done(isDone)
  }

  /// Sends what a correction needs next; false if it has no room.
  func submitCorrection() throws(RecordFailure) -> Bool {
    guard line.staging == nil, let correction = line.correction else { return true }
    switch correction.step {
    case .asking(_, isUnderWay: true), .storing(_, isUnderWay: true): return true
    case .asking(let ask, isUnderWay: false):
      let request = RecordRequest.knownState(
        ask.id.bytes, offset: UInt64(ask.counters.count))
      guard try submit(request, for: .correctionAsk) else { return false }
      line.correction?.step = .asking(ask, isUnderWay: true)
    case .storing(let messages, isUnderWay: false):
      // What was sent before would be skipped if it were chained to this.
      guard line.sent.isEmpty else { return true }
      var batch = RecordBatch()
      while batch.messageCount < messages.count,
        batch.add(queued(messages[batch.messageCount]))
      {}
      line.correction?.step = .storing(messages, isUnderWay: true)
      if batch.isStaged {
        line.staging = StoreLine.Staging(batch: batch)
      } else if try !submit(batch.request(isChained: false), for: .correction(batch)) {
        line.correction?.step = .storing(messages, isUnderWay: false)
        return false
      }
    }
    return true
  }

  func takeCorrectionAsk(_ result: Result<RecordAnswer, RecordFailure>) throws(RecordFailure) {
    guard case .asking(let ask, _)? = line.correction?.step else { return }
    switch result {
    case .failure(let failure):
      tell(failure, "the known state of \(ask.id)")
      endCorrection(false)
    case .success(let answer):
      switch try ask.take(answer) {
      case .more: line.correction?.step = .asking(ask, isUnderWay: false)
      case .whole(let state): correct(state ?? RecordKnownState(ask.id))
      }
    }
  }

  func takeCorrection(
    _ result: Result<RecordAnswer, RecordFailure>, _ batch: RecordBatch
  ) throws(RecordFailure) {
    guard case .storing(var messages, _)? = line.correction?.step else { return }
    let answer: RecordAnswer
    switch result {
    case .failure(let failure):
      tell(failure, "the correction of \(RecordID(messages[0].id))")
      return endCorrection(false)
    case .success(let success): answer = success
    }
    guard let results = batch.results(answer) else { throw connection.malformed() }
    for (message, result) in zip(messages, results) {
      switch note(result, message) {
      case .done: break
      case .failed: return endCorrection(false)
      case .needsCorrection:
        log(.error, "a correction of \(RecordID(message.id)) needs a correction itself")
        log(.error, "the store of \(RecordID(message.id)) needs a correction, and got none")
        return endCorrection(false)
      }
    }
    messages.removeFirst(results.count)
    if messages.isEmpty { return endCorrection(true) }
    line.correction?.step = .storing(messages, isUnderWay: false)
  }
}
