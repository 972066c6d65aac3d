// The messages of every operation, for all who handle them alike: vectors, counters, fuzzers. A new operation
// does not compile here until its messages are named.
//
// It is inlinable, because a user of the table then has code for each type. With `any Message.Type` a
// fuzzer tells fewer paths apart (751 places of the serializer instead of 861).

import SluiceWire

/// What is to be done with a message type.
public protocol MessageVisitor {
  associatedtype Outcome
  func callAsFunction<M: Message>(_ type: M.Type) -> Outcome
}

extension SluiceWire.Operation {
  /// Hands the type of the operation's request to the visitor.
  @inlinable public func withRequest<Visitor: MessageVisitor>(_ visit: Visitor) -> Visitor.Outcome {
    switch self {
    case .nothing, .channelOpen, .close, .sync, .fileSize, .checkReservedLock, .hasMoved,
      .openWindow, .pinWindow, .syncPromise, .syncAwait, .hasExternalReader, .sqlExecute, .sqlFetch,
      .sqlReset, .recordsNext, .recordsTrack, .recordsCount, .recordsClose, .documentsClose:
      visit(NoFields.self)
    case .sqlOpen: visit(SQLOpenRequest.self)
    case .sqlValueRead: visit(SQLValueReadRequest.self)
    case .sqlValueWrite: visit(SQLValueWriteRequest.self)
    case .channelClose: visit(ChannelFields.self)
    case .fullPathname: visit(PathFields.self)
    case .open: visit(OpenRequest.self)
    case .delete: visit(DeleteRequest.self)
    case .access: visit(AccessRequest.self)
    case .read, .write, .truncate, .allocate, .sqlExport, .documentsNext:
      visit(OffsetFields.self)
    case .sqlChangesAwait: visit(SQLChangesRequest.self)
    case .lock, .unlock: visit(LockFields.self)
    case .lockAwait: visit(LockAwaitRequest.self)
    case .walIndexMap: visit(WALIndexMapRequest.self)
    case .walIndexLock: visit(WALIndexLockRequest.self)
    case .walIndexUnmap: visit(WALIndexUnmapRequest.self)
    case .recordsOpen: visit(RecordsOpenRequest.self)
    case .recordsStore: visit(RecordsStoreRequest.self)
    case .recordsStage, .documentsStage: visit(RecordsStageRequest.self)
    case .recordsLoad: visit(RecordsLoadRequest.self)
    case .recordsKnownState: visit(RecordsKnownStateRequest.self)
    case .recordsErase: visit(RecordsErasureRequest.self)
    case .recordsUnmount, .recordsStopTracking: visit(RecordIDRequest.self)
    case .recordsUnsynced, .recordsIDs, .recordsVerify: visit(RecordsPageRequest.self)
    case .recordsLock: visit(RecordsLockRequest.self)
    case .recordsImport: visit(RecordsImportRequest.self)
    case .documentsOpen: visit(DocumentsOpenRequest.self)
    case .documentsTransact, .documentsRead, .documentsValue, .documentsChanges,
      .documentsDocuments, .documentsBranches, .documentsBranch, .documentsCreateBranch,
      .documentsCloseBranch,
      .documentsMerge, .documentsLog, .documentsContentPut, .documentsContentGet,
      .documentsSettings, .documentsInvariants, .documentsVerify, .documentsCollect:
      visit(DocumentsCallFields.self)
    }
  }

  /// Hands the type of the operation's reply to the visitor.
  @inlinable public func withReply<Visitor: MessageVisitor>(_ visit: Visitor) -> Visitor.Outcome {
    switch self {
    case .nothing, .channelClose, .delete, .close, .read, .write, .truncate, .sync, .lock, .unlock,
      .allocate, .openWindow, .pinWindow, .syncPromise, .syncAwait, .lockAwait, .walIndexLock,
      .walIndexUnmap, .sqlExecute, .sqlFetch, .sqlReset, .sqlValueRead, .sqlValueWrite,
      .recordsStage, .recordsLoad, .recordsNext, .recordsUnmount, .recordsTrack,
      .recordsStopTracking, .recordsImport, .recordsClose, .documentsStage, .documentsNext,
      .documentsClose:
      visit(NoFields.self)
    case .sqlOpen: visit(SQLOpenReply.self)
    case .channelOpen: visit(ChannelFields.self)
    case .fullPathname: visit(PathFields.self)
    case .open: visit(OpenReply.self)
    case .access, .checkReservedLock, .hasMoved, .hasExternalReader: visit(AnswerReply.self)
    case .fileSize, .sqlExport: visit(OffsetFields.self)
    case .sqlChangesAwait: visit(SQLChangesReply.self)
    case .walIndexMap: visit(WALIndexMapReply.self)
    case .recordsOpen: visit(RecordsOpenReply.self)
    case .recordsStore, .recordsErase, .recordsCount: visit(RecordsNumberReply.self)
    case .recordsKnownState, .recordsUnsynced, .recordsIDs, .recordsVerify:
      visit(RecordsPageReply.self)
    case .recordsLock: visit(RecordsLockReply.self)
    case .documentsOpen: visit(DocumentsOpenReply.self)
    case .documentsTransact, .documentsRead, .documentsValue, .documentsChanges,
      .documentsDocuments, .documentsBranches, .documentsBranch, .documentsCreateBranch,
      .documentsCloseBranch,
      .documentsMerge, .documentsLog, .documentsContentPut, .documentsContentGet,
      .documentsSettings, .documentsInvariants, .documentsVerify, .documentsCollect:
      visit(DocumentsCallFields.self)
    }
  }
}
