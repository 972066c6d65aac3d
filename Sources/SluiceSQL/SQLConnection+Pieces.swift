// Values and images that are larger than one transfer, in pieces.

internal import SluiceChannel
internal import SluiceClient

extension SQLConnection {
  /// Sends the values of a request that do not fit into it.
  func sendFar<Parameters: SQLParameterSource>(
    _ request: inout ExecutionRequest<Parameters>
  ) throws(SQLFailure) {
    request.makeFar(within: Self.transferByteCount)
    guard request.byteCount <= Self.transferByteCount else { throw .tooLarge }
    try unsafe request.withFarValues { (number, bytes) throws(SQLFailure) in
      try unsafe send(bytes, as: number)
    }
  }

  /// Sends a value for the next execution, or the image for the open.
  func send(_ value: UnsafeRawBufferPointer, as number: UInt64) throws(SQLFailure) {
    var offset = 0
    repeat {
      let count = min(Self.transferByteCount, value.count - offset)
      let piece = unsafe UnsafeRawBufferPointer(rebasing: value[offset..<offset + count])
      let request = SQLValueWriteRequest(
        parameter: number, offset: Int64(offset), byteCount: Int64(value.count))
      let submitted = unsafe try submit(.sqlValueWrite, file: 0, .valueWrite(request), room: count)
      {
        if count > 0 { unsafe $0.copyMemory(from: piece) }
      }
      do throws(SQLFailure) {
        try finish(submitted) { (_, _) in }
      } catch .refused(.limitReached) {
        throw .tooLarge
      }
      offset += count
    } while offset < value.count
  }

  /// Reads a value of the row on which a statement stands.
  func read(statement: UInt64, column: Int, byteCount: Int) throws(SQLFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    while bytes.count < byteCount {
      let room = min(Self.transferByteCount, byteCount - bytes.count)
      let request = SQLValueReadRequest(column: UInt64(column), offset: Int64(bytes.count))
      let number = unsafe try submit(
        .sqlValueRead, file: statement, .valueRead(request), room: room)
      let received = try finish(number) { (answer, _) in
        unsafe bytes.append(contentsOf: answer.payload)
        return unsafe answer.payload.count
      }
      guard received > 0 else { throw .malformed }
    }
    return bytes
  }

  /// Reads the whole database's image and hands its pieces to `body`, in order. Refused while a
  /// transaction is open. The image is that of one moment; others may write meanwhile. `body` has
  /// a copy of the piece, and may throw to end the export.
  public func export(
    _ body: (UnsafeRawBufferPointer) throws(SQLFailure) -> Void
  ) throws(SQLFailure) {
    detachPlaced()
    var offset: Int64 = 0
    var end: Int64 = 0
    var piece: [UInt8] = []
    repeat {
      let number = unsafe try submit(
        .sqlExport, file: 0, .export(OffsetFields(offset: offset)), room: Self.transferByteCount)
      let count = try finish(number) { (answer, ring) throws(ChannelFailure) in
        end = try ring.reply(of: answer, as: OffsetFields.self).offset
        unsafe piece = [UInt8](answer.payload)
        return unsafe answer.payload.count
      }
      unsafe try withBytes(of: piece) { (bytes) throws(SQLFailure) in try unsafe body(bytes) }
      guard count > 0 || offset >= end else { throw .malformed }
      offset += Int64(count)
    } while offset < end
  }
}

extension SQLConnection {
  /// Waits until the state of the database has a later commit than number `seen`. Gives the number of
  /// the last one, which is `seen` when the time is over (at most an hour). What has changed is in the
  /// view `state_commit`. `cancel` ends the wait.
  public func awaitChanges(after seen: Int64, milliseconds: Int64) throws(SQLFailure) -> Int64 {
    detachPlaced()
    let request = SQLChangesRequest(
      number: max(0, seen), milliseconds: max(0, min(milliseconds, 3_600_000)))
    let number = try unsafe submit(.sqlChangesAwait, file: 0, .changes(request), room: 256)
    return try finish(number) { (answer, ring) throws(ChannelFailure) in
      try ring.reply(of: answer, as: SQLChangesReply.self).number
    }
  }
}
