// Messages on their way into one request of a store, and what became of them.

internal import SluiceChannel
public import SluiceWire

/// A message to store.
public struct RecordStore: Equatable, Sendable {
  public var message: RecordMessage
  /// The program allows that the value is deleted: a delete session in the message queues it for
  /// erasure.
  public var deleteIsValid: Bool

  public init(_ message: RecordMessage, deleteIsValid: Bool = false) {
    self.message = message
    self.deleteIsValid = deleteIsValid
  }
}

/// What became of a message.
public enum RecordStoreResult: Equatable, Sendable {
  /// It is stored. How many transactions are stored now of each of its sessions, in their order; nil
  /// for one that is not in the store.
  case stored([UInt64?])
  /// The value is not in the store, and the message has no header.
  case noHeader
  /// Sessions begin behind what is stored of them; the others are stored. The counts as above.
  case gaps([UInt64?])
  /// Nothing of it is stored, for this reason (UTF-8).
  case refused([UInt8])

  public var isStored: Bool {
    if case .stored = self { true } else { false }
  }
}

/// Messages that go into one request.
struct RecordBatch {
  private var writer = RecordByteWriter()
  /// How many sessions each message has.
  private(set) var sessionCounts: [Int] = []
  /// Whether the bytes go before the request, in pieces.
  private(set) var isStaged = false

  /// The engine wants this much more room than the messages take.
  private static let answerByteCount = 512
  static let byteCountMaximum = ChannelShape.transferByteCountMaximum - answerByteCount
  static let stagedByteCountMaximum = 64 << 20
  static let sessionCountMaximum = 7000

  var isEmpty: Bool { sessionCounts.isEmpty }
  var messageCount: Int { sessionCounts.count }
  var bytes: [UInt8] { writer.bytes }

  /// Whether the message may be stored at all.
  static func takes(_ message: RecordMessage) -> Bool {
    message.sessions.count <= sessionCountMaximum && message.byteCount <= stagedByteCountMaximum
  }

  /// Adds a message; false if it does not fit beside the others. One that is too large for a request
  /// is alone in its batch, which is staged then.
  mutating func add(_ store: RecordStore) -> Bool {
    let byteCount = store.message.byteCount
    let fits = writer.count + byteCount <= Self.byteCountMaximum
    guard isEmpty || (fits && !isStaged) else { return false }
    isStaged = !fits
    if isEmpty { writer.reserve(byteCount) }
    store.message.write(to: &writer, deleteIsValid: store.deleteIsValid)
    sessionCounts.append(store.message.sessions.count)
    return true
  }

  /// The request. Of a staged batch, all pieces have to be sent before.
  func request(isChained: Bool) -> RecordRequest {
    let arguments = RecordsStoreRequest(
      messageCount: UInt64(messageCount), byteCount: isStaged ? 0 : UInt64(writer.count),
      isChained: isChained)
    let answered = isStaged ? 5 + 8 * sessionCounts[0] : writer.count
    return RecordRequest(
      operation: .recordsStore, arguments: .store(arguments),
      payload: isStaged ? [] : writer.bytes[...], room: answered + Self.answerByteCount)
  }

  /// The piece that begins at `offset`.
  func piece(at offset: Int) -> RecordRequest {
    let end = min(offset + ChannelShape.transferByteCountMaximum, writer.count)
    let arguments = RecordsStageRequest(offset: Int64(offset), byteCount: Int64(writer.count))
    return RecordRequest(
      operation: .recordsStage, arguments: .stage(arguments), payload: writer.bytes[offset..<end],
      room: end - offset)
  }

  // MARK: The answer

  /// What became of the messages that the engine handled, in their order: all of them, or those up to
  /// the first that is not stored. Nil if the answer is malformed.
  func results(_ answer: RecordAnswer) -> [RecordStoreResult]? {
    guard answer.number <= UInt64(messageCount) else { return nil }
    let handledCount = Int(answer.number)
    let results = unsafe answer.payload.withUnsafeBytes { (bytes) -> [RecordStoreResult]? in
      var reader = unsafe RecordByteReader(bytes)
      do throws(WireError) {
        var results: [RecordStoreResult] = []
        for index in 0..<handledCount {
          guard let result = try Self.result(&reader, sessionCount: sessionCounts[index]) else {
            return nil
          }
          results.append(result)
        }
        try reader.finish()
        return results
      } catch {
        return nil
      }
    }
    guard let results, let last = results.last,
      results.dropLast().allSatisfy({ $0.isStored })
    else { return nil }
    return handledCount == messageCount || !last.isStored ? results : nil
  }

  private static func result(
    _ reader: inout RecordByteReader, sessionCount: Int
  ) throws(WireError) -> RecordStoreResult? {
    guard let outcome = RecordStoreOutcome(rawValue: try reader.number(UInt8.self)) else {
      return nil
    }
    switch outcome {
    case .stored: return .stored(try counts(&reader, sessionCount))
    case .gaps: return .gaps(try counts(&reader, sessionCount))
    case .noHeader: return .noHeader
    case .refused: return .refused(unsafe Array(try reader.string()))
    }
  }

  private static func counts(
    _ reader: inout RecordByteReader, _ sessionCount: Int
  ) throws(WireError) -> [UInt64?] {
    guard try reader.count(ofItems: 8) == sessionCount else { throw .wrongCount }
    var counts: [UInt64?] = []
    for _ in 0..<sessionCount {
      let count = try reader.number(UInt64.self)
      counts.append(count == .max ? nil : count)
    }
    return counts
  }
}
