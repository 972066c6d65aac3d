// The record operations of one channel: requests in, bytes out. It knows nothing of how requests
// arrive.
//
// Confined to one thread at a time. What it reads in a payload may be changed by the client
// meanwhile, so a payload is copied once as a whole before it is read.

internal import CEngine
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

/// What became of a request.
struct RecordOutcome {
  var status = Status.done
  /// SQLite's extended result code, with `sqlError`.
  var errorNumber: Int32 = 0
  /// How many bytes of the payload the answer has.
  var byteCount = 0
}

final class RecordSession {
  private let hubs: RecordHubs
  let clock: any RecordClock
  private let isCancelled: () -> Bool
  private let isClientGone: () -> Bool
  /// Whether a further request has come.
  let hasFurtherRequest: () -> Bool
  private(set) var open: OpenRecords?
  private var staged = Pieces()
  var schedule = ErasureSchedule()
  private var loads = LoadQueue()
  /// What the loads have given and no page has taken.
  private var stream = RecordByteWriter()
  private var streamTaken = 0
  /// Whether the last store stopped early.
  private var chainIsBroken = false
  /// Messages stored and values erased since the counts were last taken.
  var counts = RecordCounts()

  init(
    _ hubs: RecordHubs, _ clock: any RecordClock, isCancelled: @escaping () -> Bool,
    isClientGone: @escaping () -> Bool, hasFurtherRequest: @escaping () -> Bool
  ) {
    self.hubs = hubs
    self.clock = clock
    self.isCancelled = isCancelled
    self.isClientGone = isClientGone
    self.hasFurtherRequest = hasFurtherRequest
  }

  deinit { close() }

  // MARK: Opening

  func open(
    _ request: RecordsOpenRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsOpenReply) {
    guard open == nil else { return (RecordOutcome(status: .misuse), RecordsOpenReply()) }
    do throws(DatabaseError) {
      let hub = try hubs.open(request)
      open = OpenRecords(hub, request)
      return (
        RecordOutcome(),
        RecordsOpenReply(
          durability: request.durability, schemaVersion: UInt64(SQLiteStore.schemaVersion))
      )
    } catch {
      return unsafe (refusal(error, payload), RecordsOpenReply())
    }
  }

  /// Gives up an import that is open, and closes the store if nobody else has it.
  func close() {
    guard let open else { return }
    if open.import != nil { _ = try? endImport(commits: false) }
    self.open = nil
    loads.removeAll()
    stream = RecordByteWriter()
    streamTaken = 0
    staged.removeAll()
    schedule = ErasureSchedule()
    hubs.close(open.hub, open.durability)
  }

  /// What was done since the last call.
  func takeCounts() -> RecordCounts {
    defer {
      counts = RecordCounts()
      loads.counts = RecordCounts()
    }
    var all = loads.counts
    all.stored = counts.stored
    all.erased = counts.erased
    return all
  }

  private func mustStop() -> Bool { isCancelled() || isClientGone() }

  /// Does `body` within a transaction, alone or with the work of others.
  func write(
    _ open: OpenRecords, _ body: (RecordStore) throws(DatabaseError) -> Void
  ) throws(DatabaseError) {
    if let store = open.import {
      return try store.atomically { () throws(DatabaseError) in try body(store) }
    }
    let deadline = Clock.monotonicNanoseconds() + open.busyNanoseconds
    try open.hub.turn.perform(
      unless: { mustStop() || Clock.monotonicNanoseconds() >= deadline }, body)
  }

  /// Reads consistently.
  func read<R>(
    _ open: OpenRecords, _ body: (RecordStore) throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    if open.import == nil, let reader = try open.reader() {
      return try reader.base.consistently { () throws(DatabaseError) in try body(reader) }
    }
    var result: R?
    try write(open) { (store) throws(DatabaseError) in result = try body(store) }
    return result!
  }

  func refusal(
    _ error: DatabaseError, _ payload: UnsafeMutableRawBufferPointer
  ) -> RecordOutcome {
    let text = Array(error.message.utf8.prefix(payload.count))
    unsafe payload.copyBytes(from: text)
    return RecordOutcome(status: .sqlError, errorNumber: error.code, byteCount: text.count)
  }

  /// Does `body` with the open store; answers a database's error with its text.
  func withOpen<Reply: Message>(
    _ payload: UnsafeMutableRawBufferPointer,
    _ body: (OpenRecords) throws(DatabaseError) -> (RecordOutcome, Reply)
  ) -> (RecordOutcome, Reply) {
    guard let open else { return (RecordOutcome(status: .misuse), Reply()) }
    do throws(DatabaseError) { return try body(open) } catch {
      return unsafe (refusal(error, payload), Reply())
    }
  }

  // MARK: Storing

