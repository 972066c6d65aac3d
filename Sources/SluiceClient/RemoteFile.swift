// An open file in the sidecar. Every call blocks until the sidecar has done it, except those that
// may be posted: they return when they are submitted, and are done in the order of submission with
// all other calls on the same channel.

internal import SluiceChannel
public import SluiceWire

/// A file that the sidecar holds open for this session until `close`, or until the last reference
/// goes.
public final class RemoteFile: @unchecked Sendable {
  public let channel: Channel
  /// False where only reading was allowed.
  public let isWritable: Bool
  private let identity: FileIdentity
  private let origin: UInt64
  /// Of a database: whether one kernel sees everybody who opens it. Where not, it has no WAL index,
  /// and nothing is known of it without asking.
  public let isLocal: Bool
  let id: UInt64
  /// Written by `close` alone, which nobody may call beside another use.
  private var isOpen = true

  init(channel: Channel, _ opened: OpenReply) {
    self.channel = channel
    id = opened.file
    isWritable = opened.isWritable
    identity = opened.identity
    origin = opened.origin
    isLocal = opened.isLocal
  }

  deinit { _ = try? close() }

  /// Whether it is certain that `other`, opened earlier and perhaps closed since, was this file.
  public func isCertainlySame(as other: RemoteFile) -> Bool {
    origin != 0 && origin == other.origin && identity == other.identity && isLocal == other.isLocal
  }

  /// Closes the file and drops its locks.
  public func close() throws(CallError) {
    guard isOpen else { return }
    isOpen = false
    _ = try unsafe channel.call(.close, file: id, NoFields(), replyingWith: NoFields.self)
  }

  /// Whether calls on this file's channel may be posted.
  @inline(__always)
  var mayPost: Bool { channel.shortcuts.contains(.postedWrites) }

  /// Reads into `buffer` from `offset` (bytes); gives how many bytes there were, fewer than asked
  /// at the end of the file. Throws what a posted write came to.
  @inline(__always)
  public func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(CallError) -> Int {
    var done = 0
    repeat {
      let end = min(buffer.count, done + ChannelShape.transferByteCountMaximum)
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<end])
      let answer = try unsafe channel.call(
        .read, file: id, OffsetFields(offset: offset + Int64(done)), receiving: part,
        tellsFailure: true, replyingWith: NoFields.self)
      done += answer.receivedByteCount
      if answer.receivedByteCount < part.count { break }
    } while done < buffer.count
    return done
  }

  /// Writes all of `buffer` at `offset` (bytes). One that is `posted` returns at once: if it fails,
  /// every later write, read, `sync`, `truncate` or `settle` on the channel throws that, until the
  /// transaction's end; nothing is written to another file before.
  @inline(__always)
  public func write(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, posted: Bool = false
  ) throws(CallError) {
    let isPosted = posted && mayPost
    var done = 0
    while done < buffer.count {
      let end = min(buffer.count, done + ChannelShape.transferByteCountMaximum)
      let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[done..<end])
      let request = OffsetFields(offset: offset + Int64(done))
      if isPosted {
        try unsafe channel.post(.write, file: id, request, sending: part)
      } else {
        if mayPost { try channel.settle(besides: id) }
        _ = try unsafe channel.call(
          .write, file: id, request, sending: part, tellsFailure: true,
          replyingWith: NoFields.self)
      }
      done = end
    }
  }

  /// Waits until all that was posted on the channel is done; throws where a write was not.
  public func settle() throws(CallError) { try channel.settle() }

  public func truncate(toByteCount byteCount: Int64) throws(CallError) {
    try channel.settle()
    _ = try unsafe channel.call(
      .truncate, file: id, OffsetFields(offset: byteCount), replyingWith: NoFields.self)
  }

  /// Makes what was written durable; with a journal's first sync, its directory entry too.
  public func sync() throws(CallError) {
    _ = try unsafe channel.call(
      .sync, file: id, NoFields(), tellsFailure: true, replyingWith: NoFields.self)
  }

  /// The file's size in bytes. Throws what a posted write came to: a journal that stayed empty
  /// must not be taken for one with nothing to roll back.
  public func byteCount() throws(CallError) -> Int64 {
    try unsafe channel.call(
      .fileSize, file: id, NoFields(), tellsFailure: true, replyingWith: OffsetFields.self
    ).reply.offset
  }

  /// Raises the lock; throws `refused(.busy)` at once where another connection or program is in
  /// the way.
  public func lock(_ level: LockLevel) throws(CallError) {
    _ = try unsafe channel.call(
      .lock, file: id, LockFields(level: level), replyingWith: NoFields.self)
  }

  /// Lowers the lock to `shared` or `none`, which ends a transaction.
  public func unlock(_ level: LockLevel) throws(CallError) {
    defer { if level == .none { channel.transactionEnded() } }
    _ = try unsafe channel.call(
      .unlock, file: id, LockFields(level: level), replyingWith: NoFields.self)
  }

  /// Whether anybody holds RESERVED or more on the file.
  public func isReserved() throws(CallError) -> Bool {
    try unsafe channel.call(
      .checkReservedLock, file: id, NoFields(), replyingWith: AnswerReply.self
    )
    .reply.answer
  }
}
