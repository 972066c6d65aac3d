// Requests of records, as a hostile client writes them, given to a session on a store in memory. What the
// session answers must be what an honest client can read, and the store must be sound.

import CSluice
import SluiceChannel
import SluiceServer
import SluiceWire

@testable import SluiceEngine

struct RecordsTarget: FuzzTarget {
  static let name = "records"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    // Steps as `step` reads them: the operation, the room, and what each wants.
    let store: [UInt8] = [0, 2, 1, 0, 1, 2, 0, 0, 2, 3, 1, 0]
    let loads: [UInt8] = [2, 2, 0, 3, 2, 3, 2, 2, 1, 3, 2]
    let others: [UInt8] = [4, 2, 0, 5, 2, 2, 6, 2, 0, 7, 2, 8, 2, 0, 9, 2, 10, 2, 11, 2, 0, 12, 2]
    return [store, store + loads, store + others + loads, others]
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    let offer = EngineOffer(at: .host)
    let session = RecordSession(
      offer.hubs, offer.clock, isCancelled: { false }, isClientGone: { false },
      hasFurtherRequest: { false })
    defer { session.close() }
    var client = RecordsClient(session)
    client.open(signatureInterval: [0, 10, 1000, 1 << 31][input.choice(4)])
    for _ in 0..<40 where !input.isEmpty { client.step(&input) }
    client.checkStore()
  }
}

/// The client of one session: what it asks, and what it understands of the answers.
private struct RecordsClient {
  private let session: RecordSession
  /// The bytes of the loads' stream that make no whole frame.
  private var stream: [UInt8] = []
  private static let ids = [
    "co_z1", "co_z2", "co_z3", "sealer_z1_session_z1", "co_z1_session_d1$", "",
  ]

  init(_ session: RecordSession) { self.session = session }

  mutating func open(signatureInterval: UInt64) {
    let request = RecordsOpenRequest(
      path: Array(":memory:".utf8), mode: .either, durability: .normal, busyMilliseconds: 0,
      signatureInterval: signatureInterval)
    unsafe withRange(512) { range in
      require(
        unsafe session.open(request, range).0.status == .done, "a store cannot be opened")
    }
  }

  /// In memory of its own, so that the sanitizer sees what goes beyond.
  private func withRange<R>(
    _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> R
  ) -> R {
    let range = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    defer { unsafe range.deallocate() }
    unsafe range.initializeMemory(as: UInt8.self, repeating: 0)
    return unsafe body(range)
  }

