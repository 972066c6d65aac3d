// The client's side of a channel as SPEC.md has it, without the good manners of SluiceClient: it
// posts requests one behind the other, shows each answer whole, and lets its caller misuse the
// memory.
//
// Like any client it does not trust the facts: it checks sizes before it maps anything. With the
// product it shares the layout's declaration (sluice_layout.h, which a test compares with SPEC.md)
// and no code.

internal import CSluice
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// The content of an answered slot.
@safe
struct RawAnswer {
  let slot: sluice_slot
  /// Where the payload is, as it was posted; the slot gives its length.
  let payload: UnsafeRawPointer
  /// Whether `operation`, `file` and `payload_offset` are as they were posted, and `sequence` is
  /// the complement of the posted one.
  let isLeftAlone: Bool
  /// The arguments, where they do not fit into the slot.
  fileprivate let area: UnsafeRawBufferPointer
  fileprivate let order: ByteOrder

  /// Nil where the number is no status of this protocol.
  var status: Status? { Status(rawValue: slot.return_code) }

  /// The results; nil where they are not those of such a message.
  func decoded<M: Message>(as type: M.Type) -> M? {
    let byteCount = Int(slot.argument_byte_count)
    if byteCount <= Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT) {
      return unsafe withUnsafeBytes(of: slot.arguments) { inline in
        unsafe try? M(
          decoding: UnsafeRawBufferPointer(rebasing: inline[..<byteCount]), order: order)
      }
    }
    guard unsafe byteCount <= area.count else { return nil }
    return unsafe try? M(
      decoding: UnsafeRawBufferPointer(rebasing: area[..<byteCount]), order: order)
  }
}

extension Status? {
  /// The status as reports name it.
  var wording: String { map { "\($0)" } ?? "an unknown status" }
}

/// Confined to one thread, except for the memory: a second thread may scribble on it.
@safe
final class RawChannel {
  typealias Word = UnsafePointer<Atomic<UInt32>>

  let number: UInt32
  let facts: sluice_facts
  private let control: Mapping
  private let io: Mapping
  private let order: ByteOrder
  /// The numbers of the last request posted and of the last answer taken. The first request has 1.
  private(set) var submitted: UInt32 = 0
  private var taken: UInt32 = 0
  private let answered = Atomic<UInt32>(0)
  private var payloadEnd = 0
  /// The request that was posted in each slot.
  private var posted: [(code: UInt16, file: UInt64, place: UInt32)]

  /// The time after which a missing answer means that the sidecar hangs.
  static let answerNanosecondsMaximum: Int64 = 30_000_000_000

  /// Maps the regions of a channel. Throws what is wrong with them.
  init(
    number: UInt32, control controlDescriptor: borrowing FileDescriptor,
    io ioDescriptor: borrowing FileDescriptor
  ) throws(HarnessError) {
    self.number = number
    let byteCount = Int(
      try needed("control region") { () throws(Errno) in try controlDescriptor.status().byteCount })
    guard byteCount >= 4096, controlDescriptor.isSealedMemory(byteCount: byteCount) else {
      throw .difference("the control region is no sealed memory")
    }
    let control = try needed("control region") { () throws(Errno) in
      try Mapping(controlDescriptor, byteCount: byteCount)
    }
    facts = unsafe control.start.loadUnaligned(as: sluice_facts.self)
    self.control = control
    if let wrong = RawChannel.contradiction(in: facts, controlByteCount: byteCount) {
      throw .difference("facts: \(wrong)")
    }
    let ioByteCount = Int(facts.io_byte_count)
    guard ioDescriptor.isSealedMemory(byteCount: ioByteCount) else {
      throw .difference("the I/O region is no sealed memory of io_byte_count bytes")
    }
    io = try needed("I/O region") { () throws(Errno) in
      try Mapping(ioDescriptor, byteCount: ioByteCount)
    }
    posted = Array(repeating: (0, 0, 0), count: Int(facts.slot_count))
    order = facts.byte_order == UInt32(SLUICE_BIG_ENDIAN_ARGUMENTS) ? .bigEndian : .littleEndian
  }

  /// The rules of SPEC.md's tables of facts and shape limits.
  private static func contradiction(in facts: sluice_facts, controlByteCount: Int) -> String? {
    func pages(_ count: Int) -> Int { (count + 4095) / 4096 * 4096 }
    let slots = Int(facts.slot_count)
    guard facts.magic == sluice_magic, facts.version == UInt32(SLUICE_PROTOCOL_VERSION) else {
      return "magic or version"
    }
    guard facts.byte_order == 1 || facts.byte_order == 2 else { return "byte_order" }
    guard (2...4096).contains(slots), slots & (slots - 1) == 0 else { return "slot_count" }
    guard (64...65536).contains(facts.argument_area_byte_count),
      (131_072...1 << 30).contains(facts.payload_byte_count)
    else { return "argument_area_byte_count or payload_byte_count" }
    let controlLine = MemoryLayout<sluice_control>.size
    guard Int(facts.slot_byte_count) == MemoryLayout<sluice_slot>.size,
      Int(facts.slots_offset) == controlLine
    else { return "slots" }
    guard
      Int(facts.control_byte_count) == pages(controlLine + MemoryLayout<sluice_slot>.size * slots),
      Int(facts.control_byte_count) == controlByteCount
    else { return "control_byte_count" }
    guard Int(facts.payload_offset) == pages(slots * Int(facts.argument_area_byte_count)),
      Int(facts.io_byte_count) == Int(facts.payload_offset) + Int(facts.payload_byte_count)
    else { return "payload_offset or io_byte_count" }
    return nil
  }

