// The calls that a transaction makes once, or never. `Channel.call` is compiled into each of its
// callers, which costs 2 KB each time; these share one copy for each form of message.

internal import SluiceChannel
internal import SluiceWire

extension Channel {
  /// An operation without arguments and without an answer.
  @inline(never)
  func callRarely(_ operation: Operation, file: UInt64 = 0) throws(CallError) {
    _ = try unsafe call(operation, file: file, NoFields(), replyingWith: NoFields.self)
  }

  /// An operation that takes a size.
  @inline(never)
  func callRarely(_ operation: Operation, file: UInt64, byteCount: Int64) throws(CallError) {
    _ = try unsafe call(
      operation, file: file, OffsetFields(offset: byteCount), replyingWith: NoFields.self)
  }

  /// A question about a file.
  @inline(never)
  func ask(_ operation: Operation, file: UInt64) throws(CallError) -> Bool {
    try unsafe call(operation, file: file, NoFields(), replyingWith: AnswerReply.self).reply.answer
  }
}
