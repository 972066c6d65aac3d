// Stores of many messages: requests of many messages, of which several are under way. A chained
// request is skipped if the one before it stopped early, so behind the first message that is not
// stored nothing was done.

internal import SluiceWire

extension RecordConnection {
  /// Stores messages in their order, up to the first that is not stored. Returns what became of
  /// those that were handled: each of the stored ones outlives what the store's durability says.
  /// After a failure, a message may be stored or not.
  public func store(_ messages: [RecordStore]) throws(RecordFailure) -> [RecordStoreResult] {
    var run = StoreRun(self, messages)
    return try run.run()
  }

  /// Sends the bytes of a batch before its request.
  func stage(_ batch: RecordBatch) throws(RecordFailure) {
    var offset = 0
    repeat {
      let piece = batch.piece(at: offset)
      _ = try call(piece)
      offset += piece.payload.count
    } while offset < batch.bytes.count
  }
}

private struct StoreRun {
  private let connection: RecordConnection
  private let messages: [RecordStore]
  /// The first message that is in no batch.
  private var next = 0
  /// The requests under way, the oldest first.
  private var underWay: [(number: UInt32, batch: RecordBatch)] = []
  private var results: [RecordStoreResult] = []

  /// More do not make it faster: the engine has work while one answer is read.
  private static let underWayCountMaximum = 2

  init(_ connection: RecordConnection, _ messages: [RecordStore]) {
    self.connection = connection
    self.messages = messages
  }

  mutating func run() throws(RecordFailure) -> [RecordStoreResult] {
    for message in messages where !RecordBatch.takes(message.message) { throw .tooLarge }
    results.reserveCapacity(messages.count)
    var goesOn = true
    while !underWay.isEmpty || (goesOn && next < messages.count) {
      if goesOn, next < messages.count, underWay.count < Self.underWayCountMaximum {
        goesOn = try submitNext()
      } else {
        goesOn = try collect() && goesOn
      }
    }
    return results
  }

  /// Submits the next batch; false if a batch before it stopped early.
  private mutating func submitNext() throws(RecordFailure) -> Bool {
    var batch = RecordBatch()
    while next < messages.count, batch.add(messages[next]) { next += 1 }
    // The bytes of a skipped store would be staged for the next one.
    while batch.isStaged, !underWay.isEmpty {
      guard try collect() else { return false }
    }
    if batch.isStaged { try connection.stage(batch) }
    while true {
      let request = batch.request(isChained: !underWay.isEmpty)
      if underWay.isEmpty {
        underWay.append((try connection.submitAwaitingRoom(request), batch))
        return true
      }
      if let number = try connection.submit(request) {
        underWay.append((number, batch))
        return true
      }
      guard try collect() else { return false }
    }
  }

  /// Takes the oldest answer; false if it stopped early.
  private mutating func collect() throws(RecordFailure) -> Bool {
    let (number, batch) = underWay.removeFirst()
    let answer = try connection.answer(to: number, of: batch.request(isChained: false))
    if answer.status == .skipped { return false }
    guard let found = batch.results(answer) else { throw connection.malformed() }
    results += found
    return found.last?.isStored ?? false
  }
}
