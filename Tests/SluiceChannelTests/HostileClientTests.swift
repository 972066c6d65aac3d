// A client that lies. Whatever stands in the regions, the proxy's end says which rule was broken,
// and never reads or writes beyond what it checked.

import CSluice
import SluiceChannel
import SluiceWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct HostileClientTests {
  private let channel: TestChannel
  private let proxy: ProxyEnd

  init() throws {
    channel = try TestChannel(.small(slotCount: 4))
    proxy = try channel.proxyEnd()
  }

  /// Posts `slot` as the only request.
  private func post(_ slot: sluice_slot) {
    channel.view[slot: 0] = slot
    channel.view.submitted = 1
  }

  private func violation<R>(of body: () throws(ProtocolViolation) -> R) -> ProtocolViolation? {
    do throws(ProtocolViolation) {
      _ = try body()
      return nil
    } catch {
      return error
    }
  }

  private var nextViolation: ProtocolViolation? {
    violation { () throws(ProtocolViolation) in _ = try proxy.nextRequest() }
  }

  @Test func aFullRingIsServedInOrder() throws {
    for sequence in 0..<UInt32(4) {
      channel.view[slot: Int(sequence)] = sluice_slot(.sync, sequence: sequence)
      channel.view[slot: Int(sequence)].file = UInt64(sequence)
    }
    channel.view.submitted = 4
    for sequence in 0..<UInt64(4) {
      #expect(proxy.hasRequest)
      #expect(try proxy.nextRequest()?.file == sequence)
      proxy.complete(.done)
    }
    #expect(!proxy.hasRequest)
    #expect(channel.view.completed == 4)
  }

  @Test(arguments: [5, 6, 1 << 31, UInt32.max])
  func moreRequestsThanSlotsAreACounterViolation(submitted: UInt32) {
    channel.view.submitted = submitted
    #expect(nextViolation == .counter)
    #expect(nextViolation == .counter, "and remain one")
  }

  @Test func aCounterThatGoesBackIsAViolation() throws {
    post(sluice_slot(.nothing, sequence: 0))
    _ = try proxy.nextRequest()
    proxy.complete(.done)
    channel.view.submitted = 0
    #expect(nextViolation == .counter)
  }

  @Test(arguments: [1, 4, UInt32.max])
  func aSlotOfAnotherTurnIsASequenceViolation(sequence: UInt32) {
    post(sluice_slot(.nothing, sequence: sequence))
    #expect(nextViolation == .sequence)
  }

  @Test func aSlotLeftFromTheRoundBeforeIsASequenceViolation() throws {
    for sequence in 0..<UInt32(4) {
      channel.view[slot: Int(sequence)] = sluice_slot(.nothing, sequence: sequence)
      channel.view.submitted = sequence + 1
      _ = try proxy.nextRequest()
      proxy.complete(.done)
    }
    channel.view.submitted = 5
    #expect(nextViolation == .sequence)
  }

  @Test(arguments: [1153, 65_536, UInt32.max])
  func argumentsLongerThanTheirAreaAreAViolation(byteCount: UInt32) {
    var slot = sluice_slot(.fullPathname, sequence: 0)
    slot.argument_byte_count = byteCount
    post(slot)
    #expect(nextViolation == .argumentLength)
  }

  @Test(arguments: [
    (UInt32(0), UInt32(65_537)), (0, .max), (131_071, 2), (131_072, 1), (.max, 1), (.max, .max),
    (65_537, 65_536),
  ])
  func aPayloadOutsideTheRingIsAViolation(offset: UInt32, byteCount: UInt32) {
    var slot = sluice_slot(.write, sequence: 0)
    slot.payload_offset = offset
    slot.payload_byte_count = byteCount
    post(slot)
    #expect(nextViolation == .payloadRange)
  }

  @Test(arguments: [(UInt32(0), UInt32(65_536)), (65_536, 65_536), (131_071, 1), (131_072, 0)])
  func aPayloadAnywhereWithinTheRingIsServed(offset: UInt32, byteCount: UInt32) throws {
    let bytes = (0..<Int(byteCount)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    channel.view.setPayload(at: Int(offset), bytes)
    var slot = sluice_slot(.write, sequence: 0)
    slot.payload_offset = offset
    slot.payload_byte_count = byteCount
    post(slot)
    let request = try #require(try proxy.nextRequest())
    #expect(unsafe request.payload.elementsEqual(bytes))
  }

  @Test func aCodeOfNoOperationIsARequestWithoutOperation() throws {
    for code in [UInt16(0x0003), 0x00FF, 0x0100, .max] {
      let sequence = channel.view.completed
      var slot = sluice_slot(.nothing, sequence: sequence)
      slot.operation = code
      channel.view[slot: Int(sequence) % 4] = slot
      channel.view.submitted = sequence + 1
      let request = try #require(try proxy.nextRequest())
      #expect(request.operation == nil)
      proxy.complete(.unknownOperation)
      #expect(
        channel.view[slot: Int(sequence) % 4].return_code == Status.unknownOperation.rawValue)
    }
  }

  @Test(
    arguments: [
      [], [0], [1, 2], [1, 18] + Array(repeating: UInt8(0), count: 8), [2, 2, 2],
      [1, 2, 0, 0, 0, 0, 0, 0, 0, 0x80], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], [255],
    ] as [[UInt8]])
  func argumentsOfAnotherMessageAreAViolation(bytes: [UInt8]) throws {
    var slot = sluice_slot(.read, sequence: 0)
    slot.setInlineArguments(bytes)
    post(slot)
    let request = try #require(try proxy.nextRequest())
    let found = violation { () throws(ProtocolViolation) in
      try proxy.arguments(of: request, as: OffsetFields.self)
    }
    #expect(found == .arguments)
  }

  @Test(arguments: SluiceWire.Operation.allCases.filter(\.hasNoArguments))
  func aRequestWithoutArgumentsIsTheEmptyListAndNothingElse(
    operation: SluiceWire.Operation
  ) throws {
    let requests: [(bytes: [UInt8], isSound: Bool)] = [
      ([0], true), ([], false), ([0, 0], false), ([1, 16], false), ([1, 3, 1, 0, 0, 0], false),
      ([255], false),
    ]
    for (bytes, isSound) in requests {
      let channel = try TestChannel(.small(slotCount: 1))
      let proxy = try channel.proxyEnd()
      var slot = sluice_slot(operation, sequence: 0)
      slot.setInlineArguments(bytes)
      channel.view[slot: 0] = slot
      channel.view.submitted = 1
      let request = try #require(try proxy.nextRequest())
      let found = violation { () throws(ProtocolViolation) in
        try proxy.arguments(of: request, as: NoFields.self)
      }
      #expect(found == (isSound ? nil : .arguments), "\(bytes)")
    }
  }

  @Test func longArgumentsOfAnotherMessageAreAViolation() throws {
    var slot = sluice_slot(.fullPathname, sequence: 0)
    slot.argument_byte_count = 1152
    channel.view.setArgumentArea(0, [1, 17, 0xFF, 0xFF, 0xFF, 0x7F])
    post(slot)
    let request = try #require(try proxy.nextRequest())
    let found = violation { () throws(ProtocolViolation) in
      try proxy.arguments(of: request, as: PathFields.self)
    }
    #expect(found == .arguments)
  }

  @Test func whatChangesAfterTheCopyChangesNothing() throws {
    var slot = sluice_slot(.read, sequence: 0)
    slot.file = 7
    slot.payload_byte_count = 16
    slot.setInlineArguments([1, 2, 5, 0, 0, 0, 0, 0, 0, 0])
    post(slot)
    let request = try #require(try proxy.nextRequest())

    var changed = sluice_slot(.close, sequence: 99)
    changed.file = 8
    changed.payload_offset = .max
    changed.payload_byte_count = .max
    changed.setInlineArguments([1, 2, 6, 0, 0, 0, 0, 0, 0, 0])
    changed.argument_byte_count = .max
    channel.view[slot: 0] = changed

    #expect(request.operation == .read)
    #expect(request.file == 7)
    #expect(unsafe request.payload.count == 16)
    #expect(try proxy.arguments(of: request, as: OffsetFields.self).offset == 5)
    proxy.complete(.done)
    #expect(channel.view.completed == 1)
  }

  @Test func randomSlotsAreServedOrRefusedButNeverTrap() throws {
    var random = SeededRandom(for: "randomSlotsAreServedOrRefusedButNeverTrap")
    var seen: Set<ProtocolViolation> = []
    var servedCount = 0
    for _ in 0..<20_000 {
      let completed = channel.view.completed
      channel.view[slot: Int(completed % 4)] = randomSlot(completed, &random)
      let isHonest = Int.random(in: 0..<8, using: &random) > 0
      channel.view.submitted =
        isHonest ? completed &+ 1 : UInt32.random(in: 0...UInt32.max, using: &random)
      do throws(ProtocolViolation) {
        guard let request = try proxy.nextRequest() else { continue }
        switch request.operation {
        case .open: _ = try proxy.arguments(of: request, as: OpenRequest.self)
        case .fullPathname, .delete: _ = try proxy.arguments(of: request, as: PathFields.self)
        default: _ = try proxy.arguments(of: request, as: OffsetFields.self)
        }
        servedCount += 1
        proxy.complete(.done)
      } catch {
        seen.insert(error)
      }
    }
    #expect(seen == [.counter, .sequence, .argumentLength, .payloadRange, .arguments])
    #expect(servedCount > 100, "some were honest enough")
  }

  private func randomSlot(_ sequence: UInt32, _ random: inout SeededRandom) -> sluice_slot {
    func wild(_ likely: UInt32) -> UInt32 {
      if Int.random(in: 0..<8, using: &random) > 0 {
        return likely == 0 ? 0 : UInt32.random(in: 0...likely, using: &random)
      }
      return UInt32(truncatingIfNeeded: random.next() >> UInt64.random(in: 32...63, using: &random))
    }
    let operation = SluiceWire.Operation.allCases.randomElement(using: &random)!
    var slot = sluice_slot(
      operation, sequence: Int.random(in: 0..<16, using: &random) > 0 ? sequence : wild(8))
    slot.flags = UInt16(truncatingIfNeeded: random.next())
    slot.payload_offset = wild(65_536)
    slot.payload_byte_count = wild(65_536)
    let honest: [UInt8] = [1, 2] + (0..<8).map { _ in UInt8(wild(127) & 0x7F) }
    let bytes = Bool.random(using: &random) ? honest : honest.map { $0 ^ UInt8(wild(3) & 0xFF) }
    slot.setInlineArguments(bytes)
    if Int.random(in: 0..<4, using: &random) == 0 { slot.argument_byte_count = wild(1152) }
    return slot
  }
}