  mutating func step(_ input: inout FuzzInput) {
    let operation = input.choice(14)
    let room = [0, 512, 65536, 600, 4096, 3][input.choice(6)]
    let range = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 64)
    defer { unsafe range.deallocate() }
    unsafe range.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe step(operation, range, &input)
  }

  private mutating func step(
    _ operation: Int, _ range: UnsafeMutableRawBufferPointer, _ input: inout FuzzInput
  ) {
    switch operation {
    case 0, 1: unsafe store(range, &input, isStaged: operation == 1)
    case 2:
      let request = RecordsLoadRequest(number: UInt64(input.byte()), id: id(&input))
      unsafe takePage(session.load(request, range), range)
    case 3: unsafe takePage(session.page(range), range)
    case 4:
      let request = RecordsKnownStateRequest(id: id(&input), offset: number(&input))
      let (outcome, reply) = unsafe session.knownState(request, range)
      unsafe checkPage(outcome, reply, range, hasNumbers: true)
    case 5:
      let action = RecordsErasureAction.allCases[input.choice(3)]
      unsafe check(session.erase(RecordsErasureRequest(action: action), range).0, range)
    case 6: _ = session.unmount(RecordIDRequest(id: id(&input)))
    case 7:
      unsafe range.copyBytes(from: input.bytes(room(range)))
      if let outcome = try? unsafe session.track(range) { unsafe check(outcome, range) }
    case 8:
      let request = RecordsPageRequest(after: id(&input), limit: number(&input))
      let (outcome, reply) = unsafe session.unsynced(request, range)
      unsafe checkPage(outcome, reply, range, hasNumbers: false)
    case 9: unsafe check(session.stopTracking(RecordIDRequest(id: id(&input)), range).0, range)
    case 10:
      let request = RecordsPageRequest(offset: number(&input), limit: number(&input))
      let (outcome, reply) = unsafe session.ids(request, range)
      unsafe checkPage(outcome, reply, range, hasNumbers: false)
    case 11:
      let request = RecordsLockRequest(
        action: RecordsLockAction.allCases[input.choice(3)], peer: id(&input), holder: id(&input),
        offset: number(&input))
      unsafe check(session.lock(request, range).0, range)
    case 12:
      let action = RecordsImportAction.allCases[input.choice(3)]
      unsafe check(session.import(RecordsImportRequest(action: action), range).0, range)
    default:
      let (outcome, reply) = unsafe session.verify(
        RecordsPageRequest(offset: number(&input)), range)
      unsafe checkPage(outcome, reply, range, hasNumbers: false)
    }
  }

  private func room(_ range: UnsafeMutableRawBufferPointer) -> Int { range.count }

  private func id(_ input: inout FuzzInput) -> [UInt8] {
    let choice = input.choice(8)
    return choice < Self.ids.count ? Array(Self.ids[choice].utf8) : input.sequence()
  }

  private func number(_ input: inout FuzzInput) -> UInt64 {
    switch input.choice(4) {
    case 0: 0
    case 1: UInt64.max - UInt64(input.choice(3))
    case 2: input.number()
    default: UInt64(input.byte())
    }
  }

  // MARK: Stores

  private func store(
    _ range: UnsafeMutableRawBufferPointer, _ input: inout FuzzInput, isStaged: Bool
  ) {
    let count = 1 + input.choice(3)
    var writer = RecordByteWriter()
    for _ in 0..<count { message(&input).write(to: &writer, deleteIsValid: input.flag()) }
    var bytes = writer.bytes
    // A byte or two of it are others.
    for _ in 0..<input.choice(3) where !bytes.isEmpty {
      bytes[Int(input.number(UInt16.self)) % bytes.count] = input.byte()
    }
    compareReaders(bytes)
    if isStaged {
      let request = RecordsStageRequest(offset: 0, byteCount: Int64(range.count))
      unsafe range.copyBytes(from: bytes.prefix(room(range)))
      unsafe check(session.stage(request, range), range)
    } else if unsafe bytes.count <= room(range) {
      unsafe range.copyBytes(from: bytes)
    }
    let request = RecordsStoreRequest(
      messageCount: UInt64(count), byteCount: isStaged ? 0 : UInt64(min(bytes.count, 1 << 16)),
      isChained: input.flag())
    guard let (outcome, reply) = try? unsafe session.store(request, range) else { return }
    unsafe check(outcome, range)
    guard outcome.status == .done else { return }
    require(reply.number <= UInt64(count), "more messages than were sent")
    unsafe checkResults(UnsafeRawBufferPointer(rebasing: range[..<outcome.byteCount]), reply.number)
  }

  private func message(_ input: inout FuzzInput) -> RecordMessage {
    let headers = [
      #"{"type":"comap","ruleset":{"type":"group"},"meta":null}"#,
      #"{"ruleset":{"type":"ownedByGroup","group":"co_z2"},"meta":{"source":"co_z3"}}"#,
    ]
    let texts = [
      #"{"privacy":"private","encryptedChanges":"é😀\ud800"}"#,
      #"{"privacy":"trusting","changes":"[{\"op\":\"set\",\"key\":\"co_z3\"}]"}"#,
      #"{"privacy":"trusting","changes":"[{\"op\":\"set\",\"key\":\"parent_co_z2\"}]"}"#,
    ]
    var message = RecordMessage(id: id(&input))
    switch input.choice(4) {
    case 0: break
    case 1: message.header = input.sequence()
    case let choice: message.header = Array(headers[choice - 2].utf8)
    }
    for _ in 0..<input.choice(3) {
      var transactions = RecordTransactions()
      for _ in 0..<input.choice(4) {
        let choice = input.choice(5)
        transactions.append(choice < 3 ? Array(texts[choice].utf8) : input.sequence())
      }
      message.sessions.append(
        RecordSessionContent(
          session: id(&input), after: input.flag() ? UInt64(input.choice(4)) : number(&input),
          transactions: transactions, lastSignature: input.sequence()))
    }
    return message
  }

  /// The engine's reader of messages and the client's agree.
  private func compareReaders(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { bytes in
      var engines = unsafe RecordByteReader(bytes)
      var clients = unsafe RecordByteReader(bytes)
      guard let read = try? MessageBytes(from: &engines) else { return }
      guard let message = try? RecordMessage(from: &clients) else {
        broken("a message that only the engine reads")
      }
      require(message.id == read.id && engines.place == clients.place, "two messages of one")
      require(
        unsafe message.header == read.header.map { unsafe Array($0) }, "two headers of one")
      for (one, other) in zip(message.sessions, read.sessions) {
        require(
          one.session == other.id && one.after == other.after
            && one.transactions.count == other.transactionCount, "two sessions of one")
      }
      var writer = RecordByteWriter()
      message.write(to: &writer, deleteIsValid: read.deleteIsValid)
      require(
        unsafe writer.bytes.elementsEqual(bytes.prefix(engines.place)), "other bytes of a message")
    }
  }

  private func checkResults(_ bytes: UnsafeRawBufferPointer, _ count: UInt64) {
    var reader = unsafe RecordByteReader(bytes)
    do throws(WireError) {
      for index in 0..<count {
        guard let outcome = RecordStoreOutcome(rawValue: try reader.number(UInt8.self)) else {
          broken("an outcome that is none")
        }
        require(outcome == .stored || index == count - 1, "a message behind one that is not stored")
        switch outcome {
        case .stored, .gaps:
          for _ in 0..<(try reader.count(ofItems: 8)) { _ = try reader.number(UInt64.self) }
        case .refused: _ = unsafe try reader.string()
        case .noHeader: break
        }
      }
      try reader.finish()
    } catch { broken("results that cannot be read: \(error)") }
  }

  // MARK: Answers

  private func check(_ outcome: RecordOutcome, _ range: UnsafeMutableRawBufferPointer) {
    require(outcome.byteCount <= range.count, "an answer beyond its range")
  }

  private func checkPage(
    _ outcome: RecordOutcome, _ reply: RecordsPageReply, _ range: UnsafeMutableRawBufferPointer,
    hasNumbers: Bool
  ) {
    unsafe check(outcome, range)
    guard outcome.status == .done else { return }
    var reader = unsafe RecordByteReader(
      UnsafeRawBufferPointer(rebasing: range[..<outcome.byteCount]))
    do throws(WireError) {
      for _ in 0..<reply.itemCount {
        _ = unsafe try reader.string()
        if hasNumbers { _ = try reader.number(UInt64.self) }
      }
      try reader.finish()
    } catch { broken("a page that cannot be read: \(error)") }
  }

  private mutating func takePage(
    _ outcome: RecordOutcome, _ range: UnsafeMutableRawBufferPointer
  ) {
    unsafe check(outcome, range)
    guard outcome.status == .done else { return }
    require(outcome.byteCount >= 4, "a page without flags")
    unsafe stream += range[4..<outcome.byteCount]
    let flags = unsafe range.loadUnaligned(as: UInt32.self)
    require(flags < 2, "flags of a page: \(flags)")
    takeFrames()
    if flags == 0 { require(stream.isEmpty, "the stream ends within a frame") }
  }

  /// Takes the whole frames off the stream.
  private mutating func takeFrames() {
    while stream.count >= 9 {
      let count = stream[5..<9].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard stream.count >= 9 + count else { return }
      guard let kind = RecordFrameKind(rawValue: stream[4]) else { broken("a frame of no kind") }
      let content = Array(stream[9..<9 + count])
      stream.removeFirst(9 + count)
      guard kind == .message else {
        require(content.isEmpty || kind == .failed, "an end with bytes")
        continue
      }
      unsafe content.withUnsafeBytes { content in
        var reader = unsafe RecordByteReader(content)
        guard let message = try? RecordMessage(from: &reader), reader.restCount == 0 else {
          broken("a message that cannot be read")
        }
        require(message.header != nil, "a message without a header")
      }
    }
  }

  /// Nothing that was stored makes a store unsound.
  mutating func checkStore() {
    unsafe withRange(65536) { range in
      // An import that is open has the turn.
      _ = unsafe session.import(RecordsImportRequest(action: .commit), range)
      let (outcome, reply) = unsafe session.verify(RecordsPageRequest(), range)
      require(outcome.status == .done, "the store cannot be verified")
      require(
        reply.itemCount == 0,
        "verify: \(unsafe String(decoding: range[..<outcome.byteCount], as: UTF8.self))")
    }
  }
}
