// A request of the record service, and its answer in memory of the client's own.

internal import SluiceChannel
internal import SluiceWire

/// The arguments of any request, as one type: code that is generic over messages is compiled for
/// each.
enum RecordArguments: Message {
  case none
  case open(RecordsOpenRequest)
  case store(RecordsStoreRequest)
  case stage(RecordsStageRequest)
  case load(RecordsLoadRequest)
  case knownState(RecordsKnownStateRequest)
  case erase(RecordsErasureRequest)
  case id(RecordIDRequest)
  case page(RecordsPageRequest)
  case lock(RecordsLockRequest)
  case importing(RecordsImportRequest)

  init() { self = .none }

  mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    switch self {
    case .none: break
    case .open(var fields): try fields.code(&coder)
    case .store(var fields): try fields.code(&coder)
    case .stage(var fields): try fields.code(&coder)
    case .load(var fields): try fields.code(&coder)
    case .knownState(var fields): try fields.code(&coder)
    case .erase(var fields): try fields.code(&coder)
    case .id(var fields): try fields.code(&coder)
    case .page(var fields): try fields.code(&coder)
    case .lock(var fields): try fields.code(&coder)
    case .importing(var fields): try fields.code(&coder)
    }
  }
}

struct RecordRequest: Sendable {
  var operation: Operation
  var arguments = RecordArguments.none
  /// What is sent in the range.
  var payload: ArraySlice<UInt8> = []
  /// The bytes of the range: at least the payload's.
  var room: Int

  /// The room for an error's message.
  static let messageByteCount = 512
  /// Most pages of a load are one message.
  static let firstPageByteCount = 32 << 10
  static let pageByteCount = ChannelShape.transferByteCountMaximum

  /// Whether an answer with this status tells what the caller asked for.
  func isAnswered(by status: Status) -> Bool {
    switch (operation, status) {
    case (.recordsKnownState, .notFound), (.recordsStore, .skipped): true
    default: status.isDone
    }
  }
}

/// The results in an answer.
enum RecordReply: Equatable, Sendable {
  case none
  case open(RecordsOpenReply)
  case number(UInt64)
  case page(RecordsPageReply)
  case lock(RecordsLockReply)
}

struct RecordAnswer: Sendable {
  var status: Status
  var reply = RecordReply.none
  var payload: [UInt8]

  var number: UInt64 {
    guard case .number(let number) = reply else { return 0 }
    return number
  }

  var page: RecordsPageReply {
    guard case .page(let page) = reply else { return RecordsPageReply() }
    return page
  }
}

extension RequestRing {
  /// The results of an answer that is not released, as the operation has them.
  mutating func recordReply(
    of answer: PlacedAnswer, to operation: Operation
  ) throws(ChannelFailure) -> RecordReply {
    switch operation {
    case .recordsOpen: .open(try reply(of: answer, as: RecordsOpenReply.self))
    case .recordsStore, .recordsErase, .recordsCount:
      .number(try reply(of: answer, as: RecordsNumberReply.self).number)
    case .recordsKnownState, .recordsUnsynced, .recordsIDs, .recordsVerify:
      .page(try reply(of: answer, as: RecordsPageReply.self))
    case .recordsLock: .lock(try reply(of: answer, as: RecordsLockReply.self))
    default: .none
    }
  }
}
