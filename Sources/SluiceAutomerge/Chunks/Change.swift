// A change as it travels: bytes, and what they say. It exists only if its bytes are canonical, so two
// equal changes have the same bytes.

/// One step of a document's history: who did what, and upon which changes.
///
/// A change is made by `Document.edit`, or read from the bytes that another replica sent. Reading
/// checks everything that can be checked without the document: form, checksum, order, and that
/// writing it again gives the same bytes.
public struct Change: Sendable, Hashable {
  /// The uncompressed chunk.
  public let bytes: [UInt8]
  /// The SHA-256 of `bytes`, by which all replicas know the change.
  public let hash: ChangeHash
  let contents: ChangeContents

  /// Reads one chunk, compressed or not, that fills `bytes`.
  public init(_ bytes: [UInt8], limits: Limits = Limits()) throws(AutomergeError) {
    let limits = limits.clamped
    var reader = ByteReader(bytes)
    guard bytes.count <= limits.chunkByteCountMax else { throw reader.error(.limitReached) }
    let chunk = try Chunk(&reader, limits: limits)
    guard chunk.kind == .change else { throw AutomergeError(.unknownChunkType) }
    guard reader.isAtEnd else { throw reader.error(.trailingBytes) }
    try self.init(chunk, limits: limits)
  }

  init(_ chunk: Chunk, limits: Limits) throws(AutomergeError) {
    do {
      contents = try ChangeContents(chunk.bytes, chunk.contents, limits: limits)
    } catch {
      throw error.inChange(chunk.hash)
    }
    hash = chunk.hash
    bytes = chunk.canonicalBytes
  }

  /// The change of contents that this library made.
  init(_ contents: ChangeContents, encodedBy encoder: inout ChangeEncoder) {
    encoder.encode(contents)
    (bytes, hash) = Chunk.make(.change, encoder.contents)
    self.contents = contents
  }

  /// The writer.
  public var actor: ActorID { ActorID(contents.actors[0])! }
  /// 1 for the actor's first change.
  public var sequence: UInt64 { contents.sequence }
  /// The counter of the first operation.
  public var startCounter: UInt32 { contents.startCounter }
  /// How many operations the change has.
  public var operationCount: Int { contents.operations.count }
  /// Opaque: some writers count seconds, some milliseconds.
  public var time: Int64 { contents.time }
  /// Nil also if the writer gave an empty message: the bytes are the same.
  public var message: String? {
    let text = contents.source[contents.message.range]
    return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
  }
  /// Ascending.
  public var dependencies: [ChangeHash] { contents.dependencies }
  /// Bytes that this version of the format does not explain.
  public var extraBytes: [UInt8] { Array(contents.source[contents.extra.range]) }
  /// Those besides the author that operations name, ascending.
  public var otherActors: [ActorID] { contents.actors.dropFirst().compactMap { ActorID($0) } }

  /// The chunk with DEFLATE, or `bytes` where it would not be shorter.
  public var compressedBytes: [UInt8] {
    var reader = ByteReader(bytes)
    // magic, checksum, type
    guard bytes.count > 256, (try? reader.take(9)) != nil,
      let length = try? reader.unsigned(), let range = try? reader.take(length),
      let stream = deflated(Array(bytes[range]))
    else { return bytes }
    var chunk = Array(bytes[..<8])
    chunk.append(ChunkKind.compressedChange.rawValue)
    chunk.append(lengthPrefixed: stream)
    return chunk
  }

  /// Changes with equal hashes have equal bytes.
  public static func == (left: Change, right: Change) -> Bool { left.hash == right.hash }

  /// Hashes the hash.
  public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}
