// Automerge: any contents as chunks with right checksums, and any operations as changes with a right
// place in history. What is accepted must be written and read again as the same.

@testable import SluiceAutomerge

/// The first byte is the chunk's type; the rest are its contents.
struct AutomergeChunkTarget: FuzzTarget {
  static let name = "automerge-chunk"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    vectors.chunks.compactMap { bytes in
      var reader = ByteReader(bytes)
      guard let chunk = try? Chunk(&reader, limits: Limits()) else { return nil }
      return [chunk.kind.rawValue] + chunk.bytes[chunk.contents]
    }
  }

  func run(_ input: [UInt8]) {
    guard let type = input.first else { return }
    var limits = Limits()
    // A run of a few bytes may promise as many rows; the fuzzer shall not spend its time on them.
    limits.operationCountPerChangeMax = 1 << 12
    limits.operationCountMax = 1 << 12
    limits.inflatedByteCountMax = 1 << 20
    let contents = Array(input[1...])
    // The rest of the loading code meets whatever is no chunk.
    _ = try? Document(loading: input, limits: limits)
    let bytes: [UInt8]
    if type % 3 == 2 {
      guard let stream = deflated(contents) else { return }
      let chunk = Chunk.make(.change, contents).bytes
      bytes = chunk[..<8] + [ChunkKind.compressedChange.rawValue] + lengthPrefixed(stream)
    } else {
      bytes = Chunk.make(type % 3 == 0 ? .document : .change, contents).bytes
    }
    guard let document = try? Document(loading: bytes, limits: limits) else { return }
    requireRoundTrip(document)
  }

  private func lengthPrefixed(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.append(lengthPrefixed: bytes)
    return result
  }
}

/// Pieces of an actor, a length and operation columns. Each becomes a change of that actor upon all heads.
struct AutomergeChangeTarget: FuzzTarget {
  static let name = "automerge-change"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    vectors.chunks.compactMap { bytes in
      guard let change = try? Change(bytes) else { return nil }
      let tail = columns(of: change)
      guard tail.count < 256 else { return nil }
      return [1, UInt8(tail.count)] + tail
    }
  }

  /// The contents behind the message.
  private static func columns(of change: Change) -> [UInt8] {
    var encoder = ChangeEncoder()
    var header = change.contents
    header.actors = [header.actors[0]]
    header.operations = []
    header.predecessors = []
    header.extra = ByteRange(start: 0, count: 0)
    encoder.encode(header)
    // Without the numbers of other actors and of columns, each 0.
    let headerCount = encoder.contents.count - 2
    encoder.encode(change.contents)
    return Array(encoder.contents[headerCount...])
  }

  func run(_ input: [UInt8]) {
    var document = Document()
    var position = 0
    while position + 2 <= input.count {
      let actor = [input[position] % 4 + 1]
      let end = min(input.count, position + 2 + Int(input[position + 1]))
      let bytes = chunk(actor, Array(input[position + 2..<end]), document)
      position = end
      var limits = Limits()
      limits.operationCountPerChangeMax = 1 << 12
      guard let change = try? Change(bytes, limits: limits) else { continue }
      let before = document.heads
      if (try? document.apply(change)) == nil {
        require(document.heads == before, "a refused change has changed the heads")
      }
    }
    requireRoundTrip(document)
    var reversed = Document()
    guard (try? reversed.apply(document.history.reversed())) != nil else {
      broken("accepted changes are refused in another order")
    }
    require(reversed.view.json() == document.view.json(), "the order changes the state")
  }

  private func chunk(_ actor: [UInt8], _ columns: [UInt8], _ document: Document) -> [UInt8] {
    var contents: [UInt8] = []
    let heads = document.heads
    contents.append(unsigned: UInt64(heads.count))
    for head in heads { contents.append(contentsOf: head.bytes) }
    contents.append(lengthPrefixed: actor)
    let own = document.history.filter { $0.actor.bytes == actor }
    contents.append(unsigned: UInt64(own.count + 1))
    let start = document.history.map { UInt64($0.startCounter) + UInt64($0.operationCount) }.max()
    contents.append(unsigned: start ?? 1)
    contents.append(signed: 0)
    contents.append(unsigned: 0)
    contents.append(contentsOf: columns)
    return Chunk.make(.change, contents).bytes
  }
}

/// load(save(x)) = x, and every change is what it was.
private func requireRoundTrip(_ document: Document) {
  for compressing in [false, true] {
    do throws(AutomergeError) {
      let loaded = try Document(loading: document.save(compressing: compressing))
      require(loaded.heads == document.heads, "a saved document has other heads")
      require(loaded.view.json() == document.view.json(), "a saved document has another state")
      require(
        loaded.save(compressing: false) == document.save(compressing: false),
        "a document is saved in two ways")
      for change in loaded.history {
        let again = try Change(change.bytes)
        require(again.bytes == change.bytes, "a change is written as other bytes")
      }
    } catch {
      broken("a saved document cannot be loaded: \(error)")
    }
  }
  _ = document.view.json()
}
