// Loads and known states in the storage's thread.

internal import SluiceWire

extension StorageThread {
  // MARK: Loads

  /// More loads wait, and with them what comes behind them.
  static let loadCountMaximum = 1024

  func submit(_ load: QueuedLoad) throws(RecordFailure) -> Bool {
    guard loading.count < Self.loadCountMaximum else { return false }
    let number = loads.begin()
    let request = RecordRequest.load(number, load.id.bytes)
    do throws(RecordFailure) {
      guard try submit(request, for: .page(load: number)) else {
        loads.forget(number)
        return false
      }
    } catch {
      loads.forget(number)
      if error.endsConnection { throw error }
      _ = waiting.popFirst()
      tell(error, "the load of \(load.id)")
      load.done(false)
      return true
    }
    _ = waiting.popFirst()
    loads.pageAsked()
    loading[number] = load
    return true
  }

  /// Asks for the next page of the stream, if there is one; false if it has no room.
  func submitNextPage() throws(RecordFailure) -> Bool {
    guard let request = loads.nextRequest else { return true }
    guard try submit(request, for: .page(load: nil)) else { return false }
    loads.pageAsked()
    return true
  }

  /// Takes a page. The engine makes the next one while the program takes this one's messages.
  func takePage(
    _ result: Result<RecordAnswer, RecordFailure>, _ load: UInt32?
  ) throws(RecordFailure) {
    loads.pageAnswered()
    switch result {
    case .failure(let failure):
      // Without a page, the engine has no further part of the stream either.
      guard let load else { throw failure }
      loads.forget(load)
      guard let failed = loading.removeValue(forKey: load) else { return }
      tell(failure, "the load of \(failed.id)")
      failed.done(false)
    case .success(let answer):
      guard let page = RecordStreamPage(answer) else { throw connection.malformed() }
      do throws(WireError) { try loads.take(page) } catch { throw connection.malformed() }
      _ = try submitNextPage()
      while let (number, event) = loads.popEvent() { take(event, number) }
      if loads.isStuck { throw connection.malformed() }
    }
  }

  private func take(_ event: RecordLoadEvent, _ number: UInt32) {
    guard let load = loading[number] else { return }
    if event.endsLoad { loading[number] = nil }
    switch event {
    case .message(let message):
      let id = RecordID(message.id)
      var loaded = RecordKnownState(of: message)
      loaded.merge(
        RecordKnownState(id, hasHeader: true, message.expectContentUntil ?? []))
      known.noteLoad(loaded)
      load.message(message)
      known.changed(id)
    case .found: load.done(true)
    case .notFound: load.done(false)
    case .failed(let reason):
      log(.error, "the load of \(load.id) failed: \(String(decoding: reason, as: UTF8.self))")
      load.done(false)
    }
  }

  // MARK: Known states

  func submitAsk(
    _ id: RecordID, _ done: @escaping @Sendable (RecordKnownState?) -> Void
  ) throws(RecordFailure) -> Bool {
    if let ask = asks[id] {
      ask.askers.append(done)
    } else {
      let ask = KnownStateAsk(id, done)
      guard try submit(ask) else { return false }
      asks[id] = ask
    }
    _ = waiting.popFirst()
    return true
  }

  /// Asks for further pages; false if one has no room.
  func submitFurtherAsks() throws(RecordFailure) -> Bool {
    while let ask = furtherAsks.first {
      guard try submit(ask) else { return false }
      furtherAsks.removeFirst()
    }
    return true
  }

  private func submit(_ ask: KnownStateAsk) throws(RecordFailure) -> Bool {
    do throws(RecordFailure) {
      let request = RecordRequest.knownState(
        ask.id.bytes, offset: UInt64(ask.counters.count))
      return try submit(request, for: .ask(ask))
    } catch {
      if error.endsConnection { throw error }
      end(ask, nil)
      tell(error, "the known state of \(ask.id)")
      return true
    }
  }

  func takeAsk(
    _ result: Result<RecordAnswer, RecordFailure>, _ ask: KnownStateAsk
  ) throws(RecordFailure) {
    switch result {
    case .failure(let failure):
      log(
        .warning,
        "the known state of \(ask.id): \(String(decoding: failure.message, as: UTF8.self))")
      inbox.note(failure)
      end(ask, nil)
    case .success(let answer):
      do throws(RecordFailure) {
        switch try ask.take(answer) {
        case .more: furtherAsks.append(ask)
        case .whole(let state):
          known.noteAnswer(state, of: ask.id, isOfOneTime: ask.isOfOneTime)
          known.changed(ask.id)
          end(ask, state)
        }
      } catch {
        end(ask, nil)
        throw error
      }
    }
  }

  private func end(_ ask: KnownStateAsk, _ state: RecordKnownState?) {
    if asks[ask.id] === ask { asks[ask.id] = nil }
    ask.answer(state)
  }
}
