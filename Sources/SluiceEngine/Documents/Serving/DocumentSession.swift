// The document operations of one channel: requests in, bytes out. It knows nothing of how requests
// arrive.
//
// Confined to one thread at a time. The client may change a payload at any time, so it is copied once,
// and the copy is read. An answer is one run of bytes: the call gives its first part, and further ones
// follow as they are asked for. It is kept until all of it was given or another call comes.

internal import SluiceChannel
internal import SluiceDocuments
internal import SluiceWire

/// What became of a request.
struct DocumentOutcome {
  var status = Status.done
  /// How many bytes of the payload the answer has.
  var byteCount = 0
}

/// Why a call has no answer.
enum DocumentCallError: Error {
  case space(SpaceError)
  case wire(WireError)
}

final class DocumentSession {
  private let hub: DocumentHub
  private var space: Space?
  private var staged = Pieces()
  /// What the last call was answered, as far as it was not given yet.
  private var rest: [UInt8] = []
  /// How many bytes of it were given.
  private var givenCount = 0

  /// The most bytes of a request, and those of an answer.
  static let requestByteCountMax = Limits.valueByteCountMaximum
  static let answerByteCountMax = 256 << 20

  init(_ hub: DocumentHub) { self.hub = hub }

  // MARK: Opening

  func open(
    _ request: DocumentsOpenRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (DocumentOutcome, DocumentsOpenReply) {
    guard space == nil else { return (DocumentOutcome(status: .misuse), DocumentsOpenReply()) }
    guard payload.count >= SpaceRefusal.byteCountMax else {
      return (DocumentOutcome(status: .tooLittleRoom), DocumentsOpenReply())
    }
    do throws(SpaceError) {
      guard let name = String(validating: request.space, as: UTF8.self) else {
        throw SpaceError(.invalidSpace, "the name of the space is not UTF-8")
      }
      let space = try hub.space(
        try SpaceName(name), in: request.directory, creates: request.creates)
      let epoch = try space.epoch()
      self.space = space
      return (
        DocumentOutcome(),
        DocumentsOpenReply(
          epoch: UInt64(epoch), schemaVersion: UInt64(SpaceSchema.version),
          publicKey: hub.notary.publicKey)
      )
    } catch {
      return unsafe (refusal(error, payload), DocumentsOpenReply())
    }
  }

  /// Leaves the space, which stays open for others.
  func close() {
    space = nil
    staged.removeAll()
    rest = []
    givenCount = 0
  }

  func leave() -> DocumentOutcome {
    guard space != nil else { return DocumentOutcome(status: .misuse) }
    close()
    return DocumentOutcome()
  }

  private func refusal(
    _ error: SpaceError, _ payload: UnsafeMutableRawBufferPointer
  ) -> DocumentOutcome {
    let bytes = SpaceRefusal(error.code.rawValue, error.message).encoded
    unsafe payload.copyBytes(from: bytes)
    return DocumentOutcome(status: .spaceError, byteCount: bytes.count)
  }

  // MARK: Parts

  func stage(
    _ request: RecordsStageRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> DocumentOutcome {
    guard space != nil else { return DocumentOutcome(status: .misuse) }
    do throws(Pieces.Refusal) {
      try unsafe staged.add(
        UnsafeRawBufferPointer(payload), to: 0, at: request.offset, of: request.byteCount,
        maximum: Self.requestByteCountMax)
      return DocumentOutcome()
    } catch {
      return DocumentOutcome(status: error == .tooLarge ? .limitReached : .misuse)
    }
  }

  /// The part of the last answer that begins at `offset`, which is where the last one ended.
  func next(_ offset: Int64, _ payload: UnsafeMutableRawBufferPointer) -> DocumentOutcome {
    guard space != nil, !rest.isEmpty, offset == Int64(givenCount) else {
      return DocumentOutcome(status: .misuse)
    }
    return DocumentOutcome(byteCount: unsafe give(payload))
  }

  /// Moves as much of the answer as has room into the payload.
  private func give(_ payload: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(payload.count, rest.count - givenCount)
    unsafe payload.copyBytes(from: rest[givenCount..<givenCount + count])
    givenCount += count
    if givenCount == rest.count {
      rest = []
      givenCount = 0
    }
    return count
  }

  // MARK: Calls

  func call(
    _ call: DocumentCall, _ request: DocumentsCallFields, _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) -> (DocumentOutcome, DocumentsCallFields) {
    rest = []
    givenCount = 0
    defer { staged.removeAll() }
    guard let space else { return (DocumentOutcome(status: .misuse), DocumentsCallFields()) }
    guard payload.count >= SpaceRefusal.byteCountMax else {
      return (DocumentOutcome(status: .tooLittleRoom), DocumentsCallFields())
    }
    let body: [UInt8]
    if request.byteCount > 0 {
      guard request.byteCount <= payload.count else { throw .arguments }
      body = unsafe Array(payload[..<Int(request.byteCount)])
    } else if staged.isEmpty {
      body = []
    } else {
      guard let whole = staged[0] else {
        return (DocumentOutcome(status: .misuse), DocumentsCallFields())
      }
      body = whole
    }
    let answer: [UInt8]
    do throws(DocumentCallError) {
      answer = try call.answer(to: body, of: space)
    } catch {
      switch error {
      case .space(let error): return unsafe (refusal(error, payload), DocumentsCallFields())
      case .wire: throw .arguments
      }
    }
    guard answer.count <= Self.answerByteCountMax else {
      let error = SpaceError(.limitReached, "the answer has more than 256 MiB; ask for less")
      return unsafe (refusal(error, payload), DocumentsCallFields())
    }
    rest = answer
    let fields = DocumentsCallFields(byteCount: UInt64(answer.count))
    return (DocumentOutcome(byteCount: unsafe give(payload)), fields)
  }
}
