// One connection as a value: bytes and times in, bytes and events out, no system call.
//
//   greeting    the request's head is read
//   asked       the request is whole, the handler has not answered yet
//   open        messages both ways
//   closing     our Close is sent, the client's is awaited; its messages are thrown away
//   finishing   what is left to be sent is sent, then our side is shut; its bytes are thrown away until
//               it shuts its own. Ending at once would make the kernel reset the connection, and the
//               client could lose our last bytes.
//   over
//
// Times are milliseconds of a clock that never goes back.

struct WebSocketConnection: Sendable {
  enum Event: Equatable, Sendable {
    /// Ask the handler, then call `accept` or `refuse`, and `readRest`.
    case asked(UpgradeRequest)
    case message(WebSocketMessage)
    /// The client closes the session, or has broken the protocol. Send what answers the messages before,
    /// then call `end`.
    case ending(CloseCode?, reason: String)
  }

  private enum Phase: Equatable {
    case greeting
    case asked(UpgradeRequest)
    case open
    case closing
    case finishing
    case over
  }

  private let limits: WebSocketLimits
  private let origins: OriginRule
  /// Too many sessions are there already. The client is told once it has asked.
  private let isSurplus: Bool
  private var phase = Phase.greeting
  private var head: [UInt8] = []
  private var frames: FrameReader

  /// Bytes for the client, those up to `sentByteCount` sent.
  private var output: [UInt8] = []
  private var sentByteCount = 0

  private var phaseStart: Int64
  private var lastInput: Int64
  private var pingStart: Int64?
  private var messageStart: Int64?
  /// When the client last took a byte, or there was the first to take.
  private var lastOutput: Int64

  /// What waited at `dueStart` and has to be taken in time. Zero if nothing waits.
  private var dueByteCount = 0
  private var dueStart: Int64

  /// Why the session ended; nil if it has not, or without a code.
  private(set) var closeCode: CloseCode?

  init(limits: WebSocketLimits, origins: OriginRule, isSurplus: Bool, now: Int64) {
    self.limits = limits
    self.origins = origins
    self.isSurplus = isSurplus
    frames = FrameReader(limits: limits)
    phaseStart = now
    lastInput = now
    lastOutput = now
    dueStart = now
  }

  var isOpen: Bool { phase == .open }
  var isOver: Bool { phase == .over }
  /// Whether it counts as one of the sessions that there may be.
  var takesRoom: Bool { !isSurplus && phase != .finishing && phase != .over }
  var frameCount: Int { frames.frameCount }
  /// What is kept of the client's bytes.
  var heldByteCount: Int { head.count + frames.heldByteCount }
  var unsentByteCount: Int { output.count - sentByteCount }
  /// Whether all is sent, and our side has to be shut.
  var isToBeShut: Bool { phase == .finishing && unsentByteCount == 0 }

  /// Whether the client's bytes are wanted. Not of one that does not take its answers.
  var wantsInput: Bool {
    switch phase {
    case .asked, .over: false
    case .open: unsentByteCount <= limits.outputByteCountMax / 2
    case .greeting, .closing, .finishing: true
    }
  }

  // MARK: Input

  /// Takes bytes that have come.
  mutating func receive(_ bytes: ArraySlice<UInt8>, now: Int64) -> [Event] {
    lastInput = now
    pingStart = nil
    switch phase {
    case .greeting: return receiveHead(bytes, now)
    case .open, .closing: return receiveFrames(bytes, now)
    case .asked, .finishing, .over: return []
    }
  }

  /// The client will send no more.
  mutating func receiveEnd() { phase = .over }

  private mutating func receiveHead(_ bytes: ArraySlice<UInt8>, _ now: Int64) -> [Event] {
    // The empty line may have begun in the bytes before.
    let start = max(0, head.count - 3)
    head.append(contentsOf: bytes)
    var end = start
    while end + 4 <= head.count, head[end..<end + 4] != [13, 10, 13, 10] { end += 1 }
    guard end + 4 <= head.count, end + 4 <= limits.headByteCountMax else {
      if head.count >= limits.headByteCountMax { refuse(.headTooLarge, now: now) }
      return []
    }
    do throws(HTTPRefusal) {
      let request = try UpgradeRequest(
        HTTPHead(head[..<(end + 4)], fieldCountMax: limits.headerCountMax), origins: origins)
      if isSurplus { throw .tooManySessions }
      head.removeFirst(end + 4)
      phase = .asked(request)
      return [.asked(request)]
    } catch {
      refuse(error, now: now)
      return []
    }
  }

  private mutating func receiveFrames(_ bytes: ArraySlice<UInt8>, _ now: Int64) -> [Event] {
    var events: [Event] = []
    let wholeCount = frames.wholeCount
    for event in frames.read(bytes) {
      switch event {
      case .message(let message):
        if phase == .open { events.append(.message(message)) }
      case .ping(let payload):
        if phase == .open { write(now) { FrameWriter.append(.pong, payload, to: &$0) } }
      case .pong: break
      case .close(let code, _): events.append(.ending(code, reason: ""))
      case .violation(let code, let reason): events.append(.ending(code, reason: reason))
      }
    }
    if frames.wholeCount != wholeCount { messageStart = nil }
    messageStart = frames.isAmid ? messageStart ?? now : nil
    return events
  }

  // MARK: Answers

