// An open file in the sidecar. A call blocks until the sidecar has done it. A posted call returns
// when it is submitted. The sidecar does all calls on one channel in the order of submission.

internal import SluiceChannel
public import SluiceWire

/// A file that the sidecar holds open for this session, until `close` or until the last reference
/// ends.
public final class RemoteFile: @unchecked Sendable {
  public let channel: Channel
  /// False if only reading was allowed.
  public let isWritable: Bool
  private let identity: FileIdentity
  private let origin: UInt64
  /// For a database: whether one kernel sees every program that opens it. If not, the database has
  /// no WAL index, and nothing is known of it without asking the sidecar.
  public let isLocal: Bool
  let id: UInt64
  /// Of a WAL: whether something was read that is promised to be durable, and perhaps is not yet.
  /// `awaitSync` waits for it too.
  public var hasReadPromised = false
  /// Only `close` writes it. No other use of the file may run beside `close`.
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

  /// Whether `other` was certainly this file. `other` was opened earlier and may be closed by now.
  public func isCertainlySame(as other: RemoteFile) -> Bool {
    origin != 0 && origin == other.origin && identity == other.identity && isLocal == other.isLocal
  }

  /// Closes the file and drops its locks. If it does not wait, the sidecar does so before it does
  /// the next request on the channel, and before it tells others that the file is busy.
  public func close(waits: Bool = true) throws(CallError) {
    guard isOpen else { return }
    isOpen = false
    if waits {
      try channel.callRarely(.close, file: id)
    } else {
      try channel.postEnd(.close, file: id, NoFields())
    }
  }

  /// Whether calls on this file's channel may be posted.
  @inline(__always)
  var mayPost: Bool { channel.shortcuts.contains(.postedWrites) }

  /// Reads into `buffer` from `offset` (bytes). Returns the number of bytes read, which is smaller
  /// than requested at the end of the file. Throws if a posted write has failed.
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
      if answer.status == .donePromised { hasReadPromised = true }
      done += answer.receivedByteCount
      if answer.receivedByteCount < part.count { break }
    } while done < buffer.count
    return done
  }

  /// The same, for callers that hardly ever read.
  @inline(never)
  public func readRarely(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(CallError) -> Int {
    try unsafe read(into: buffer, at: offset)
  }

  /// Writes all of `buffer` at `offset` (bytes), and waits until that is done.
  @inline(__always)
  public func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(CallError) {
    if mayPost { try channel.settle(besides: id) }
    try unsafe inParts(of: buffer, at: offset) { (part, offset) throws(CallError) in
      try unsafe channel.write(part, file: id, at: offset)
    }
  }

  /// Writes, and returns at once. If that fails, every later write, read, `sync`, `truncate` or
  /// `settle` on the channel throws that failure, until the transaction ends; nothing is written to
  /// another file before. Without `handsOver` the channel may keep the write, to send it together
  /// with writes that follow it in the file, but at most until the channel's next request.
  @inline(__always)
  public func post(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, handsOver: Bool = true
  ) throws(CallError) {
    guard mayPost else { return try unsafe write(buffer, at: offset) }
    try unsafe inParts(of: buffer, at: offset) { (part, offset) throws(CallError) in
      try unsafe channel.post(part, file: id, at: offset, handsOver: handsOver)
    }
  }

  @inline(__always)
  private func inParts(
    of buffer: UnsafeRawBufferPointer, at offset: Int64,
    _ body: (UnsafeRawBufferPointer, Int64) throws(CallError) -> Void
  ) throws(CallError) {
    var done = 0
    while done < buffer.count {
      let end = min(buffer.count, done + ChannelShape.transferByteCountMaximum)
      try unsafe body(
        UnsafeRawBufferPointer(rebasing: buffer[done..<end]), offset + Int64(done))
      done = end
    }
  }

  /// Waits until all posted writes on the channel are done; throws if one has failed.
  public func settle() throws(CallError) { try channel.settle() }

  public func truncate(toByteCount byteCount: Int64) throws(CallError) {
    try channel.settle()
    try channel.callRarely(.truncate, file: id, byteCount: byteCount)
  }

  /// Makes all writes durable. A journal's first sync makes its directory entry durable too.
  public func sync() throws(CallError) {
    _ = try unsafe channel.call(
      .sync, file: id, NoFields(), tellsFailure: true, replyingWith: NoFields.self)
  }

  /// Of a WAL: makes all writes durable, or has the sidecar promise to do so soon; whether it has
  /// promised. Until `awaitSync` returns, a power cut may take the writes back.
  public func promiseSync() throws(CallError) -> Bool {
    try unsafe channel.call(
      .syncPromise, file: id, NoFields(), tellsFailure: true, replyingWith: NoFields.self
    ).status == .donePromised
  }

  /// Waits until the last promise is kept, and those for what was read. Throws if one was broken.
  public func awaitSync() throws(CallError) {
    do throws(CallError) {
      try channel.callRarely(.syncAwait, file: id)
    } catch {
      // The sidecar hangs up on all that have the database open. Nothing is read there until it does.
      if case .refused(.systemError, _) = error { channel.session.lose() }
      throw error
    }
    hasReadPromised = false
  }

  /// The file's size in bytes. Throws if a posted write has failed: otherwise a journal that stayed
  /// empty would look like a journal with nothing to roll back.
  public func byteCount() throws(CallError) -> Int64 {
    try unsafe channel.call(
      .fileSize, file: id, NoFields(), tellsFailure: true, replyingWith: OffsetFields.self
    ).reply.offset
  }

  /// Raises the lock; throws `refused(.busy)` at once if another connection or program is in the
  /// way.
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

  /// Whether any connection or program holds RESERVED or more on the file.
  public func isReserved() throws(CallError) -> Bool {
    try channel.ask(.checkReservedLock, file: id)
  }
}
