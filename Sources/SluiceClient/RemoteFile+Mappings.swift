// The parts of a file that a client maps, and other questions of a database engine about a file.

internal import SluiceChannel
public import SluiceSystem
public import SluiceWire

/// The sidecar's answer about a WAL index.
public struct WALIndexAnswer: Sendable {
  /// The index's size in bytes.
  public var byteCount: Int64
  public var file: FileNumber
  public var isReadOnly: Bool
}

extension RemoteFile {
  /// Makes the file at least this large, and reserves its space.
  public func allocate(byteCount: Int64) throws(CallError) {
    try channel.callRarely(.allocate, file: id, byteCount: byteCount)
  }

  /// Whether the file no longer has the name by which it was opened.
  public func hasMoved() throws(CallError) -> Bool {
    try channel.ask(.hasMoved, file: id)
  }

  /// Maps the database's read window. Nil if this process has no room for it.
  public func openWindow() throws(CallError) -> OpenedWindow? {
    try channel.session.receivingWindow(of: id) { () throws(CallError) in
      try channel.callRarely(.openWindow, file: id)
    }
  }

  /// To be called before addresses in the read window are used. Until the file is closed, the
  /// sidecar takes nothing out of the window.
  public func pinWindow() throws(CallError) {
    try channel.callRarely(.pinWindow, file: id)
  }

  /// Joins the WAL index of this database, extends it to `byteCount` if asked, and says how large
  /// it is.
  public func joinWALIndex(_ request: WALIndexMapRequest) throws(CallError) -> WALIndexAnswer {
    precondition(!request.wantsDescriptor, "a descriptor would lie in the socket, unreceived")
    return try askForWALIndex(request)
  }

  private func askForWALIndex(
    _ request: WALIndexMapRequest
  ) throws(CallError) -> WALIndexAnswer {
    let answer = try unsafe channel.call(
      .walIndexMap, file: id, request, replyingWith: WALIndexMapReply.self)
    return WALIndexAnswer(
      byteCount: answer.reply.offset,
      file: FileNumber(device: answer.reply.device, inode: answer.reply.inode),
      isReadOnly: answer.status == .doneReadOnly)
  }

  /// Maps an existing part of the WAL index: anywhere, or in the place of `present`. Nil if this
  /// process has no room for it.
  public func mapWALIndex(
    _ request: WALIndexMapRequest, _ range: MappedRange, inPlaceOf present: WALIndexPart? = nil
  ) throws(CallError) -> WALIndexPart? {
    var request = request
    request.wantsDescriptor = true
    var file = FileNumber(device: 0, inode: 0)
    let mapping = try channel.session.receivingMapping(
      of: id, for: .walIndex, range, inPlaceOf: present?.mapping
    ) { () throws(CallError) in
      file = try askForWALIndex(request).file
      return file
    }
    return mapping.map { WALIndexPart($0, of: file, range, in: channel.session) }
  }

  /// Maps the description of the WAL index on which the locks stand from now on that this file has
  /// alone while outsiders use the index. They last until it is unmapped, even if the sidecar dies.
  /// Nil if this process has no room for it.
  public func openWALIndexView() throws(CallError) -> SharedMapping? {
    let range = MappedRange(offset: 0, byteCount: memoryPageByteCount, isWritable: false)
    let request = WALIndexMapRequest(
      byteCount: 0, extends: false, isReadOnly: false, wantsDescriptor: true)
    return try channel.session.receivingMapping(of: id, for: .walIndex, range, inPlaceOf: nil) {
      () throws(CallError) in try askForWALIndex(request).file
    }
  }

  /// Maps a part of the WAL index that this file has joined, and whose file the answer named, if
  /// another connection of the session has mapped it. Asks nobody.
  public func copyWALIndexPart(of file: FileNumber, _ range: MappedRange) -> WALIndexPart? {
    channel.session.walIndexParts.copy(of: file, range).map {
      WALIndexPart($0, of: file, range, in: channel.session)
    }
  }

  /// Takes or gives back locks of the WAL index; throws `refused(.busy)` if another holder is in
  /// the way.
  @inline(__always)
  public func lockWALIndex(
    first: Int, count: Int, _ kind: WALLockKind
  ) throws(CallError) {
    // The first lock is the write lock. Giving it back ends a transaction.
    defer { if kind == .unlock, first == 0 { channel.transactionEnded() } }
    let request = WALIndexLockRequest(first: UInt64(first), count: UInt64(count), kind: kind)
    _ = try unsafe channel.call(.walIndexLock, file: id, request, replyingWith: NoFields.self)
  }

  /// Leaves the WAL index. The last connection to leave removes it, if `deletes`. If it does not
  /// wait, the sidecar does so before it does the next request on the channel.
  public func unmapWALIndex(deletes: Bool, waits: Bool = true) throws(CallError) {
    let request = WALIndexUnmapRequest(deletes: deletes)
    guard waits else { return try channel.postEnd(.walIndexUnmap, file: id, request) }
    _ = try unsafe channel.call(.walIndexUnmap, file: id, request, replyingWith: NoFields.self)
  }

  /// Whether another connection reads the WAL.
  public func hasExternalReader() throws(CallError) -> Bool {
    try channel.ask(.hasExternalReader, file: id)
  }
}
