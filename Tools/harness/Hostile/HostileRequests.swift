// Requests that are nearly right: every operation with readable arguments, whose values are limits
// of some kind, and with paths to forbidden places. Now and then a few bytes are spoiled.

internal import CSluice
internal import SluiceWire

@safe
struct HostileRequests {
  var words: HostileWords
  /// Paths that lead out of the root, or nowhere.
  let badPaths: [[UInt8]]
  /// The hostile session's own names.
  let ownNames: [[UInt8]]

  static let wordsOfSlot = 16

  /// Writes request `number`. Against the rules, the sequence that hands it over is stored together
  /// with the rest. Returns how many words that took.
  mutating func write(
    on channel: RawChannel, number: UInt32, files: [UInt64]
  ) -> Int {
    let operation = Operation.allCases[words.random.below(Operation.allCases.count)]
    var slot = sluice_slot()
    slot.operation = operation.rawValue
    slot.sequence = number
    slot.file = file(files)
    slot.payload_byte_count = payload(of: operation)
    slot.payload_offset = UInt32(words.random.below(196_608))
    var count = HostileRequests.wordsOfSlot
    unsafe withUnsafeMutableBytes(of: &slot.arguments) { inline in
      let area = unsafe channel.area(number)
      let room = unsafe UnsafeMutableRawBufferPointer(
        rebasing: area[..<min(area.count, 1152)])
      // Inline where it fits, and often in the area too.
      let written = unsafe encode(operation, into: room)
      slot.argument_byte_count = UInt32(written)
      if written <= inline.count {
        unsafe inline.copyMemory(from: UnsafeRawBufferPointer(rebasing: room[..<written]))
      }
      count += (written + 3) / 4
    }
    if words.random.once(in: 12) { spoil(&slot, near: number) }
    unsafe channel.slot(number).pointee = slot
    return count
  }

  private mutating func file(_ files: [UInt64]) -> UInt64 {
    if files.isEmpty || words.random.once(in: 6) { return words.longNumber() }
    return files[words.random.below(files.count)]
  }

  private mutating func payload(of operation: Operation) -> UInt32 {
    guard operation == .read || operation == .write || words.random.once(in: 20) else { return 0 }
    return UInt32(words.random.once(in: 30) ? 65_536 : words.random.below(4097))
  }

  private mutating func spoil(_ slot: inout sluice_slot, near number: UInt32) {
    let value = words.number(near: number)
    switch words.random.below(8) {
    case 0: slot.operation = UInt16(truncatingIfNeeded: value)
    case 1: slot.flags = UInt16(truncatingIfNeeded: value)
    case 2: slot.sequence = value
    case 3: slot.payload_offset = value
    case 4: slot.payload_byte_count = value
    case 5: slot.argument_byte_count = value
    case 6: slot.return_code = Int32(bitPattern: value)
    default: slot.file = words.longNumber()
    }
  }

  // MARK: Arguments

  private mutating func encode(
    _ operation: Operation, into room: UnsafeMutableRawBufferPointer
  ) -> Int {
    let offset = Int64(bitPattern: words.longNumber() >> 1)
    let draw = words.random.below(16)
    switch operation {
    case .read, .write, .truncate, .allocate:
      // Mostly where files may reach: the sidecar refuses a write far out at once.
      let near = Int64(words.random.below(1 << 20))
      return unsafe put(OffsetFields(offset: draw < 12 ? near : offset), room)
    case .lock, .unlock: return unsafe put(LockFields(level: LockLevel.allCases[draw % 5]), room)
    case .open: return unsafe put(openRequest(), room)
    case .delete: return unsafe put(DeleteRequest(path: path(), syncDirectory: draw == 0), room)
    case .access:
      return unsafe put(AccessRequest(path: path(), mode: AccessMode.allCases[draw % 3]), room)
    case .fullPathname: return unsafe put(PathFields(path: path()), room)
    case .channelClose: return unsafe put(ChannelFields(channel: UInt64(draw)), room)
    case .walIndexMap:
      return unsafe put(
        WALIndexMapRequest(
          byteCount: draw < 8 ? Int64(draw) * 4096 : offset & (1 << 40 - 1), extends: draw & 1 == 0,
          isReadOnly: draw == 3, wantsDescriptor: draw == 5), room)
    case .walIndexLock:
      let first = UInt64(draw % 8)
      let count = 1 + UInt64(words.random.below(8 - Int(first)))
      return unsafe put(
        WALIndexLockRequest(
          first: first, count: count, kind: WALLockKind.allCases[words.random.below(3)]), room)
    case .lockAwait:
      let lock = AwaitedLock(code: [1, 2, 4, 0x101, 0x201, 0x2ff][draw % 6])!
      return unsafe put(LockAwaitRequest(lock: lock, milliseconds: UInt64(draw)), room)
    case .walIndexUnmap: return unsafe put(WALIndexUnmapRequest(deletes: draw & 1 == 0), room)
    default: return unsafe put(NoFields(), room)
    }
  }

  private func put<M: Message>(_ message: M, _ room: UnsafeMutableRawBufferPointer) -> Int {
    // Arguments that cannot be encoded are sent as far as they were written.
    (try? unsafe message.encode(into: room, order: .littleEndian)) ?? 7
  }

  private mutating func openRequest() -> OpenRequest {
    OpenRequest(
      path: words.random.once(in: 8) ? nil : path(),
      kind: FileKind.allCases[words.random.below(5)],
      options: OpenOptions(rawValue: UInt64(words.random.below(128))),
      implicitLockMilliseconds: [-1, 0, 1, 3_600_000][words.random.below(4)])
  }

  mutating func path() -> [UInt8] {
    if !words.random.once(in: 3) { return ownNames[words.random.below(ownNames.count)] }
    var path = badPaths[words.random.below(badPaths.count)]
    switch words.random.below(8) {
    case 0: path = Array(repeating: UInt8(ascii: "/"), count: words.random.below(40)) + path
    case 1: path += Array("/../".utf8)
    case 2: path = Array(repeating: UInt8(ascii: "a"), count: 900 + words.random.below(130))
    case 3: path = [0]
    case 4: path = []
    default: break
    }
    return path
  }
}