  /// Begins the session. `readRest` gives what the client has sent already.
  mutating func accept(now: Int64) {
    guard case .asked(let request) = phase else { return }
    write(now) { $0.append(contentsOf: request.acceptance) }
    begin(.open, now)
  }

  mutating func refuse(_ refusal: HTTPRefusal, now: Int64) {
    write(now) { $0.append(contentsOf: refusal.response) }
    head = []
    begin(.finishing, now)
  }

  mutating func readRest(now: Int64) -> [Event] {
    let rest = head
    head = []
    return rest.isEmpty || phase != .open ? [] : receiveFrames(rest[...], now)
  }

  mutating func send(_ message: WebSocketMessage, now: Int64) {
    guard phase == .open else { return }
    write(now) { FrameWriter.append(message, to: &$0) }
  }

  /// Sends Close, and awaits the client's.
  mutating func close(_ code: CloseCode, reason: String, now: Int64) {
    guard phase == .open else { return }
    write(now) { FrameWriter.appendClose(code, reason: reason, to: &$0) }
    closeCode = code
    begin(.closing, now)
  }

  /// Sends Close unless that is done, and awaits no answer.
  mutating func end(_ code: CloseCode?, reason: String, now: Int64) {
    guard phase == .open || phase == .closing else { return }
    if phase == .open {
      write(now) { FrameWriter.appendClose(code, reason: reason, to: &$0) }
      closeCode = code
    }
    frames.stop()
    begin(.finishing, now)
  }

  /// Lets go of what is kept of the client's bytes, because all clients' are too many. It may come again.
  mutating func endForTooMuchHeld(now: Int64) {
    if phase == .greeting {
      refuse(.tooMuchHeld, now: now)
    } else {
      end(.tryAgainLater, reason: "too many large messages", now: now)
    }
  }

  private mutating func begin(_ phase: Phase, _ now: Int64) {
    self.phase = phase
    phaseStart = now
  }

  private mutating func write(_ now: Int64, _ body: (inout [UInt8]) -> Void) {
    if unsentByteCount == 0 { lastOutput = now }
    body(&output)
    if dueByteCount == 0 { beginDue(now) }
  }

  // MARK: Output

  /// What waits now has its own time. What comes behind it has another.
  private mutating func beginDue(_ now: Int64) {
    dueByteCount = unsentByteCount
    dueStart = now
  }

  /// Ends the connection, because what waits for all clients is too much. A Close would have to wait
  /// behind the frame that is being sent.
  mutating func cutOff() {
    if closeCode == nil { closeCode = .tryAgainLater }
    phase = .over
  }

  /// Calls `body` with the bytes that are to be sent. It gives how many of them were.
  mutating func sendOutput<E: Error>(
    now: Int64, _ body: (UnsafeRawBufferPointer) throws(E) -> Int
  ) throws(E) {
    guard unsentByteCount > 0 else { return }
    let start = sentByteCount
    let result = unsafe output.withUnsafeBytes { bytes -> Result<Int, E> in
      do throws(E) {
        return .success(try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[start...])))
      } catch { return .failure(error) }
    }
    let count = try result.get()
    sentByteCount += count
    if count > 0 { lastOutput = now }
    dueByteCount -= count
    if dueByteCount <= 0 { beginDue(now) }
    if unsentByteCount == 0 {
      output.removeAll(keepingCapacity: output.count <= 65536)
      sentByteCount = 0
    } else if sentByteCount > 1 << 20, sentByteCount > output.count / 2 {
      output.removeFirst(sentByteCount)
      sentByteCount = 0
    }
  }

  // MARK: Time

  /// Does what the time asks for. To be called now and then.
  /// `isPaused` says that the client's bytes are not read now, `isHeld` that the handler wants it so.
  mutating func passTime(now: Int64, isPaused: Bool, isHeld: Bool = false) {
    if unsentByteCount > 0,
      now - lastOutput >= limits.stallMilliseconds || now - dueStart >= limits.outputMilliseconds
    {
      phase = .over
    }
    switch phase {
    case .greeting:
      if now - phaseStart >= limits.greetingMilliseconds { refuse(.tooSlow, now: now) }
    case .open: passOpenTime(now, isPaused: isPaused, isHeld: isHeld)
    case .closing, .finishing:
      if unsentByteCount == 0, now - max(phaseStart, lastOutput) >= limits.closeMilliseconds {
        phase = .over
      }
    case .asked, .over: break
    }
  }

  private mutating func passOpenTime(_ now: Int64, isPaused: Bool, isHeld: Bool) {
    // A client could keep half a message for ever, if its own doing gave it more time: too many frames,
    // or answers that it does not take.
    if isHeld { messageStart = messageStart.map { _ in now } }
    if let start = messageStart, now - start >= limits.messageMilliseconds {
      return end(.policyViolation, reason: "the message is too slow", now: now)
    }
    // Whose bytes are not read may have answered.
    if isPaused || !wantsInput {
      lastInput = now
      pingStart = nil
      return
    }
    // The bytes that it takes are signs of life too: a Ping waits behind them.
    if unsentByteCount > 0 {
      lastInput = max(lastInput, lastOutput)
      pingStart = pingStart.map { max($0, lastOutput) }
    }
    if let start = pingStart {
      if now - start >= limits.pongMilliseconds { phase = .over }
    } else if now - lastInput >= limits.pingMilliseconds {
      write(now) { FrameWriter.append(.ping, [], to: &$0) }
      pingStart = now
    }
  }
}
