// A client that lies. Whatever it writes into the regions, the proxy's end reports which rule was
// broken, and never reads or writes beyond the checked bounds.

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

  /// Posts `slot` as the first request.
  private func post(_ slot: sluice_slot) { channel.view[request: 1] = slot }

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
    for number in UInt32(1)...4 {
      channel.view[request: number] = sluice_slot(.sync, number: number)
      channel.view[request: number].file = UInt64(number)
    }
    for number in UInt64(1)...4 {
      #expect(proxy.hasRequest)
      #expect(try proxy.nextRequest()?.file == number)
      proxy.complete(.done)
    }
    #expect(!proxy.hasRequest)
    #expect(channel.view.completed == 4)
  }

  @Test(arguments: [0, 2, 5, 1 << 31, UInt32.max, ~1])
  func aSlotOfAnotherTurnIsNoRequest(number: UInt32) throws {
    post(sluice_slot(.nothing, number: number))
    #expect(!proxy.hasRequest)
    #expect(try proxy.nextRequest() == nil)
    post(sluice_slot(.nothing))
    #expect(try proxy.nextRequest() != nil, "its turn still comes")
  }

  @Test func aRequestAheadOfItsTurnWaitsForThoseBefore() throws {
    channel.view[request: 2] = sluice_slot(.sync, number: 2)
    #expect(try proxy.nextRequest() == nil)
    channel.view[request: 1] = sluice_slot(.nothing, number: 1)
    #expect(try proxy.nextRequest()?.operation == .nothing)
    proxy.complete(.done)
    #expect(try proxy.nextRequest()?.operation == .sync)
  }

  /// If such a watch said no, a reactor would never see another request of that channel.
  @Test func aLookFromBeforeARequestWasCompletedSaysYes() throws {
    let before = proxy.watch
    #expect(!before.hasRequest)
    post(sluice_slot(.nothing))
    let during = proxy.watch
    #expect(before.hasRequest && during.hasRequest)
    _ = try proxy.nextRequest()
    proxy.complete(.done)
    #expect(before.hasRequest && during.hasRequest)
    #expect(!proxy.watch.hasRequest)
  }

  @Test func aLookAtNonsenseSaysNoUntilThatChanges() {
    channel.view[request: 1].sequence = 0xDEAD
    let watch = proxy.watch
    #expect(!watch.hasRequest)
    post(sluice_slot(.nothing))
    #expect(watch.hasRequest)
  }

  @Test func whatIsAnsweredIsNotDoneAgain() throws {
    for number in UInt32(1)...5 {
      channel.view[request: number] = sluice_slot(.nothing, number: number)
      _ = try proxy.nextRequest()
      proxy.complete(.done)
      #expect(channel.view[request: number].sequence == ~number)
    }
    #expect(try proxy.nextRequest() == nil, "a request of the round before is not taken again")
    channel.view[request: 5] = sluice_slot(.nothing, number: 5)
    #expect(try proxy.nextRequest() == nil)
  }

  @Test(arguments: [1153, 65_536, UInt32.max])
  func argumentsLongerThanTheirAreaAreAViolation(byteCount: UInt32) {
    var slot = sluice_slot(.fullPathname)
    slot.argument_byte_count = byteCount
    post(slot)
    #expect(nextViolation == .argumentLength)
  }

  @Test(arguments: [
    (UInt32(0), UInt32(65_537)), (0, .max), (131_071, 2), (131_072, 1), (.max, 1), (.max, .max),
    (65_537, 65_536),
  ])
  func aPayloadOutsideTheRingIsAViolation(offset: UInt32, byteCount: UInt32) {
    var slot = sluice_slot(.write)
    slot.payload_offset = offset
    slot.payload_byte_count = byteCount
    post(slot)
    #expect(nextViolation == .payloadRange)
  }

  @Test(arguments: [(UInt32(0), UInt32(65_536)), (65_536, 65_536), (131_071, 1), (131_072, 0)])
  func aPayloadAnywhereWithinTheRingIsServed(offset: UInt32, byteCount: UInt32) throws {
    let bytes = (0..<Int(byteCount)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    channel.view.setPayload(at: Int(offset), bytes)
    var slot = sluice_slot(.write)
    slot.payload_offset = offset
    slot.payload_byte_count = byteCount
    post(slot)
    let request = try #require(try proxy.nextRequest())
    #expect(unsafe request.payload.elementsEqual(bytes))
  }

  @Test func aCodeOfNoOperationIsARequestWithoutOperation() throws {
    for code in [UInt16(0x0003), 0x00FF, 0x0100, .max] {
      let number = channel.view.completed + 1
      var slot = sluice_slot(.nothing, number: number)
      slot.operation = code
      channel.view[request: number] = slot
      let request = try #require(try proxy.nextRequest())
      #expect(request.operation == nil)
      proxy.complete(.unknownOperation)
      #expect(
        channel.view[request: number].return_code == Status.unknownOperation.rawValue)
    }
  }

  @Test(
    arguments: [
      [], [0], [1, 2], [1, 18] + Array(repeating: UInt8(0), count: 8), [2, 2, 2],
      [1, 2, 0, 0, 0, 0, 0, 0, 0, 0x80], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], [255],
    ] as [[UInt8]])
  func argumentsOfAnotherMessageAreAViolation(bytes: [UInt8]) throws {
    var slot = sluice_slot(.read)
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
      let channel = try TestChannel(.small(slotCount: 2))
      let proxy = try channel.proxyEnd()
      var slot = sluice_slot(operation)
      slot.setInlineArguments(bytes)
      channel.view[request: 1] = slot
      let request = try #require(try proxy.nextRequest())
      let found = violation { () throws(ProtocolViolation) in
        try proxy.arguments(of: request, as: NoFields.self)
      }
      #expect(found == (isSound ? nil : .arguments), "\(bytes)")
    }
  }

  @Test func longArgumentsOfAnotherMessageAreAViolation() throws {
    var slot = sluice_slot(.fullPathname)
    slot.argument_byte_count = 1152
    channel.view.setArgumentArea(1, [1, 17, 0xFF, 0xFF, 0xFF, 0x7F])
    post(slot)
    let request = try #require(try proxy.nextRequest())
    let found = violation { () throws(ProtocolViolation) in
      try proxy.arguments(of: request, as: PathFields.self)
    }
    #expect(found == .arguments)
  }

  @Test func whatChangesAfterTheCopyChangesNothing() throws {
    var slot = sluice_slot(.read)
    slot.file = 7
    slot.payload_byte_count = 16
    slot.setInlineArguments([1, 2, 5, 0, 0, 0, 0, 0, 0, 0])
    post(slot)
    let request = try #require(try proxy.nextRequest())

    var changed = sluice_slot(.close, number: 99)
    changed.file = 8
    changed.payload_offset = .max
    changed.payload_byte_count = .max
    changed.setInlineArguments([1, 2, 6, 0, 0, 0, 0, 0, 0, 0])
    changed.argument_byte_count = .max
    channel.view[request: 1] = changed

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
    var servedCount: UInt32 = 0
    var passedOverCount = 0
    for _ in 0..<20_000 {
      let number = servedCount + 1
      channel.view[request: number] = randomSlot(number, &random)
      do throws(ProtocolViolation) {
        guard let request = try proxy.nextRequest() else {
          passedOverCount += 1
          continue
        }
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
    #expect(seen == [.argumentLength, .payloadRange, .arguments])
    #expect(passedOverCount > 100, "some were not handed over")
    #expect(servedCount > 100, "some were honest")
  }

  private func randomSlot(_ number: UInt32, _ random: inout SeededRandom) -> sluice_slot {
    func wild(_ likely: UInt32) -> UInt32 {
      if Int.random(in: 0..<8, using: &random) > 0 {
        return likely == 0 ? 0 : UInt32.random(in: 0...likely, using: &random)
      }
      return UInt32(truncatingIfNeeded: random.next() >> UInt64.random(in: 32...63, using: &random))
    }
    let operation = SluiceWire.Operation.allCases.randomElement(using: &random)!
    var slot = sluice_slot(
      operation, number: Int.random(in: 0..<16, using: &random) > 0 ? number : wild(8))
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
