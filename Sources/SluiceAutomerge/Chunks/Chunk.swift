// The container of everything: magic, checksum, type, length, contents. A chunk is admitted only with
// its right checksum.

/// What a chunk holds.
enum ChunkKind: UInt8 {
  case document = 0
  case change = 1
  case compressedChange = 2
}

struct Chunk {
  static let magic: [UInt8] = [0x85, 0x6f, 0x4a, 0x83]

  /// `compressedChange` never occurs here: such a chunk has become a change by then.
  var kind: ChunkKind
  /// The bytes that hold the contents: those that were given, or the inflated ones.
  var bytes: [UInt8]
  var contents: Range<Int>
  var hash: ChangeHash
  /// Whether `bytes` are this chunk and nothing else.
  private var isWhole: Bool

  /// Reads the chunk at the reader's position.
  init(_ reader: inout ByteReader, limits: Limits) throws(AutomergeError) {
    let start = reader.position
    for expected in Self.magic {
      guard try reader.byte() == expected else {
        throw AutomergeError(.badMagic, .init(byteOffset: start))
      }
    }
    let checksum = reader.bytes[try reader.take(4)]
    let type = try reader.byte()
    guard let kind = ChunkKind(rawValue: type) else {
      throw AutomergeError(
        type == 3 ? .unsupportedChunk : .unknownChunkType, .init(byteOffset: start))
    }
    let length = try reader.unsigned()
    let range = try reader.take(length)
    guard range.count <= limits.chunkByteCountMax else {
      throw AutomergeError(.limitReached, .init(byteOffset: start))
    }
    if kind == .compressedChange {
      bytes = try inflated(reader.bytes, range, limits: limits)
      contents = 0..<bytes.count
      self.kind = .change
    } else {
      bytes = reader.bytes
      contents = range
      self.kind = kind
    }
    if kind == .compressedChange {
      hash = ChangeHash(digestOf: Self.hashedBytes(self.kind, bytes[contents]), from: 0)
    } else {
      // Type, length in its shortest form, and contents stand as they are hashed.
      hash = ChangeHash(digestOf: bytes, from: start + 8, to: contents.upperBound)
    }
    isWhole = kind != .compressedChange && start == 0 && contents.upperBound == bytes.count
    guard checksum.elementsEqual(hash.bytes[..<4]) else {
      throw AutomergeError(.badChecksum, .init(byteOffset: start))
    }
  }

  private static func hashedBytes(_ kind: ChunkKind, _ contents: ArraySlice<UInt8>) -> [UInt8] {
    var hashed: [UInt8] = []
    hashed.reserveCapacity(contents.count + 11)
    hashed.append(kind.rawValue)
    hashed.append(lengthPrefixed: contents)
    return hashed
  }

  /// The chunk of these contents, and its hash.
  static func make(_ kind: ChunkKind, _ contents: [UInt8]) -> (bytes: [UInt8], hash: ChangeHash) {
    var bytes = assembled(kind, contents[...], checksum: [0, 0, 0, 0])
    let hash = ChangeHash(digestOf: bytes, from: 8)
    bytes.replaceSubrange(4..<8, with: hash.bytes[..<4])
    return (bytes, hash)
  }

  /// The chunk as it is written: uncompressed, its length in the shortest form.
  var canonicalBytes: [UInt8] {
    isWhole ? bytes : Self.assembled(kind, bytes[contents], checksum: hash.bytes[..<4])
  }

  private static func assembled(
    _ kind: ChunkKind, _ contents: ArraySlice<UInt8>, checksum: ArraySlice<UInt8>
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(contents.count + 19)
    bytes.append(contentsOf: magic)
    bytes.append(contentsOf: checksum)
    bytes.append(kind.rawValue)
    bytes.append(lengthPrefixed: contents)
    return bytes
  }

  /// The hash of a change with these contents. `room` keeps its memory between calls.
  static func hash(ofChange contents: [UInt8], room: inout [UInt8]) -> ChangeHash {
    room.removeAll(keepingCapacity: true)
    room.append(ChunkKind.change.rawValue)
    room.append(lengthPrefixed: contents)
    return ChangeHash(digestOf: room, from: 0)
  }
}
