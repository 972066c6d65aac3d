// Several requests of one client at a time: their ranges, their order, and how one is interrupted.

import CSluice
import SluiceChannel
import SluiceSystem
import SluiceWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct RequestRingTests {
  private let channel: TestChannel

  init() throws { channel = try TestChannel(.small(slotCount: 8)) }

  private func answer(_ number: UInt32, in ring: inout RequestRing) throws -> PlacedAnswer {
    try ring.answer(to: number, stuckNanoseconds: watchdogNanoseconds) { false }
  }

  private func submit(
    _ ring: inout RequestRing, room: Int, _ mark: UInt8 = 0
  ) throws -> UInt32? {
    try unsafe ring.submit(.sqlReset, file: 0, NoFields(), room: room) {
      unsafe $0.initializeMemory(as: UInt8.self, repeating: mark)
    }
  }

  @Test func rangesUnderWayNeverMeet() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMixForRing(seed)
    var ring = RequestRing(try channel.attach())
    let proxy = try channel.proxyEnd()
    // By number: the range, its mark, and whether it was answered.
    var underWay: [(number: UInt32, range: Range<Int>, mark: UInt8, isAnswered: Bool)] = []
    var refusals = 0
    for step in 0..<20_000 {
      switch random.below(3) {
      case 0:
        let rooms = [0, 1, 63, 64, 65, 4096, 16384, 65536, Int(random.below(65537))]
        let room = rooms[Int(random.below(UInt64(rooms.count)))]
        let mark = UInt8(truncatingIfNeeded: step)
        guard let number = try submit(&ring, room: room, mark) else {
          // An empty ring takes any request.
          #expect(!underWay.isEmpty, "seed \(seed)")
          refusals += 1
          break
        }
        let slot = channel.view[request: number]
        let offset = Int(slot.payload_offset)
        let range = offset..<offset + Int(slot.payload_byte_count)
        #expect(range.count == room && offset % 64 == 0, "seed \(seed)")
        #expect(range.upperBound <= ring.payloadByteCount, "seed \(seed)")
        #expect(!underWay.contains { $0.range.overlaps(range) }, "seed \(seed)")
        underWay.append((number, range, mark, false))
      case 1:
        guard let index = underWay.firstIndex(where: { !$0.isAnswered }) else { break }
        let request = try #require(try proxy.nextRequest())
        let mark = underWay[index].mark
        #expect(unsafe request.payload.allSatisfy { $0 == mark }, "seed \(seed)")
        proxy.complete(.done, sentByteCount: unsafe request.payload.count)
        underWay[index].isAnswered = true
      default:
        guard let index = underWay.indices.filter({ underWay[$0].isAnswered }).randomElement()
        else { break }
        let (number, range, mark, _) = underWay.remove(at: index)
        let placed = try answer(number, in: &ring)
        #expect(unsafe placed.payload.count == range.count, "seed \(seed)")
        #expect(unsafe placed.payload.allSatisfy { $0 == mark }, "seed \(seed)")
        ring.release(number)
      }
      // Released requests behind one that is not are still in the ring.
      #expect(ring.underWayCount >= underWay.count, "seed \(seed)")
    }
    #expect(refusals > 0)
  }

  @Test func aRequestWithoutRoomKeepsNoOtherWaiting() throws {
    var ring = RequestRing(try channel.attach())
    let first = try submit(&ring, room: 0)
    let second = try submit(&ring, room: 16384)
    #expect(first == 1 && second == 2)
  }

  @Test func oneRequestIsInterruptedAndNoOther() throws {
    var ring = RequestRing(try channel.attach())
    let cancelling = ring.cancelling
    let proxy = try channel.proxyEnd()
    for expected in [false, true, false] {
      let number = try #require(try submit(&ring, room: 0))
      if number == 2 { cancelling.cancel(number) }
      _ = try proxy.nextRequest()
      #expect(proxy.isCancelled == expected)
      proxy.complete(.done)
      _ = try answer(number, in: &ring)
      ring.release(number)
    }
  }

  @Test func anOldWordInterruptsNoNewRequest() throws {
    var ring = RequestRing(try channel.attach())
    let proxy = try channel.proxyEnd()
    // As if the numbers had gone round since.
    ring.cancelling.cancel(1)
    _ = try submit(&ring, room: 0)
    _ = try proxy.nextRequest()
    #expect(!proxy.isCancelled)
  }
}

private struct SplitMixForRing {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func below(_ bound: UInt64) -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return (word ^ word >> 31) % bound
  }
}
