// The writes of a WAL by SQLite, transaction after transaction. The client waits for the last write
// of each transaction, so that it is done when SQLite calls the transaction committed. The other
// writes need no wait.

@testable import SluiceVFS

struct WALTarget: FuzzTarget {
  static let name = "wal"

  /// Without a spill; with one; with a page that is written twice; with a WAL that begins anew.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    [
      [0, 1, 7, 0], [0, 3, 1, 2, 3, 0], [3, 3, 1, 2, 3, 1, 2, 1, 4, 0, 2, 5, 6, 0],
      [0, 1, 1, 2, 1, 1, 2, 2, 3, 1, 0],
    ]
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    var writer = WALWriter(pageByteCount: 512 << input.choice(8))
    for _ in 0..<32 where !input.isEmpty { writer.makeTransaction(&input) }
  }
}

/// walFrames and walRewriteChecksums of SQLite's wal.c, as far as they write.
private struct WALWriter {
  let pageByteCount: Int
  private var writes = WALWrites()
  /// How many frames the WAL has.
  private var frameCount = 0
  private var wasPosted = false

  private static let headerByteCount = 24

  init(pageByteCount: Int) { self.pageByteCount = pageByteCount }

  mutating func makeTransaction(_ input: inout FuzzInput) {
    if input.choice(16) == 15 { beginAnew() }
    /// The pages of this transaction by their frames.
    var frames: [UInt8: Int] = [:]
    var firstRewritten: Int?
    // The cache spills each time except the last.
    let batchCount = 1 + input.choice(4)
    for batch in 1...batchCount {
      let pages = (0..<(1 + input.choice(8))).map { _ in input.byte() }
      for (index, page) in pages.enumerated() {
        let isCommit = batch == batchCount && index == pages.count - 1
        if let frame = frames[page], !isCommit {
          write(pageByteCount, at: offset(frame) + Self.headerByteCount, input.byte())
          firstRewritten = min(firstRewritten ?? frame, frame)
        } else {
          frames[page] = frameCount
          append(ending: isCommit, content: input.byte())
        }
        require(isCommit || wasPosted, "a write waits for no reason")
      }
    }
    if let firstRewritten { rewriteHeaders(from: firstRewritten) }
    require(!wasPosted, "a transaction is committed while its last write is on its way")
  }

  /// A checkpoint has copied everything: SQLite writes the WAL from its start again.
  private mutating func beginAnew() {
    frameCount = 0
    write(32, at: 0, 0)
  }

  private func offset(_ frame: Int) -> Int {
    32 + frame * (Self.headerByteCount + pageByteCount)
  }

  private mutating func append(ending isCommit: Bool, content: UInt8) {
    let offset = offset(frameCount)
    frameCount += 1
    writeHeader(at: offset, ending: isCommit)
    write(pageByteCount, at: offset + Self.headerByteCount, content)
    ends.append(isCommit)
  }

  /// The frames that end a transaction. Those after `frameCount` belong to the WAL before.
  private var ends: [Bool] = []

  private mutating func rewriteHeaders(from first: Int) {
    let known = ends.suffix(frameCount)
    for frame in first..<frameCount {
      writeHeader(at: offset(frame), ending: known[known.startIndex + frame])
    }
  }

  private mutating func writeHeader(at offset: Int, ending isCommit: Bool) {
    var header = [UInt8](repeating: 0x5a, count: Self.headerByteCount)
    header.replaceSubrange(4..<8, with: isCommit ? [0, 0, 1, 0] : [0, 0, 0, 0])
    write(header, at: offset)
  }

  private mutating func write(_ byteCount: Int, at offset: Int, _ content: UInt8) {
    write([UInt8](repeating: content, count: byteCount), at: offset)
  }

  private mutating func write(_ bytes: [UInt8], at offset: Int) {
    wasPosted = unsafe bytes.withUnsafeBytes { unsafe writes.mayPost($0, at: Int64(offset)) }
  }
}
