// Makes sensible requests from the fuzzer's bytes: names of files that belong together, levels,
// sizes. The fuzzer finds requests that make no sense by itself.

import SluiceWire

struct SessionRequest {
  var operation: UInt16
  var arguments: [UInt8]

  static let paths = [
    "/a.db", "/a.db-journal", "/a.db-wal", "/a.db-shm", "/b.db", "/b.db-journal", "/sub/c.db",
    "/sub/c.db-journal", "/a.db-mj1", "/link", "/out/a.db", "/../outside/a.db", "/in/c.db", "/sub",
    "/", "/nowhere/x",
  ]

  /// Links in the root that the target makes.
  static let links = [
    ("link", "a.db"), ("out", "../outside"), ("in", "sub"), ("sentinel", "../outside/sentinel"),
  ]

  init(_ input: inout FuzzInput) {
    let operations = SluiceWire.Operation.allCases
    let operation = operations[input.choice(operations.count)]
    self.operation = operation.rawValue
    switch input.choice(8) {
    case 7:
      arguments = input.sequence()
    case 6:
      self.operation = input.number()
      arguments = input.sequence()
    default:
      arguments = SessionRequest.arguments(of: operation, &input)
    }
  }

  private static func arguments(
    of operation: SluiceWire.Operation, _ input: inout FuzzInput
  ) -> [UInt8] {
    switch operation {
    case .nothing, .channelOpen, .close, .sync, .fileSize, .checkReservedLock, .hasMoved,
      .openWindow, .pinWindow, .syncPromise, .syncAwait, .hasExternalReader, .sqlExecute, .sqlFetch,
      .sqlReset, .recordsNext, .recordsTrack, .recordsCount, .recordsClose, .documentsClose:
      written(NoFields())
    // A file sidecar does not know them; SQLTarget, RecordsTarget and DocumentsTarget have them for an
    // engine.
    case .sqlOpen, .sqlValueRead, .sqlValueWrite, .sqlExport, .sqlChangesAwait, .recordsOpen,
      .recordsStore, .recordsStage, .recordsLoad, .recordsKnownState, .recordsErase,
      .recordsUnmount, .recordsStopTracking, .recordsUnsynced, .recordsIDs, .recordsVerify,
      .recordsLock, .recordsImport, .documentsOpen, .documentsStage, .documentsNext,
      .documentsTransact, .documentsRead, .documentsValue, .documentsChanges, .documentsDocuments,
      .documentsBranches, .documentsBranch, .documentsCreateBranch, .documentsCloseBranch,
      .documentsMerge, .documentsLog, .documentsContentPut, .documentsContentGet,
      .documentsSettings, .documentsInvariants, .documentsVerify, .documentsCollect:
      input.sequence()
    case .channelClose: written(ChannelFields(channel: UInt64(input.choice(4))))
    case .fullPathname: written(PathFields(path: path(&input)))
    case .open: written(open(&input))
    case .delete: written(DeleteRequest(path: path(&input), syncDirectory: input.flag()))
    case .access:
      written(
        AccessRequest(path: path(&input), mode: AccessMode.allCases[input.choice(3)]))
    case .read, .write, .truncate, .allocate: written(OffsetFields(offset: offset(&input)))
    case .lock, .unlock: written(LockFields(level: LockLevel.allCases[input.choice(5)]))
    case .lockAwait: written(lockAwait(&input))
    case .walIndexMap:
      written(
        WALIndexMapRequest(
          byteCount: 32_768 * Int64(input.choice(4)), extends: input.flag(),
          isReadOnly: input.choice(4) == 3, wantsDescriptor: input.flag()))
    case .walIndexLock: written(walIndexLock(&input))
    case .walIndexUnmap: written(WALIndexUnmapRequest(deletes: input.flag()))
    }
  }

  private static func path(_ input: inout FuzzInput) -> [UInt8] {
    let index = input.choice(paths.count + 1)
    return index == paths.count ? input.sequence() : Array(paths[index].utf8)
  }

  private static func open(_ input: inout FuzzInput) -> OpenRequest {
    let kinds = FileKind.allCases
    return OpenRequest(
      path: input.choice(8) == 7 ? nil : path(&input), kind: kinds[input.choice(kinds.count)],
      options: OpenOptions(rawValue: UInt64(input.byte() & 127)),
      implicitLockMilliseconds: [-1, -1, 0, 1, 1000][input.choice(5)])
  }

  private static func offset(_ input: inout FuzzInput) -> Int64 {
    switch input.choice(4) {
    case 0: 0
    case 1: 4096 * Int64(input.choice(16))
    case 2: Int64(input.number(UInt16.self))
    default: Int64(bitPattern: input.number() & UInt64(Int64.max))
    }
  }

  private static func lockAwait(_ input: inout FuzzInput) -> LockAwaitRequest {
    let codes: [UInt64] = [1, 2, 4, 0x101, 0x201, 0x2ff, 0x108]
    let lock = AwaitedLock(code: codes[input.choice(codes.count)])!
    return LockAwaitRequest(lock: lock, milliseconds: UInt64(input.choice(3)))
  }

  private static func walIndexLock(_ input: inout FuzzInput) -> WALIndexLockRequest {
    let first = UInt64(input.choice(8))
    return WALIndexLockRequest(
      first: first, count: 1 + UInt64(input.byte()) % (8 - first),
      kind: WALLockKind.allCases[input.choice(3)])
  }

  private static func written(_ message: some Message) -> [UInt8] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1152, alignment: 1)
    defer { unsafe room.deallocate() }
    let count = try? unsafe message.encode(into: room, order: .littleEndian)
    return unsafe Array(room[..<(count ?? 0)])
  }
}
