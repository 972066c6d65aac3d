// Requests of records that no client of ours makes: well-formed ones with something wrong in them.

internal import CSluice
internal import SluiceRecords
internal import SluiceWire
internal import ToolSupport

struct HostileRecordsSession: HostileEngineSession {
  var random: SplitMix64
  private var generator: RecordsGenerator
  private let model = ModelStore(signatureInterval: 1000)
  private let operations: [Operation] = [
    .recordsStore, .recordsStore, .recordsStore, .recordsStore, .recordsStage, .recordsLoad,
    .recordsLoad, .recordsNext, .recordsNext, .recordsKnownState, .recordsErase, .recordsUnmount,
    .recordsTrack, .recordsUnsynced, .recordsStopTracking, .recordsIDs, .recordsCount,
    .recordsLock, .recordsVerify, .recordsImport, .recordsClose, .recordsOpen, .nothing,
    .channelOpen, .sqlExecute, .read,
  ]

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    generator = RecordsGenerator(seed: seed &+ 1)
  }

  mutating func open(_ raw: RawSession) throws(HarnessError) {
    if try raw.ask(.recordsOpen, openRequest()).status == nil {
      throw .difference("recordsOpen: no status")
    }
  }

  private mutating func openRequest() -> RecordsOpenRequest {
    let paths = [
      ":memory:", "hostile.records", "hostile.records", "hostile.records", "sub/none", "../x", "",
    ]
    return RecordsOpenRequest(
      path: Array(paths[random.below(paths.count)].utf8), mode: .either,
      durability: random.once(in: 2) ? .normal : .full, busyMilliseconds: Int64(random.below(3)),
      signatureInterval: [0, 1, 100, 1 << 31][random.below(4)])
  }

  mutating func learn(_ answer: RawAnswer) -> String? {
    answer.slot.payload_byte_count > 65_536
      ? "an answer of \(answer.slot.payload_byte_count) bytes" : nil
  }

  // MARK: Requests

  mutating func post(on channel: RawChannel) {
    let operation = operations[random.below(operations.count)]
    let room = [0, 8, 511, 512, 513, 1000, 4096, 16384, 65535, 65536][random.below(10)]
    let payload = unsafe UnsafeMutableRawBufferPointer(start: channel.nextPayload, count: room)
    func post(_ arguments: some Message) {
      channel.post(code: operation.rawValue, file: 0, arguments, payloadByteCount: room)
    }
    switch operation {
    case .recordsStore: unsafe post(storeRequest(payload))
    case .recordsStage: unsafe post(stageRequest(payload))
    case .recordsLoad:
      post(RecordsLoadRequest(number: random.next() >> UInt64(32 + random.below(32)), id: id()))
    case .recordsKnownState: post(RecordsKnownStateRequest(id: id(), offset: number()))
    case .recordsErase:
      post(RecordsErasureRequest(action: RecordsErasureAction.allCases[random.below(3)]))
    case .recordsUnmount, .recordsStopTracking: post(RecordIDRequest(id: id()))
    case .recordsTrack:
      unsafe write(track(), payload)
      post(NoFields())
    case .recordsUnsynced, .recordsIDs, .recordsVerify:
      post(RecordsPageRequest(after: id(), offset: number(), limit: number()))
    case .recordsLock:
      post(
        RecordsLockRequest(
          action: RecordsLockAction.allCases[random.below(3)], peer: id(below: 540),
          holder: id(below: 540), offset: number()))
    case .recordsImport:
      post(RecordsImportRequest(action: RecordsImportAction.allCases[random.below(3)]))
    case .recordsOpen: post(openRequest())
    default: post(NoFields())
    }
  }

  private mutating func number() -> UInt64 {
    switch random.below(4) {
    case 0: 0
    case 1: UInt64.max - UInt64(random.below(3))
    default: random.next() >> UInt64(random.below(64))
    }
  }

  /// More bytes than a name may have, and so few that the argument area holds them.
  private mutating func id(below byteCountMaximum: Int = 1100) -> [UInt8] {
    switch random.below(8) {
    case 0: []
    case 1: [UInt8](repeating: UInt8(random.below(256)), count: random.below(byteCountMaximum))
    default: Array(generator.id().utf8)
    }
  }

  private mutating func messages() -> (count: Int, bytes: [UInt8]) {
    var writer = RecordByteWriter()
    let count = 1 + random.below(random.once(in: 5) ? 40 : 3)
    for _ in 0..<count {
      let message = RecordStore(generator.message(for: model))
      message.message.write(to: &writer, deleteIsValid: message.deleteIsValid)
    }
    return (count, spoiled(writer.bytes))
  }

  private mutating func track() -> [UInt8] {
    var writer = RecordByteWriter()
    let count = random.below(4)
    writer.number(UInt32(count))
    for _ in 0..<count {
      writer.number(UInt8(random.below(2)))
      writer.string(id())
      writer.string(id())
    }
    return spoiled(writer.bytes)
  }

  /// Now and then some bytes are others. Nonsense ends the session, so it is rare.
  private mutating func spoiled(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    guard random.once(in: 12), !bytes.isEmpty else { return bytes }
    for _ in 0..<1 + random.below(3) {
      bytes[random.below(bytes.count)] = [0, 1, 0x22, 0x7f, 0xff][random.below(5)]
    }
    if random.once(in: 4) { bytes.removeLast(random.below(bytes.count)) }
    return bytes
  }

  private func write(_ bytes: [UInt8], _ payload: UnsafeMutableRawBufferPointer) {
    unsafe payload.copyBytes(from: bytes.prefix(payload.count))
  }

  private mutating func storeRequest(
    _ payload: UnsafeMutableRawBufferPointer
  ) -> RecordsStoreRequest {
    let (count, bytes) = messages()
    unsafe write(bytes, payload)
    let isStaged = random.once(in: 10)
    return RecordsStoreRequest(
      messageCount: random.once(in: 30) ? 65_536 : UInt64(count),
      byteCount: isStaged ? 0 : UInt64(min(bytes.count, 1 << 16)),
      isChained: random.once(in: 3))
  }

  private mutating func stageRequest(
    _ payload: UnsafeMutableRawBufferPointer
  ) -> RecordsStageRequest {
    unsafe write(messages().bytes, payload)
    let byteCount = Int64(random.next() >> UInt64(30 + random.below(34)))
    let offset = random.below(3) > 0 ? 0 : Int64(random.below(Int(min(byteCount + 1, 1 << 20))))
    return RecordsStageRequest(offset: offset, byteCount: byteCount)
  }
}
