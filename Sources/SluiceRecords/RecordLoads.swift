// The loads of a connection that are under way: what the frames of the stream mean for them.

public import SluiceWire

/// What a load has come to.
public enum RecordLoadEvent: Equatable, Sendable {
  /// A message of the value, or of one on which it depends.
  case message(RecordMessage)
  /// The value's last message was given.
  case found
  /// The value is not in the store.
  case notFound
  /// No further message comes, for this reason (UTF-8).
  case failed([UInt8])

  public var endsLoad: Bool {
    if case .message = self { false } else { true }
  }
}

struct RecordLoads {
  private struct Load {
    var number: UInt32
    /// What still comes of it is dropped.
    var isGivenUp = false
  }

  private var loads: [Load] = []
  private var frames = RecordFrames()
  private var last: UInt32 = 0
  /// What has come and was not taken, the oldest first.
  private(set) var events: [(load: UInt32, event: RecordLoadEvent)] = []
  private var refusal: RecordFailure?
  /// How many requests for pages are under way.
  private var askedCount = 0
  /// Whether the last page that came said that there is more.
  private var hasMore = false

  var isEmpty: Bool { loads.isEmpty }

  /// The engine said that there is no more, but has not ended all loads.
  var isStuck: Bool { !loads.isEmpty && askedCount == 0 && !hasMore }

  /// A number for a new load.
  mutating func begin() -> UInt32 {
    last &+= 1
    loads.append(Load(number: last))
    return last
  }

  /// The load was never asked for.
  mutating func forget(_ number: UInt32) { loads.removeAll { $0.number == number } }

  /// The engine refused to begin the load.
  mutating func refuse(_ number: UInt32, _ failure: RecordFailure) {
    forget(number)
    events.append((number, .failed(failure.message)))
    refusal = failure
  }

  /// Why the load that failed last was refused, once.
  mutating func takeRefusal() -> RecordFailure? { refusal.take() }

  /// The request for the next page, if it has to be asked for.
  var nextRequest: RecordRequest? {
    guard hasMore, askedCount == 0 else { return nil }
    return RecordRequest(operation: .recordsNext, room: RecordRequest.pageByteCount)
  }

  mutating func pageAsked() { askedCount += 1 }
  mutating func pageAnswered() { askedCount -= 1 }

  mutating func popEvent() -> (load: UInt32, event: RecordLoadEvent)? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// Takes a page. Its events are added to `events`.
  mutating func take(_ page: RecordStreamPage) throws(WireError) {
    hasMore = page.hasMore
    var loads = loads
    var events: [(load: UInt32, event: RecordLoadEvent)] = []
    defer {
      self.loads = loads
      self.events += events
    }
    try unsafe withBytes(of: page.payload) { (bytes) throws(WireError) in
      let stream = unsafe UnsafeRawBufferPointer(
        rebasing: bytes[RecordStreamPage.flagsByteCount...])
      try unsafe frames.take(stream) { (frame, content) in
        guard let index = loads.firstIndex(where: { $0.number == frame.load }),
          let event = unsafe Self.event(frame, content)
        else { return false }
        if !loads[index].isGivenUp { events.append((frame.load, event)) }
        if frame.kind != .message {
          loads.remove(at: index)
        } else if event.endsLoad {
          loads[index].isGivenUp = true
        }
        return true
      }
    }
  }

  /// Nil if the frame makes no sense.
  private static func event(
    _ frame: RecordFrames.Frame, _ content: UnsafeRawBufferPointer
  ) -> RecordLoadEvent? {
    switch frame.kind {
    case .message where frame.isTooLarge: return .failed(RecordFailure.tooLarge.message)
    case .message:
      var reader = unsafe RecordByteReader(content)
      do throws(WireError) {
        let message = try RecordMessage(from: &reader)
        try reader.finish()
        return .message(message)
      } catch {
        return nil
      }
    case .found: return unsafe content.isEmpty ? .found : nil
    case .notFound: return unsafe content.isEmpty ? .notFound : nil
    case .failed: return .failed(unsafe Array(content))
    }
  }
}

/// A page of the stream in an answer.
struct RecordStreamPage {
  /// More of the stream is there: ask for the next page.
  let hasMore: Bool
  /// The flags, and the part of the stream.
  let payload: [UInt8]

  static let flagsByteCount = 4

  /// Nil if it is malformed.
  init?(_ answer: RecordAnswer) {
    guard answer.payload.count >= Self.flagsByteCount else { return nil }
    hasMore = answer.payload[0] & 1 != 0
    payload = answer.payload
  }
}
