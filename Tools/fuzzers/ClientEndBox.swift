// The client's end of a channel, for a target that checks every answer it gives.

import CSluice
import SluiceSystem
import SluiceWire
import Synchronization

@testable import SluiceChannel

/// A client's end in an object, so that closures can share it. One thread uses it.
final class ClientEndBox {
  private var end: ClientEnd

  init(_ regions: consuming ChannelRegions) { end = ClientEnd(regions) }

  /// No wait is longer. A proxy that answers at all answers at once.
  private let timeoutNanoseconds: Int64 = 20_000_000_000

  func call<Reply: Message>(
    _ operation: SluiceWire.Operation, _ sending: [UInt8], _ receivingByteCount: Int,
    replyingWith: Reply.Type
  ) throws(ChannelFailure) {
    // The memory ends with the wanted bytes, so that a byte too many is an address error.
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: receivingByteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    let sent = UnsafeMutableRawBufferPointer.allocate(byteCount: sending.count, alignment: 1)
    defer { unsafe sent.deallocate() }
    unsafe sent.copyBytes(from: sending)
    let answer = try unsafe end.call(
      operation, file: 1, NoFields(), sending: UnsafeRawBufferPointer(sent), receiving: room,
      timeoutNanoseconds: timeoutNanoseconds, peerIsGone: { false }, replyingWith: Reply.self)
    require(answer.receivedByteCount <= receivingByteCount, "more bytes than the call asked for")
    require(answer.status.isDone || answer.reply == Reply(), "results of a call that was not done")
  }

  func post(file: UInt64, _ byteCount: Int) throws(ChannelFailure) {
    let sent = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { unsafe sent.deallocate() }
    unsafe sent.initializeMemory(as: UInt8.self, repeating: 7)
    try unsafe end.post(
      UnsafeRawBufferPointer(sent), file: file, at: 0, handsOver: true,
      timeoutNanoseconds: timeoutNanoseconds, peerIsGone: { false })
  }

  func settle() throws(ChannelFailure) {
    try end.settle(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: { false })
  }

  /// The failure of a posted change that no call has reported yet.
  func takeFailure() -> PostedFailure? {
    let has = end.hasFailure
    let failure = end.failureOfChange
    require(
      has == (failure != nil) && has == end.hasFailure, "a failure is reported again and again")
    end.forgetFailure()
    require(!end.hasFailure, "until it is forgotten")
    return failure
  }

  func changesOnly(_ file: UInt64) -> Bool { end.changesOnly(file) }
}
