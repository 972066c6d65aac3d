// Writes to files. Pieces that follow one another in a file are gathered into one request: SQLite
// writes a frame of its WAL in two pieces and a record of its journal in three, and each request may
// have to wake the proxy.
//
// What is gathered lies in the ring behind the payloads of the requests under way, and is not handed
// over yet. Every other request hands it over first, so the order stays that of the calls. A caller
// that gives back a lock without a request must call `settle` before.

internal import SluiceSystem
public import SluiceWire

/// A part of a file. Its new content lies at the ring's `payloadEnd`.
struct GatheredWrite: Sendable {
  let file: UInt64
  let offset: Int64
  var byteCount = 0
}

extension ClientEnd {
  /// Takes a write and does not wait. If it fails, `failureOfChange` says so once it is settled. All
  /// changes under way belong to one file, so that no other file is changed after a failure. Waits
  /// only if the ring is full or the previous change was to another file.
  ///
  /// Without `handsOver` the proxy may see it as late as the next request.
  public mutating func post(
    _ bytes: UnsafeRawBufferPointer, file: UInt64, at offset: Int64, handsOver: Bool,
    timeoutNanoseconds: Int64, peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    if let failure { throw failure }
    do throws(ChannelFailure) {
      try unsafe gather(
        bytes, file: file, at: offset, timeoutNanoseconds: timeoutNanoseconds,
        peerIsGone: peerIsGone)
      if handsOver { try submitGathered() }
    } catch {
      remember(error)
      throw error
    }
  }

  /// Writes, together with what is gathered before it, and waits for the answer. If earlier writes
  /// may have failed with it, that is the failure of a change as well.
  public mutating func write(
    _ bytes: UnsafeRawBufferPointer, file: UInt64, at offset: Int64, timeoutNanoseconds: Int64,
    peerIsGone: () -> Bool
  ) throws(ChannelFailure) -> Answer<NoFields> {
    if let failure { throw failure }
    do throws(ChannelFailure) {
      try unsafe gather(
        bytes, file: file, at: offset, timeoutNanoseconds: timeoutNanoseconds,
        peerIsGone: peerIsGone)
      guard let gathered else {
        return Answer(changeFailure ?? PostedFailure(status: .done, errno: Errno(0)))
      }
      let payload = UInt32(payloadEnd)
      try submitGathered()
      let nothing = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
      let answer: Answer<NoFields> = try unsafe answer(
        receiving: nothing, from: payload, timeoutNanoseconds: timeoutNanoseconds,
        peerIsGone: peerIsGone, .brief)
      if !answer.status.isDone, gathered.byteCount > bytes.count, changeFailure == nil {
        changeFailure = PostedFailure(status: answer.status, errno: answer.errno)
      }
      return answer
    } catch {
      remember(error)
      throw error
    }
  }

  /// Adds a write to what is gathered, or begins anew with it. Nothing is gathered afterwards if a
  /// change has failed.
  private mutating func gather(
    _ bytes: UnsafeRawBufferPointer, file: UInt64, at offset: Int64, timeoutNanoseconds: Int64,
    peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    var next = GatheredWrite(file: file, offset: offset)
    if let gathered, takes(bytes.count, file, at: offset, behind: gathered) {
      next = gathered
    } else {
      try submitGathered()
      if file != changedFile {
        try settle(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
        changedFile = file
        if changeFailure != nil { return }
      }
      try makeRoom(
        byteCount: bytes.count, timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
    }
    if unsafe !bytes.isEmpty {
      unsafe regions.payload(
        offset: UInt32(payloadEnd + next.byteCount), byteCount: UInt32(bytes.count))!
        .copyMemory(from: bytes)
    }
    next.byteCount += bytes.count
    gathered = next
  }

  /// Whether a write follows directly what is gathered, and both fit into one request.
  private func takes(
    _ byteCount: Int, _ file: UInt64, at offset: Int64, behind gathered: GatheredWrite
  ) -> Bool {
    let sum = gathered.byteCount + byteCount
    return file == gathered.file && offset == gathered.offset + Int64(gathered.byteCount)
      && sum <= ChannelShape.transferByteCountMaximum
      && payloadEnd + sum <= regions.shape.payloadByteCount
  }

  @inline(never)
  mutating func submitGathered() throws(ChannelFailure) {
    guard let write = gathered else { return }
    gathered = nil
    _ = try submit(
      .write, file: write.file, OffsetFields(offset: write.offset),
      payloadByteCount: write.byteCount)
    lastChange = submitted
    try tellOfMany()
  }
}

extension Answer where Reply == NoFields {
  fileprivate init(_ failure: PostedFailure) {
    self.init(
      status: failure.status, errno: failure.errno, receivedByteCount: 0, reply: NoFields())
  }
}