  func stage(
    _ request: RecordsStageRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> RecordOutcome {
    guard open != nil else { return RecordOutcome(status: .misuse) }
    do throws(Pieces.Refusal) {
      try unsafe staged.add(
        UnsafeRawBufferPointer(payload), to: 0, at: request.offset, of: request.byteCount,
        maximum: Limits.valueByteCountMaximum)
      return RecordOutcome()
    } catch {
      return RecordOutcome(status: error == .tooLarge ? .limitReached : .misuse)
    }
  }

  /// Room for what an answer has beside a part for each of the request's bytes.
  private static let answerByteCount = 512
  /// What a page of the loads' stream begins with.
  private static let flagsByteCount = 4

  func store(
    _ request: RecordsStoreRequest, _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) -> (RecordOutcome, RecordsNumberReply) {
    guard let open else { return (RecordOutcome(status: .misuse), RecordsNumberReply()) }
    if request.isChained, chainIsBroken {
      return (RecordOutcome(status: .skipped), RecordsNumberReply())
    }
    chainIsBroken = true
    defer { staged.removeAll() }
    let bytes: [UInt8]
    if request.byteCount == 0 {
      guard let whole = staged[0] else {
        return (RecordOutcome(status: .misuse), RecordsNumberReply())
      }
      bytes = whole
    } else {
      guard request.byteCount <= payload.count else { throw .arguments }
      bytes = unsafe Array(payload[..<Int(request.byteCount)])
    }
    return try unsafe withBytes(of: bytes) { (bytes) throws(ProtocolViolation) in
      let messages = try unsafe messages(request.messageCount, in: bytes)
      guard payload.count >= answerByteCount(of: messages) else {
        return (RecordOutcome(status: .tooLittleRoom), RecordsNumberReply())
      }
      return unsafe store(messages, open, payload)
    }
  }

  private func messages(
    _ count: UInt64, in bytes: UnsafeRawBufferPointer
  ) throws(ProtocolViolation) -> [MessageBytes] {
    var reader = unsafe RecordByteReader(bytes)
    var messages: [MessageBytes] = []
    do throws(WireError) {
      for _ in 0..<count { messages.append(try MessageBytes(from: &reader)) }
      try reader.finish()
    } catch {
      throw .arguments
    }
    return messages
  }

  private func answerByteCount(of messages: [MessageBytes]) -> Int {
    messages.reduce(Self.answerByteCount) { $0 + 5 + 8 * $1.sessions.count }
  }

  private func store(
    _ messages: [MessageBytes], _ open: OpenRecords, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsNumberReply) {
    var results: [StoredMessage] = []
    do throws(DatabaseError) {
      try write(open) { (store) throws(DatabaseError) in
        results = []
        let writer = RecordWriter(store: store, signatureInterval: open.signatureInterval)
        for message in messages {
          results.append(try writer.store(message))
          if results.last?.isStored != true { break }
        }
      }
    } catch {
      return unsafe (refusal(error, payload), RecordsNumberReply())
    }
    counts.stored += UInt64(results.count { $0.isStored })
    // The client's memory has the value once it is a row.
    for (message, result) in zip(messages, results) {
      switch result {
      case .stored, .gaps: loads.noteInMemory(message.id)
      case .noHeader, .refused: break
      }
    }
    chainIsBroken = results.last?.isStored != true
    var writer = RecordByteWriter()
    for result in results { writer.result(result) }
    unsafe payload.copyBytes(from: writer.bytes)
    return (
      RecordOutcome(byteCount: writer.count), RecordsNumberReply(number: UInt64(results.count))
    )
  }

  // MARK: Loading

  func load(
    _ request: RecordsLoadRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> RecordOutcome {
    guard open != nil else { return RecordOutcome(status: .misuse) }
    guard !loads.isFull else { return RecordOutcome(status: .limitReached) }
    guard payload.count >= Self.answerByteCount else {
      return RecordOutcome(status: .tooLittleRoom)
    }
    let number = UInt32(request.number)
    loads.add(number, request.id)
    do throws(DatabaseError) { try fillStream(payload.count) } catch {
      // A refused load would be under way here and not at the client.
      loads.fail(number, error.message, in: &stream)
    }
    return unsafe nextPage(payload)
  }

  /// The next page of what the loads give.
  func page(_ payload: UnsafeMutableRawBufferPointer) -> RecordOutcome {
    guard open != nil else { return RecordOutcome(status: .misuse) }
    guard payload.count >= Self.answerByteCount else {
      return RecordOutcome(status: .tooLittleRoom)
    }
    do throws(DatabaseError) { try fillStream(payload.count) } catch {
      return unsafe refusal(error, payload)
    }
    return unsafe nextPage(payload)
  }

  /// Makes as much of the stream as a page of `byteCount` bytes has room for.
  private func fillStream(_ byteCount: Int) throws(DatabaseError) {
    let room = byteCount - Self.flagsByteCount
    guard let open, stream.count - streamTaken < room, !loads.isEmpty else { return }
    let values = open.hub.values
    while true {
      let time = values.time
      var progress = LoadQueue.Progress.written
      try read(open) { (store) throws(DatabaseError) in
        let snapshot = LoadQueue.Snapshot(store: store, values: values, time: time)
        while progress == .written, stream.count - streamTaken < room {
          progress = try loads.writeFrame(from: snapshot, to: &stream)
        }
      }
      guard progress == .needsFreshSnapshot else { return }
      // The erasure of a value takes about as long as its commit.
      Clock.sleep(nanoseconds: 50_000)
    }
  }

  /// Moves a page of the stream into the payload.
  private func nextPage(_ payload: UnsafeMutableRawBufferPointer) -> RecordOutcome {
    let count = min(payload.count - Self.flagsByteCount, stream.count - streamTaken)
    unsafe UnsafeMutableRawBufferPointer(rebasing: payload[Self.flagsByteCount...]).copyBytes(
      from: stream.bytes[streamTaken..<streamTaken + count])
    streamTaken += count
    dropTaken()
    let hasMore = streamTaken < stream.count || !loads.isEmpty
    unsafe payload.storeBytes(of: UInt32(hasMore ? 1 : 0).littleEndian, as: UInt32.self)
    return RecordOutcome(byteCount: Self.flagsByteCount + count)
  }

  /// Frames are as large as messages, so that the stream hardly ever ends with a page.
  private func dropTaken() {
    if streamTaken == stream.count {
      stream.removeAll()
      streamTaken = 0
    } else if streamTaken > stream.count / 2 {
      stream.dropFirst(streamTaken)
      streamTaken = 0
    }
  }

  func knownState(
    _ request: RecordsKnownStateRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsPageReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      let sessions = try read(open) { (store) throws(DatabaseError) -> [NamedSession]? in
        guard let row = try store.coValue(request.id)?.row else { return nil }
        return try store.sessions(of: row)
      }
      guard let sessions else { return (RecordOutcome(status: .notFound), RecordsPageReply()) }
      var page = unsafe RecordPage(payload)
      let first = Int(clamping: min(request.offset, UInt64(sessions.count)))
      for session in sessions[first...] {
        guard page.add(session.id, number: UInt64(session.stored.count)) else { break }
      }
      let next = first + page.itemCount
      return page.answer(hasMore: next < sessions.count, nextOffset: UInt64(next))
    }
  }

  func unmount(_ request: RecordIDRequest) -> RecordOutcome {
    guard open != nil else { return RecordOutcome(status: .misuse) }
    loads.noteUnmounted(request.id)
    return RecordOutcome()
  }

  // MARK: Import

  func `import`(
    _ request: RecordsImportRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsNumberReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      guard (open.import == nil) == (request.action == .begin) else {
        return (RecordOutcome(status: .misuse), RecordsNumberReply())
      }
      if request.action == .begin {
        let deadline = Clock.monotonicNanoseconds() + open.busyNanoseconds
        let store = try open.hub.beginImport(
          unless: { mustStop() || Clock.monotonicNanoseconds() >= deadline })
        self.open?.import = store
      } else {
        try endImport(commits: request.action == .commit)
      }
      return (RecordOutcome(), RecordsNumberReply())
    }
  }

