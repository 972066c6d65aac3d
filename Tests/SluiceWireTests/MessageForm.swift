// One form for every operation's messages: fields to bytes, and back. A new operation does not
// compile here until its messages are named, and its tests fail until it has vectors.

import SluiceWire
import TestSupport

/// A message type without its type.
struct MessageForm: Sendable {
  /// The wire types in order. `bytes?` may be null on the wire.
  let types: [String]
  let encode: @Sendable ([Argument], ByteOrder) throws(WireError) -> [UInt8]
  let decode: @Sendable ([UInt8], ByteOrder) throws(WireError) -> [Argument]

  init<M: Message>(_ type: M.Type) {
    var recorder = FieldRecorder()
    var blank = M()
    let isCoded = (try? blank.code(&recorder)) != nil
    precondition(isCoded, "a blank message is a valid one")
    types = recorder.types
    encode = { (arguments, order) throws(WireError) in
      var message = M()
      var setter = FieldSetter(arguments: arguments[...])
      try message.code(&setter)
      guard setter.arguments.isEmpty else { throw .wrongCount }
      let whole = message
      return try unsafe withGuardedRoom(70_000) { (room) throws(WireError) in
        try unsafe whole.encode(into: room, order: order)
      }
    }
    decode = { (bytes, order) throws(WireError) in
      try unsafe withExactCopy(of: bytes) { (buffer) throws(WireError) in
        var message = try unsafe M(decoding: buffer, order: order)
        var recorder = FieldRecorder()
        try message.code(&recorder)
        return recorder.arguments
      }
    }
  }
}

extension Operation {
  var request: MessageForm {
    switch self {
    case .nothing, .channelOpen, .close, .sync, .fileSize, .checkReservedLock, .hasMoved,
      .openWindow, .pinWindow, .syncPromise, .syncAwait, .hasExternalReader, .sqlExecute, .sqlFetch,
      .sqlReset, .recordsNext, .recordsTrack, .recordsCount, .recordsClose:
      MessageForm(NoFields.self)
    case .sqlOpen: MessageForm(SQLOpenRequest.self)
    case .sqlValueRead: MessageForm(SQLValueReadRequest.self)
    case .sqlValueWrite: MessageForm(SQLValueWriteRequest.self)
    case .channelClose: MessageForm(ChannelFields.self)
    case .fullPathname: MessageForm(PathFields.self)
    case .open: MessageForm(OpenRequest.self)
    case .delete: MessageForm(DeleteRequest.self)
    case .access: MessageForm(AccessRequest.self)
    case .read, .write, .truncate, .allocate, .sqlExport: MessageForm(OffsetFields.self)
    case .sqlChangesAwait: MessageForm(SQLChangesRequest.self)
    case .lock, .unlock: MessageForm(LockFields.self)
    case .lockAwait: MessageForm(LockAwaitRequest.self)
    case .walIndexMap: MessageForm(WALIndexMapRequest.self)
    case .walIndexLock: MessageForm(WALIndexLockRequest.self)
    case .walIndexUnmap: MessageForm(WALIndexUnmapRequest.self)
    case .recordsOpen: MessageForm(RecordsOpenRequest.self)
    case .recordsStore: MessageForm(RecordsStoreRequest.self)
    case .recordsStage: MessageForm(RecordsStageRequest.self)
    case .recordsLoad: MessageForm(RecordsLoadRequest.self)
    case .recordsKnownState: MessageForm(RecordsKnownStateRequest.self)
    case .recordsErase: MessageForm(RecordsErasureRequest.self)
    case .recordsUnmount, .recordsStopTracking: MessageForm(RecordIDRequest.self)
    case .recordsUnsynced, .recordsIDs, .recordsVerify: MessageForm(RecordsPageRequest.self)
    case .recordsLock: MessageForm(RecordsLockRequest.self)
    case .recordsImport: MessageForm(RecordsImportRequest.self)
    }
  }

  var reply: MessageForm {
    switch self {
    case .nothing, .channelClose, .delete, .close, .read, .write, .truncate, .sync, .lock, .unlock,
      .allocate, .openWindow, .pinWindow, .syncPromise, .syncAwait, .lockAwait, .walIndexLock,
      .walIndexUnmap, .sqlExecute, .sqlFetch, .sqlReset, .sqlValueRead, .sqlValueWrite,
      .recordsStage, .recordsLoad, .recordsNext, .recordsUnmount, .recordsTrack,
      .recordsStopTracking, .recordsImport, .recordsClose:
      MessageForm(NoFields.self)
    case .sqlOpen: MessageForm(SQLOpenReply.self)
    case .channelOpen: MessageForm(ChannelFields.self)
    case .fullPathname: MessageForm(PathFields.self)
    case .open: MessageForm(OpenReply.self)
    case .access, .checkReservedLock, .hasMoved, .hasExternalReader: MessageForm(AnswerReply.self)
    case .fileSize, .sqlExport: MessageForm(OffsetFields.self)
    case .sqlChangesAwait: MessageForm(SQLChangesReply.self)
    case .walIndexMap: MessageForm(WALIndexMapReply.self)
    case .recordsOpen: MessageForm(RecordsOpenReply.self)
    case .recordsStore, .recordsErase, .recordsCount: MessageForm(RecordsNumberReply.self)
    case .recordsKnownState, .recordsUnsynced, .recordsIDs, .recordsVerify:
      MessageForm(RecordsPageReply.self)
    case .recordsLock: MessageForm(RecordsLockReply.self)
    }
  }

  func form(_ message: String) throws -> MessageForm {
    switch message {
    case "request": request
    case "reply": reply
    default: throw BadVector(reason: "neither request nor reply: \(message)")
    }
  }
}

/// Records the fields of a message.
private struct FieldRecorder: FieldCoder {
  var arguments: [Argument] = []
  var types: [String] = []

  private mutating func record(_ argument: Argument, _ type: String? = nil) {
    arguments.append(argument)
    types.append(type ?? "\(argument.type)")
  }

  mutating func bigint(_ field: inout Int64) { record(.bigint(field)) }
  mutating func unsigned(_ field: inout UInt64) { record(.unsigned(field)) }
  mutating func boolean(_ field: inout Bool) { record(.boolean(field)) }
  mutating func bytes(_ field: inout [UInt8]) { record(.bytes(field)) }
  mutating func optionalBytes(_ field: inout [UInt8]?) {
    record(field.map { .bytes($0) } ?? .null, "bytes?")
  }
}

/// Fills a message from a list.
private struct FieldSetter: FieldCoder {
  var arguments: ArraySlice<Argument>

  mutating func bigint(_ field: inout Int64) throws(WireError) {
    guard case .bigint(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func unsigned(_ field: inout UInt64) throws(WireError) {
    guard case .unsigned(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func boolean(_ field: inout Bool) throws(WireError) {
    guard case .boolean(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func bytes(_ field: inout [UInt8]) throws(WireError) {
    guard case .bytes(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func optionalBytes(_ field: inout [UInt8]?) throws(WireError) {
    if case .null = arguments.first {
      _ = arguments.popFirst()
      field = nil
    } else {
      var value: [UInt8] = []
      try bytes(&value)
      field = value
    }
  }
}
