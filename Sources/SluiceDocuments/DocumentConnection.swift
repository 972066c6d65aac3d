// A connection to a space behind an engine: the blocking core on which `Space` stands.
//
// One thread at a time uses a connection; only `end` may be called beside. Every answer is copied out of
// shared memory once, and checked in the copy; one that cannot be ends the session.

internal import SluiceChannel
public import SluiceClient
internal import SluiceWire

/// What an engine told of a space when it was opened.
public struct SpaceFacts: Sendable, Equatable {
  /// The space's last epoch then; 0 before the first.
  public var epoch: Int64
  /// Of the space's tables.
  public var schemaVersion: UInt64
  /// The Ed25519 key by which the engine signs transactions.
  public var publicKey: [UInt8]
}

public final class DocumentConnection {
  private let session: RingSession
  public private(set) var facts = SpaceFacts(epoch: 0, schemaVersion: 0, publicKey: [])

  /// The most bytes that go there or come back at once.
  private static let transferByteCountMax = ChannelShape.transferByteCountMaximum
  /// The room of an answer that is mostly short.
  private static let shortAnswerByteCount = 4096

  /// Opens the space `name` (a did:key), whose file is in `directory`, relative to the engine's root;
  /// empty for the root. Blocks until the space is open. If it `creates`, a space that is not there
  /// is made.
  public init(
    _ session: RingSession, space name: String, in directory: String = "", creates: Bool = false
  ) throws(DocumentFailure) {
    self.session = session
    let request = DocumentsOpenRequest(
      directory: Array(directory.utf8), space: Array(name.utf8), creates: creates)
    let (_, reply) = try exchange(
      .documentsOpen, request, [], room: Self.shortAnswerByteCount, as: DocumentsOpenReply.self)
    guard let epoch = Int64(exactly: reply.epoch) else { throw malformed() }
    facts = SpaceFacts(
      epoch: epoch, schemaVersion: reply.schemaVersion, publicKey: reply.publicKey)
  }

  /// Leaves the space, and ends the session.
  public func close() throws(DocumentFailure) {
    defer { end() }
    _ = try exchange(.documentsClose, NoArguments(), [], room: 0, as: NoArguments.self)
  }

  /// Ends the session. What was not answered may be done or not. Every later call fails. Any thread
  /// may call this.
  public func end() { session.end() }

  /// Does nothing in the engine. Measures a round trip, or shows that the engine answers.
  public func roundTrip() throws(DocumentFailure) {
    _ = try exchange(.nothing, NoArguments(), [], room: 0, as: NoArguments.self)
  }

  // MARK: Calls

  /// Does a call of the space.
  func call<Answer: DocumentMessage>(
    _ operation: Operation, _ request: some DocumentMessage, as _: Answer.Type = Answer.self,
    room: Int = shortAnswerByteCount
  ) throws(DocumentFailure) -> Answer {
    let bytes = try answer(operation, request.encoded, room: room)
    do throws(WireError) { return try Answer(decoding: bytes) } catch { throw malformed() }
  }

  /// The JSON at a path: the same as `call` does, with code of its own type.
  func value(_ request: ValueCall) throws(DocumentFailure) -> String? {
    let bytes = try answer(
      .documentsValue, request.asBytes, room: Self.shortAnswerByteCount)
    do throws(WireError) { return try OptionalText(ofBytes: bytes).text } catch {
      throw malformed()
    }
  }

  private func answer(
    _ operation: Operation, _ request: [UInt8], room: Int
  ) throws(DocumentFailure) -> [UInt8] {
    var fields = DocumentsCallFields(byteCount: UInt64(request.count))
    var payload = request[...]
    if request.count > Self.transferByteCountMax {
      try stage(request)
      fields.byteCount = 0
      payload = []
    }
    let (first, reply) = try exchange(
      operation, fields, payload, room: max(room, payload.count), as: DocumentsCallFields.self)
    let byteCount = Int(reply.byteCount)
    if first.count == byteCount { return first }
    guard first.count < byteCount, !first.isEmpty else { throw malformed() }
    return try rest(of: byteCount, behind: first)
  }

  /// Sends a request before its call, in pieces.
  private func stage(_ request: [UInt8]) throws(DocumentFailure) {
    var offset = 0
    while offset < request.count {
      let end = min(offset + Self.transferByteCountMax, request.count)
      let place = RecordsStageRequest(offset: Int64(offset), byteCount: Int64(request.count))
      _ = try exchange(
        .documentsStage, place, request[offset..<end], room: end - offset, as: NoArguments.self)
      offset = end
    }
  }

  private func rest(of byteCount: Int, behind first: [UInt8]) throws(DocumentFailure) -> [UInt8] {
    var answer = first
    answer.reserveCapacity(byteCount)
    while answer.count < byteCount {
      let (part, _) = try exchange(
        .documentsNext, OffsetFields(offset: Int64(answer.count)), [],
        room: min(Self.transferByteCountMax, byteCount - answer.count), as: NoArguments.self)
      guard !part.isEmpty, part.count <= byteCount - answer.count else { throw malformed() }
      answer += part
    }
    return answer
  }

  /// Sends a request and waits for its answer, which is copied and released. Throws what the engine
  /// refused.
  private func exchange<Arguments: Message, Reply: Message>(
    _ operation: Operation, _ arguments: Arguments, _ payload: ArraySlice<UInt8>, room: Int,
    as _: Reply.Type
  ) throws(DocumentFailure) -> ([UInt8], Reply) {
    var taken: (status: Status, payload: [UInt8], reply: Reply)
    do throws(CallError) {
      taken = try session.withRing { (ring) throws(ChannelFailure) in
        let number = try unsafe ring.submit(
          operation, file: 0, arguments, room: room, fill: { unsafe $0.copyBytes(from: payload) })
        guard let number else { preconditionFailure("a ring has room for one request") }
        let placed = try session.answer(to: number, in: &ring)
        var taken = (status: placed.status, payload: unsafe Array(placed.payload), reply: Reply())
        if placed.status.isDone, Reply.hasFields {
          taken.reply = try ring.reply(of: placed, as: Reply.self)
        }
        ring.release(number)
        return taken
      }
    } catch {
      throw error == .failed(.notSent(.tooLong)) ? .tooLarge : .call(error)
    }
    guard !taken.status.isDone else { return (taken.payload, taken.reply) }
    guard taken.status == .spaceError else { throw .refused(taken.status) }
    let refusal: SpaceRefusal
    do throws(WireError) { refusal = try SpaceRefusal(decoding: taken.payload) } catch {
      throw malformed()
    }
    throw .space(code: refusal.code, message: refusal.message)
  }

  /// The engine sent what cannot be. It is not trusted any more.
  private func malformed() -> DocumentFailure {
    session.end()
    return .malformed
  }
}

private struct NoArguments: Message {
  mutating func code<Coder: FieldCoder>(_: inout Coder) throws(WireError) {}
}
