// Files: chunks end to end. A file that begins with a document may be followed by changes, which may
// lack dependencies; a file that begins with a change must be complete.

extension Document {
  /// Reads what `save` and `saveIncrement` wrote, here or in another implementation. Every hash is
  /// computed anew and compared. An empty file is a document without changes.
  public init(
    loading bytes: [UInt8], actor: ActorID = .random(), limits: Limits = Limits()
  ) throws(AutomergeError) {
    self.init(actor: actor, limits: limits)
    let limits = self.limits
    var reader = ByteReader(bytes)
    guard bytes.count < Int(Int32.max) else { throw reader.error(.limitReached) }
    var changes: [Change] = []
    var changeByteCount = 0
    var beginsWithDocument = false
    while !reader.isAtEnd {
      let isFirst = reader.position == 0
      let chunk = try Chunk(&reader, limits: limits)
      if chunk.kind == .change {
        let change = try Change(chunk, limits: limits)
        // Compressed ones may be many times as large as the file.
        changeByteCount += change.bytes.count
        guard changeByteCount <= limits.contentByteCountMax else {
          throw reader.error(.limitReached)
        }
        changes.append(change)
      } else {
        let loaded = try DocumentDecoding.store(chunk, limits: limits)
        if isFirst {
          store = loaded
          beginsWithDocument = true
        } else {
          changes.append(contentsOf: History(store: loaded))
        }
      }
    }
    try apply(changes)
    if !beginsWithDocument, let missing = missingDependencies.first {
      throw AutomergeError(.missingDependency, .init(change: missing))
    }
  }

  /// What could not be used of a damaged file.
  public struct Damage: Sendable {
    /// Why it could not be used.
    public var error: AutomergeError
    /// The part of the file that was left out.
    public var bytes: Range<Int>
  }

  /// Reads all that can be proved of a damaged file: its good chunks, and of these the changes that
  /// are right. What waits for a lost change waits in the document.
  public static func recover(
    _ bytes: [UInt8], actor: ActorID = .random(), limits: Limits = Limits()
  ) -> (document: Document, damage: [Damage]) {
    var document = Document(actor: actor, limits: limits)
    let limits = document.limits
    var damage: [Damage] = []
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      let start = reader.position
      do throws(AutomergeError) {
        guard bytes.count < Int(Int32.max) else { throw reader.error(.limitReached) }
        let chunk = try Chunk(&reader, limits: limits)
        try document.take(chunk)
      } catch {
        // A chunk with a wrong checksum or content ends where it says; otherwise the next magic
        // tells where to go on.
        if reader.position == start || error.reason == .truncated || error.reason == .badMagic {
          reader = ByteReader(bytes, nextMagic(bytes, start + 1)..<bytes.count)
        }
        damage.append(Damage(error: error, bytes: start..<reader.position))
      }
    }
    return (document, damage)
  }

  private mutating func take(_ chunk: Chunk) throws(AutomergeError) {
    if chunk.kind == .change {
      try apply(Change(chunk, limits: limits))
      return
    }
    let loaded = try DocumentDecoding.store(chunk, limits: limits)
    if store.changes.count == 0, queue.count == 0 {
      store = loaded
    } else {
      try apply(History(store: loaded))
    }
  }

  private static func nextMagic(_ bytes: [UInt8], _ start: Int) -> Int {
    var position = start
    while position + 4 <= bytes.count {
      if bytes[position..<position + 4].elementsEqual(Chunk.magic) { return position }
      position += 1
    }
    return bytes.count
  }
}
