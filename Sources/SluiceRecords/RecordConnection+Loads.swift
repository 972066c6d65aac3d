// Loads of values. Several may be under way: their messages come in one stream, the more urgent first.
// While a page is read, the engine makes the next one; it waits when this client does not read.

public import SluiceWire

extension RecordConnection {
  /// Loads a value and all on which it depends that is not in memory. Calls `body` with each message;
  /// what `body` throws leaves the load under way, and `loadedNext` gives the rest of it. Returns
  /// whether the value is in the store. No other load may be under way.
  public func load(
    _ id: [UInt8], _ body: (RecordMessage) throws(RecordFailure) -> Void
  ) throws(RecordFailure) -> Bool {
    precondition(loads.isEmpty, "beginLoad and loadedNext serve several loads")
    _ = try beginLoad(id)
    while let (_, event) = try loadedNext() {
      switch event {
      case .message(let message): try body(message)
      case .found: return true
      case .notFound: return false
      case .failed(let reason): throw loads.takeRefusal() ?? .sqlite(code: 0, message: reason)
      }
    }
    throw malformed()
  }

  /// Asks for a value. Returns the load's number.
  public func beginLoad(_ id: [UInt8]) throws(RecordFailure) -> UInt32 {
    let load = loads.begin()
    do throws(RecordFailure) { try askPage(.load(load, id), of: load) } catch {
      loads.forget(load)
      throw error
    }
    return load
  }

  private func askPage(
    _ request: RecordRequest, of load: UInt32? = nil
  ) throws(RecordFailure) {
    pages.append((try submitAwaitingRoom(request), request, load))
    loads.pageAsked()
  }

  /// Waits for the next event of the loads under way. Nil if none is.
  public func loadedNext() throws(RecordFailure) -> (load: UInt32, event: RecordLoadEvent)? {
    while true {
      if let event = loads.popEvent() { return event }
      try askAhead()
      guard try takePage() else { break }
      // The engine makes the next page while the caller reads this one.
      try askAhead()
    }
    if loads.isStuck { throw malformed() }
    return nil
  }

  private func askAhead() throws(RecordFailure) {
    if let next = loads.nextRequest { try askPage(next) }
  }

  /// Takes the oldest page that was asked for; false if none was.
  func takePage() throws(RecordFailure) -> Bool {
    guard !pages.isEmpty else { return false }
    let (number, request, load) = pages.removeFirst()
    loads.pageAnswered()
    let answer: RecordAnswer
    do throws(RecordFailure) { answer = try self.answer(to: number, of: request) } catch {
      // A refused load was never begun, and concerns no other one.
      guard let load, !error.endsConnection else { throw error }
      loads.refuse(load, error)
      return true
    }
    guard let page = RecordStreamPage(answer) else { throw malformed() }
    do throws(WireError) { try loads.take(page) } catch { throw malformed() }
    return true
  }
}

extension RecordRequest {
  static func load(_ number: UInt32, _ id: [UInt8]) -> RecordRequest {
    RecordRequest(
      operation: .recordsLoad,
      arguments: .load(RecordsLoadRequest(number: UInt64(number), id: id)),
      room: firstPageByteCount)
  }
}