  private func endImport(commits: Bool) throws(DatabaseError) {
    guard let store = open?.import else { return }
    open?.import = nil
    try open?.hub.endImport(store, commits: commits)
  }
}

/// The store that a session has open.
struct OpenRecords {
  let hub: RecordHub
  let durability: RecordDurability
  let signatureInterval: UInt64
  let busyNanoseconds: Int64
  /// The store within an import.
  var `import`: RecordStore?
  private let readerCell = ReaderCell()

  private final class ReaderCell { var reader: RecordStore? }

  init(_ hub: RecordHub, _ request: RecordsOpenRequest) {
    self.hub = hub
    durability = request.durability
    signatureInterval = request.signatureInterval
    busyNanoseconds = request.busyMilliseconds * 1_000_000
  }

  /// The connection for reading, opened when it is first wanted; nil if the store has only one.
  func reader() throws(DatabaseError) -> RecordStore? {
    if readerCell.reader == nil {
      readerCell.reader = try hub.makeReader(busyMilliseconds: busyNanoseconds / 1_000_000)
    }
    return readerCell.reader
  }
}

extension RecordByteWriter {
  /// What became of a message.
  fileprivate mutating func result(_ result: StoredMessage) {
    switch result {
    case .stored(let counts): self.counts(.stored, counts)
    case .gaps(let counts): self.counts(.gaps, counts)
    case .noHeader: number(RecordStoreOutcome.noHeader.rawValue)
    case .refused(let why):
      number(RecordStoreOutcome.refused.rawValue)
      string(Array(why.utf8.prefix(400)))
    }
  }

  private mutating func counts(_ outcome: RecordStoreOutcome, _ counts: [UInt64?]) {
    number(outcome.rawValue)
    number(UInt32(counts.count))
    for count in counts { number(count ?? .max) }
  }
}