  // MARK: The memory

  private var header: UnsafeMutablePointer<sluice_control> {
    unsafe control.start.assumingMemoryBound(to: sluice_control.self)
  }

  private func word(_ address: UnsafeMutablePointer<UInt32>) -> Word {
    unsafe Word(UnsafeRawPointer(address).assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  var sleepsWord: Word { unsafe word(sluice_client_sleeps(header)) }
  private var awaitsWord: Word { unsafe word(sluice_client_awaits(header)) }
  var proxySleepsWord: Word { unsafe word(sluice_proxy_sleeps(header)) }

  /// The standing locks. This is the client's side of the word as SPEC.md has it, written anew for
  /// the harness.
  private var standingWord: UnsafePointer<Atomic<UInt64>> {
    unsafe UnsafePointer(
      UnsafeRawPointer(sluice_standing_locks(header))
        .assumingMemoryBound(to: Atomic<UInt64>.self))
  }

  /// Takes an unused standing lock without a request; false where a request is needed.
  func takeStanding(lock: Int, alone: Bool) -> Bool {
    let use = bit(lock, SLUICE_STANDING_USED_SHIFT)
    let useAlone = bit(lock, SLUICE_STANDING_USED_ALONE_SHIFT)
    let grantedAlone = alone ? bit(lock, SLUICE_STANDING_ALONE_SHIFT) : 0
    return changeStanding(
      lock, isUsed: false, needing: grantedAlone, to: alone ? use | useAlone : use)
  }

  /// Gives back a lock that is used and not wanted. The lock stands on.
  func giveBackStanding(lock: Int) -> Bool {
    changeStanding(lock, isUsed: true, needing: 0, to: 0)
  }

  private func bit(_ lock: Int, _ shift: Int32) -> UInt64 { 1 << UInt64(lock + Int(shift)) }

  private func changeStanding(
    _ lock: Int, isUsed: Bool, needing more: UInt64, to use: UInt64
  ) -> Bool {
    let granted = bit(lock, SLUICE_STANDING_GRANTED_SHIFT)
    let used = bit(lock, SLUICE_STANDING_USED_SHIFT)
    let usedAlone = bit(lock, SLUICE_STANDING_USED_ALONE_SHIFT)
    let wanted = bit(lock, SLUICE_STANDING_WANTED_SHIFT)
    var present = unsafe standingWord.pointee.load(ordering: .acquiring)
    while present & (granted | used | wanted | more) == granted | more | (isUsed ? used : 0) {
      // SYNC standing
      let (exchanged, original) = unsafe standingWord.pointee.compareExchange(
        expected: present, desired: present & ~(used | usedAlone) | use,
        ordering: .sequentiallyConsistent)
      if exchanged { return true }
      present = original
    }
    return false
  }

  private func index(_ number: UInt32) -> Int { Int(number & (facts.slot_count - 1)) }

  /// The slot of request `number`.
  func slot(_ number: UInt32) -> UnsafeMutablePointer<sluice_slot> {
    unsafe (control.start + Int(facts.slots_offset)).assumingMemoryBound(to: sluice_slot.self)
      + index(number)
  }

  func sequenceWord(_ number: UInt32) -> Word { unsafe word(sluice_sequence(slot(number))) }

  func area(_ number: UInt32) -> UnsafeMutableRawBufferPointer {
    let byteCount = Int(facts.argument_area_byte_count)
    return unsafe UnsafeMutableRawBufferPointer(
      start: io.start + index(number) * byteCount, count: byteCount)
  }

  /// The last request that was answered, as the slots say: for a caller that keeps no count, or has
  /// spoiled it. Any thread.
  func lastAnswered() -> UInt32 {
    let before = answered.load(ordering: .relaxed)
    for ahead in (1...facts.slot_count).reversed() {
      let number = before &+ ahead
      if unsafe sequenceWord(number).pointee.load(ordering: .relaxed) == ~number {
        answered.store(number, ordering: .relaxed)
        return number
      }
    }
    return before
  }

  /// Both regions whole, for hostile sessions.
  var controlBytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: control.start, count: control.byteCount)
  }
  var ioBytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: io.start, count: io.byteCount)
  }

  // MARK: Requests

  /// Whether another request fits beside those under way.
  func hasRoom(payloadByteCount: Int) -> Bool {
    submitted &- taken < facts.slot_count
      && payloadEnd + payloadByteCount <= Int(facts.payload_byte_count)
  }

  var hasRequests: Bool { submitted != taken }

  /// Where the payload of the next request goes.
  var nextPayload: UnsafeMutableRawPointer {
    unsafe io.start + Int(facts.payload_offset) + payloadEnd
  }

  /// Posts one request. Its payload is at `nextPayload` already.
  @inline(__always)
  func post<M: Message>(
    code: UInt16, file: UInt64, flags: UInt16 = 0, _ arguments: M, payloadByteCount: Int = 0
  ) {
    fill(
      code: code, file: file, flags: flags, arguments, payloadByteCount: payloadByteCount)
    handOver()
  }

  /// Fills the next slot. The sidecar does not look at it before it is handed over.
  @inline(__always)
  func fill<M: Message>(
    code: UInt16, file: UInt64, flags: UInt16 = 0, _ arguments: M, payloadByteCount: Int = 0
  ) {
    precondition(hasRoom(payloadByteCount: payloadByteCount), "answers are taken before")
    let number = submitted &+ 1
    var slot = sluice_slot()
    slot.operation = code
    slot.flags = flags
    slot.sequence = ~(number &- facts.slot_count)  // the present value
    slot.file = file
    slot.payload_offset = UInt32(payloadEnd)
    slot.payload_byte_count = UInt32(payloadByteCount)
    do throws(WireError) {
      slot.argument_byte_count = try unsafe UInt32(
        encode(arguments, into: &slot, area(number)))
    } catch {
      preconditionFailure("the model's arguments can be written: \(error)")
    }
    posted[index(number)] = (code, file, UInt32(payloadEnd))
    payloadEnd += (payloadByteCount + 63) / 64 * 64
    unsafe self.slot(number).pointee = slot
  }

  /// Hands over the filled slot.
  @inline(__always)
  func handOver() {
    let number = submitted &+ 1
    submitted = number
    // SYNC request, nap
    unsafe sequenceWord(number).pointee.store(number, ordering: .sequentiallyConsistent)
    if unsafe proxySleepsWord.pointee.load(ordering: .sequentiallyConsistent) != 0 {
      unsafe Futex.wake(sequenceWord(number))
    }
  }

  @inline(__always)
  private func encode<M: Message>(
    _ arguments: M, into slot: inout sluice_slot, _ area: UnsafeMutableRawBufferPointer
  ) throws(WireError) -> Int {
    try unsafe withUnsafeMutableBytes(of: &slot.arguments) { (inline) throws(WireError) in
      do throws(WireError) {
        return try unsafe arguments.encode(into: inline, order: order)
      } catch .tooLong {
        return try unsafe arguments.encode(into: area, order: order)
      }
    }
  }

  /// Waits until every posted request is answered.
  func awaitAnswers(_ socket: borrowing FileDescriptor) throws(HarnessError) {
    if !hasRequests { return }
    for _ in 0..<4_000 {
      // SYNC answer
      if unsafe sequenceWord(submitted).pointee.load(ordering: .acquiring) == ~submitted { return }
      spinHint()
    }
    try sleepUntilAnswered(socket)
  }

  private func sleepUntilAnswered(_ socket: borrowing FileDescriptor) throws(HarnessError) {
    let deadline = Clock.monotonicNanoseconds() + RawChannel.answerNanosecondsMaximum
    unsafe awaitsWord.pointee.store(submitted, ordering: .relaxed)
    unsafe sleepsWord.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
    defer { unsafe sleepsWord.pointee.store(0, ordering: .relaxed) }
    while true {
      let word = unsafe sequenceWord(submitted)
      let sequence = unsafe word.pointee.load(ordering: .sequentiallyConsistent)
      if sequence == ~submitted { return }
      guard sequence == submitted else {
        throw .difference("the sequence of request \(submitted) is \(sequence)")
      }
      unsafe Futex.wait(word, while: sequence, timeoutNanoseconds: 100_000_000)
      if unsafe word.pointee.load(ordering: .acquiring) != sequence { continue }
      if socket.peerIsGone() { throw .difference("the sidecar has ended the session") }
      if Clock.monotonicNanoseconds() >= deadline {
        throw .difference(
          "no answer within \(RawChannel.answerNanosecondsMaximum / 1_000_000_000) s")
      }
    }
  }

  /// The oldest answer that was not taken yet. There must be one.
  @inline(__always)
  func takeAnswer() -> RawAnswer {
    precondition(hasRequests, "an answer for each request")
    taken &+= 1
    let slot = unsafe sluice_slot_copy(self.slot(taken))
    let posted = posted[index(taken)]
    let answer = unsafe RawAnswer(
      slot: slot,
      payload: UnsafeRawPointer(io.start + Int(facts.payload_offset) + Int(posted.place)),
      isLeftAlone: slot.operation == posted.code && slot.sequence == ~taken
        && slot.file == posted.file && slot.payload_offset == posted.place,
      area: UnsafeRawBufferPointer(area(taken)), order: order)
    if !hasRequests { payloadEnd = 0 }
    return answer
  }
}
