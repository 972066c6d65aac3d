// Both ends of a channel at work: requests arrive, and answers come back.

import CSluice
import Foundation
import SluiceChannel
import SluiceSystem
import SluiceWire
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct ChannelTests {
  @Test(arguments: [2, 4, 32])
  func theRingOfSlotsGoesRoundManyTimes(slotCount: Int) throws {
    let channel = try TestChannel(.small(slotCount: slotCount))
    let client = try TestClient(channel)
    let file = MemoryFile()
    let callCount = 5_000
    try withProxy(serving: [channel], file.serve) {
      for number in 0..<callCount {
        let (answer, _) = try client.call(.nothing, file: UInt64(number))
        #expect(answer.status == .done)
      }
    }
    #expect(file.filesNamed == (0..<UInt64(callCount)).map { $0 })
    #expect(channel.view.submitted == UInt32(callCount))
    #expect(channel.view.completed == UInt32(callCount))
    for number in UInt32(callCount - slotCount + 1)...UInt32(callCount) {
      #expect(channel.view[request: number].sequence == ~number)
    }
  }

  @Test(arguments: [ByteOrder.littleEndian, .bigEndian])
  func argumentsOfEveryLengthArriveAndComeBack(order: ByteOrder) throws {
    let channel = try TestChannel(.small(byteOrder: order))
    let client = try TestClient(channel)
    try withProxy(serving: [channel], MemoryFile().serve) {
      for byteCount in Array(0...64) + [255, 256, 1023, 1024, 1146] {
        let path = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 + 1) }
        let (answer, _) = try client.call(
          .fullPathname, PathFields(path: path), replyingWith: PathFields.self)
        #expect(answer.status == .doneThroughLink)
        #expect(answer.reply.path == path.reversed(), "\(byteCount) bytes")
      }
    }
  }

  @Test func shortArgumentsStandInTheSlotAndLongOnesInItsArea() throws {
    let channel = try TestChannel(.small())
    let client = try TestClient(channel)
    let overhead = 1 + 1 + 4
    let longestInline = Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT) - overhead
    // The reply of `delete` has no arguments, so the request's arguments can still be seen.
    try withProxy(serving: [channel], MemoryFile().serve) {
      _ = try client.call(.delete, PathFields(path: Array(repeating: 0x61, count: longestInline)))
      #expect(channel.view[request: 1].inlineArguments.last == 0x61)
      #expect(channel.view.argumentArea(1).allSatisfy { $0 == 0 })

      let path = [UInt8](repeating: 0x62, count: longestInline + 1)
      _ = try client.call(.delete, PathFields(path: path))
      #expect(channel.view.argumentArea(2)[overhead..<(overhead + path.count)].elementsEqual(path))
    }
  }

  @Test(arguments: [1, 27, 28, 4095, 4096, 4097, 65_535, 65_536])
  func payloadsTravelBothWays(byteCount: Int) throws {
    let channel = try TestChannel(.standard)
    let client = try TestClient(channel)
    let file = MemoryFile()
    let written = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    try withProxy(serving: [channel], file.serve) {
      for offset in [Int64(0), 5, 100_000] {
        let (done, _) = try client.call(.write, OffsetFields(offset: offset), sending: written)
        #expect(done.status == .done)
        #expect(done.receivedByteCount == 0)
        let (answer, read) = try client.call(
          .read, OffsetFields(offset: offset), wanting: byteCount)
        #expect(answer.status == .done)
        #expect(read == written)
      }
    }
    #expect(file.content[100_000...].elementsEqual(written))
  }

  @Test func aReadBeyondTheEndBringsWhatThereIs() throws {
    let channel = try TestChannel()
    let client = try TestClient(channel)
    try withProxy(serving: [channel], MemoryFile([1, 2, 3]).serve) {
      let (some, bytes) = try client.call(.read, OffsetFields(offset: 1), wanting: 4096)
      #expect(some.status == .doneShort)
      #expect(bytes == [2, 3])
      let (none, noBytes) = try client.call(.read, OffsetFields(offset: 9), wanting: 4096)
      #expect(none.status == .doneShort)
      #expect(noBytes == [])
    }
  }

  @Test func everyStatusArrivesWithItsReason() throws {
    let channel = try TestChannel()
    let client = try TestClient(channel)
    let statuses = Status.allCases
    let serve: Serve = { (end, request) in
      let status = statuses[Int(request.file)]
      end.complete(status, errno: Errno(Int32(request.file) + 1))
    }
    try withProxy(serving: [channel], serve) {
      for (number, status) in statuses.enumerated() {
        let (answer, _) = try client.call(.nothing, file: UInt64(number))
        #expect(answer.status == status)
        #expect(answer.errno == Errno(Int32(number) + 1))
      }
    }
  }

  @Test func anAnswerThatIsNotDoneBringsNoResults() throws {
    let channel = try TestChannel()
    let client = try TestClient(channel)
    try withProxy(serving: [channel], MemoryFile().serve) {
      let (answer, bytes) = try client.call(.delete, wanting: 10, replyingWith: OffsetFields.self)
      #expect(answer.status == .systemError)
      #expect(answer.errno == .accessDenied)
      #expect(answer.reply == OffsetFields())
      #expect(bytes == [])
    }
  }

  @Test func aReplyThatDoesNotFitIsAnErrorAndNoMore() throws {
    let channel = try TestChannel()
    let client = try TestClient(channel)
    let serve: Serve = { (end, request) in
      let path = [UInt8](repeating: 0x70, count: Int(request.file))
      end.complete(.done, PathFields(path: path))
    }
    try withProxy(serving: [channel], serve) {
      let (fits, _) = try client.call(.fullPathname, file: 1146, replyingWith: PathFields.self)
      #expect(fits.status == .done)
      #expect(fits.reply.path.count == 1146)
      let (answer, _) = try client.call(.fullPathname, file: 1147, replyingWith: PathFields.self)
      #expect(answer.status == .systemError)
      #expect(answer.errno == .nameTooLong)
    }
  }

  @Test func theMakerOfTheRegionsSharesThemWithWhoAttaches() throws {
    var passed: (control: Int32, io: Int32) = (-1, -1)
    let shape = ChannelShape.small()
    let regions = try ChannelRegions.create(shape) { (control, io) throws(Errno) in
      passed = (dup(control), dup(io))
    }
    let control = FileDescriptor(owning: passed.control)
    let io = FileDescriptor(owning: passed.io)
    let proxy = ProxyEnd(regions)
    let view = try RegionView(shape, control: control, io: io)
    view[request: 1] = sluice_slot(.sync)
    #expect(try proxy.nextRequest()?.operation == .sync)
    proxy.complete(.done)
    #expect(view.completed == 1)
    #expect(try proxy.nextRequest() == nil)
  }
}
