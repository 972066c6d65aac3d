// The stream of what a channel's loads give: frames, which pages cut anywhere. A value without a
// channel; it holds at most one frame that is not whole.

internal import SluiceWire

struct RecordFrames {
  /// A frame, or what is left of one whose bytes this client does not take.
  struct Frame {
    var load: UInt32
    var kind: RecordFrameKind
    var isTooLarge = false
  }

  /// The part of a frame that has come.
  private var begun: [UInt8] = []
  /// How many bytes follow that belong to a frame that is too large.
  private var skippedByteCount = 0

  /// A larger message is not taken. Its value has to be stored anew, with a smaller interval of
  /// signatures.
  static let frameByteCountMaximum = 256 << 20
  /// Load number, kind and byte count.
  private static let headByteCount = 9

  /// Whether the stream stands between two frames.
  var isBetweenFrames: Bool { begun.isEmpty && skippedByteCount == 0 }

  /// Takes a part of the stream and calls `body` with each frame that it ends, in order. The frame's
  /// bytes are valid in the call alone. `body` gives false if a frame makes no sense.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, _ body: (Frame, UnsafeRawBufferPointer) -> Bool
  ) throws(WireError) {
    var rest = unsafe skipped(bytes)
    while unsafe !rest.isEmpty {
      if begun.isEmpty, let count = try unsafe Self.wholeByteCount(rest), count <= rest.count {
        try unsafe Self.give(UnsafeRawBufferPointer(rebasing: rest[..<count]), body)
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else {
        unsafe rest = try unsafe gather(rest, body)
      }
    }
  }

  /// The byte count of the frame that begins here; nil before its head is whole.
  private static func wholeByteCount(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Int? {
    guard bytes.count >= headByteCount else { return nil }
    let (_, count) = try unsafe head(bytes)
    return count <= frameByteCountMaximum ? headByteCount + count : nil
  }

  private static func head(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> (Frame, Int) {
    var reader = unsafe RecordByteReader(bytes)
    let load = try reader.number(UInt32.self)
    guard let kind = RecordFrameKind(rawValue: try reader.number(UInt8.self)) else {
      throw .outOfRange
    }
    return (Frame(load: load, kind: kind), Int(try reader.number(UInt32.self)))
  }

  private static func give(
    _ bytes: UnsafeRawBufferPointer, _ body: (Frame, UnsafeRawBufferPointer) -> Bool
  ) throws(WireError) {
    let (frame, _) = try unsafe head(bytes)
    let content = unsafe UnsafeRawBufferPointer(rebasing: bytes[headByteCount...])
    guard unsafe body(frame, content) else { throw .outOfRange }
  }

  /// Adds to the frame that has begun. Returns what belongs to the frames behind it.
  private mutating func gather(
    _ bytes: UnsafeRawBufferPointer, _ body: (Frame, UnsafeRawBufferPointer) -> Bool
  ) throws(WireError) -> UnsafeRawBufferPointer {
    let missing = max(0, Self.headByteCount - begun.count)
    var rest = unsafe moved(missing, of: bytes)
    guard begun.count >= Self.headByteCount else { return unsafe rest }
    let (frame, count) = try unsafe withBytes(of: begun) { (bytes) throws(WireError) in
      try unsafe Self.head(bytes)
    }
    if count > Self.frameByteCountMaximum {
      begun = []
      skippedByteCount = count
      var large = frame
      large.isTooLarge = true
      guard unsafe body(large, UnsafeRawBufferPointer(start: nil, count: 0)) else {
        throw .outOfRange
      }
      return unsafe skipped(rest)
    }
    unsafe rest = unsafe moved(Self.headByteCount + count - begun.count, of: rest)
    guard begun.count == Self.headByteCount + count else { return unsafe rest }
    let whole = begun
    begun = []
    try unsafe withBytes(of: whole) { (bytes) throws(WireError) in
      try unsafe Self.give(bytes, body)
    }
    return unsafe rest
  }

  private mutating func moved(
    _ count: Int, of bytes: UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    let count = min(count, bytes.count)
    unsafe begun.append(contentsOf: bytes[..<count])
    return unsafe UnsafeRawBufferPointer(rebasing: bytes[count...])
  }

  private mutating func skipped(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let count = min(skippedByteCount, bytes.count)
    skippedByteCount -= count
    return unsafe UnsafeRawBufferPointer(rebasing: bytes[count...])
  }
}
