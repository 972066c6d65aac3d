// The loop of a WebSocketServer. Confined to the server's thread.

internal import SluiceServer
internal import SluiceSystem

final class WebSocketLoop {
  /// A connection, its socket, and its session.
  private final class Client {
    let descriptor: FileDescriptor
    var connection: WebSocketConnection
    let session: WebSocketSession
    var bucket: RateBucket
    /// Whether the handler knows the session.
    var isGreeted = false
    var isHeld = false
    /// Whether our side of the stream is shut.
    var isShut = false
    /// Whether it had as many frames as it may for now.
    var isSpent = false
    /// The client's share of `heldByteCount`.
    var heldByteCount = 0

    /// What waits to be sent, unless the connection is over.
    var waitingByteCount: Int { connection.isOver ? 0 : connection.unsentByteCount }

    var wantsInput: Bool { connection.wantsInput && !isHeld && !isSpent }

    init(
      _ descriptor: consuming FileDescriptor, _ connection: WebSocketConnection,
      _ session: WebSocketSession, _ bucket: RateBucket
    ) {
      self.descriptor = descriptor
      self.connection = connection
      self.session = session
      self.bucket = bucket
    }
  }

  private static let inputByteCount = 64 << 10
  private static let outputByteCount = 256 << 10
  /// Connections that are taken only to be told that there are too many.
  private static let surplusCountMax = 64
  private static let acceptCountPerRoundMax = 32
  /// How long no connection is taken after the system had no room for one.
  private static let acceptPauseMilliseconds: Int64 = 1000
  /// How soon poll(2) is called again after it has failed.
  private static let failureMilliseconds: Int64 = 50
  /// How soon a limit of rates is looked at again.
  private static let rateMilliseconds: Int64 = 50

  private var listener: SharedDescriptor?
  private let limits: WebSocketLimits
  private let origins: OriginRule
  private let handler: any WebSocketHandler
  private let mailbox: WebSocketMailbox
  private let calls: any WebSocketCalls

  private var clients: [Client] = []
  /// By the session's number.
  private var clientsByNumber: [UInt64: Client] = [:]
  private var lastNumber: UInt64 = 0
  /// Of all connections.
  private var heldByteCount = 0
  private var accepting: RateBucket
  /// No connection is taken before: the system had no room for one.
  private var acceptTime: Int64 = 0
  private var nextTick: Int64 = 0
  /// Whether the last poll(2) has failed.
  private var isFailing = false
  /// When the loop ends, whoever is left.
  private var end: Int64?
  private var input: [UInt8]

  init(
    listener: SharedDescriptor, limits: WebSocketLimits, origins: OriginRule,
    handler: any WebSocketHandler, mailbox: WebSocketMailbox,
    calls: any WebSocketCalls = SystemWebSocketCalls()
  ) {
    self.listener = listener
    self.limits = limits
    self.origins = origins
    self.handler = handler
    self.mailbox = mailbox
    self.calls = calls
    accepting = RateBucket(perSecond: limits.connectionsPerSecondMax, now: Self.now())
    input = [UInt8](repeating: 0, count: Self.inputByteCount)
  }

  private static func now() -> Int64 { Clock.monotonicNanoseconds() / 1_000_000 }

  func run() {
    while end == nil || (!clients.isEmpty && Self.now() < end!) { serveOnce() }
    for client in clients { forget(client) }
  }

  private func serveOnce() {
    var now = Self.now()
    let acceptsConnections = acceptsConnections(now)
    var entries = [PollEntry(mailbox.bell.descriptor.rawValue, input: true, output: false)]
    if let listener {
      entries.append(
        PollEntry(listener.descriptor.rawValue, input: acceptsConnections, output: false))
    }
    let firstClient = entries.count
    for client in clients {
      client.isSpent = !client.bucket.hasSome(now: now)
      entries.append(
        PollEntry(
          client.descriptor.rawValue, input: client.wantsInput,
          output: client.connection.unsentByteCount > 0))
    }
    let isPolled = wait(&entries, timeout(now, isAccepting: acceptsConnections))
    now = Self.now()
    if entries[0].hasInput || !isPolled { takeMail(now) }
    // The clients of this round: `accept` adds others behind them.
    for (client, entry) in zip(clients, entries[firstClient...]) { serve(client, entry, now) }
    if firstClient == 2, listener != nil, entries[1].hasInput { accept(now) }
    if now >= nextTick {
      nextTick = now + limits.tickMilliseconds
      for client in clients { passTime(client, now) }
    }
    boundOutput()
    if clients.contains(where: { $0.connection.isOver }) {
      let over = clients.filter { $0.connection.isOver }
      clients.removeAll { $0.connection.isOver }
      for client in over { forget(client) }
    }
  }

  /// False if poll(2) has failed, for instance for want of memory. Then nothing is known of the entries,
  /// and a short time has passed. Mail and deadlines do not wait for poll(2).
  private func wait(_ entries: inout [PollEntry], _ timeoutMilliseconds: Int32) -> Bool {
    do throws(Errno) {
      try calls.wait(&entries, timeoutMilliseconds: timeoutMilliseconds)
      isFailing = false
      return true
    } catch {
      if !isFailing { Log.warning("websocket: poll: \(error.message)") }
      isFailing = true
      Clock.sleep(nanoseconds: Self.failureMilliseconds * 1_000_000)
      return false
    }
  }

  private func timeout(_ now: Int64, isAccepting: Bool) -> Int32 {
    if clients.contains(where: \.isSpent) || (listener != nil && !isAccepting) {
      return Int32(Self.rateMilliseconds)
    }
    return clients.isEmpty && end == nil ? -1 : Int32(clamping: max(0, nextTick - now))
  }

  // MARK: Connections

  private func acceptsConnections(_ now: Int64) -> Bool {
    clients.count < limits.sessionCountMax + Self.surplusCountMax && now >= acceptTime
      && accepting.hasSome(now: now)
  }

  private func accept(_ now: Int64) {
    guard let listener else { return }
    for _ in 0..<Self.acceptCountPerRoundMax where acceptsConnections(now) {
      do throws(Errno) {
        let descriptor = try calls.accept(listener)
        accepting.take(1)
        add(descriptor, now)
      } catch {
        switch error {
        case .again: return
        case .tooManyOpen, .tooManyOpenInSystem, .outOfMemory, .noBufferSpace:
          Log.warning("websocket: accept: \(error.message)")
          acceptTime = now + Self.acceptPauseMilliseconds
          return
        default: continue
        }
      }
    }
  }

  private func add(_ descriptor: consuming FileDescriptor, _ now: Int64) {
    lastNumber += 1
    let sessionCount = clients.count { $0.connection.takesRoom }
    let client = Client(
      descriptor,
      WebSocketConnection(
        limits: limits, origins: origins, isSurplus: sessionCount >= limits.sessionCountMax,
        now: now),
      WebSocketSession(
        number: lastNumber, byteCountMax: limits.outputByteCountMax, mailbox: mailbox),
      RateBucket(perSecond: limits.framesPerSecondMax, now: now))
    if clients.isEmpty { nextTick = now + limits.tickMilliseconds }
    clients.append(client)
    clientsByNumber[lastNumber] = client
  }

  private func forget(_ client: Client) {
    clientsByNumber.removeValue(forKey: client.session.number)
    heldByteCount -= client.heldByteCount
    client.session.end()
    if client.isGreeted { handler.ended(client.session, code: client.connection.closeCode) }
  }

  // MARK: Clients

  private func serve(_ client: Client, _ entry: PollEntry, _ now: Int64) {
    if client.wantsInput, entry.hasInput || entry.isBroken {
      receive(client, now)
    } else if entry.isBroken {
      client.connection.receiveEnd()
    }
    if entry.hasOutput || client.connection.unsentByteCount > 0 || client.connection.isToBeShut {
      send(client, now)
    }
  }

  private func receive(_ client: Client, _ now: Int64) {
    let count: Int
    do throws(Errno) {
      count = try receive(from: client.descriptor)
    } catch {
      if error != .again { client.connection.receiveEnd() }
      return
    }
    if count == 0 { return client.connection.receiveEnd() }
    let frameCount = client.connection.frameCount
    handle(client.connection.receive(input[..<count], now: now), client, now)
    client.bucket.take(client.connection.frameCount - frameCount)
    noteHeld(client)
    // All were within the bound before, so it is these bytes that went beyond it.
    if heldByteCount > limits.heldByteCountMax {
      client.connection.endForTooMuchHeld(now: now)
      noteHeld(client)
    }
  }

  private func noteHeld(_ client: Client) {
    heldByteCount += client.connection.heldByteCount - client.heldByteCount
    client.heldByteCount = client.connection.heldByteCount
  }

  private func receive(from descriptor: borrowing FileDescriptor) throws(Errno) -> Int {
    // `Array.withUnsafeMutableBytes` does not say what it throws.
    let result = unsafe input.withUnsafeMutableBytes { bytes -> Result<Int, Errno> in
      do throws(Errno) {
        return .success(try unsafe descriptor.receiveStream(into: bytes))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  private func handle(_ events: [WebSocketConnection.Event], _ client: Client, _ now: Int64) {
    for event in events {
      switch event {
      case .asked(let request):
        if let refusal = handler.greet(request, client.session) {
          client.connection.refuse(refusal, now: now)
        } else {
          client.isGreeted = true
          client.connection.accept(now: now)
          handle(client.connection.readRest(now: now), client, now)
        }
      case .message(let message): handler.receive(message, from: client.session)
      case .ending(let code, let reason):
        deliverMail(of: client, now)
        client.connection.end(code, reason: reason, now: now)
      }
    }
  }

  private func send(_ client: Client, _ now: Int64) {
    do throws(Errno) {
      try unsafe client.connection.sendOutput(now: now) { bytes throws(Errno) in
        let count = min(bytes.count, Self.outputByteCount)
        return try unsafe client.descriptor.sendStream(
          UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      }
    } catch {
      if error != .again { client.connection.receiveEnd() }
    }
    if client.session.report(unsentByteCount: client.connection.unsentByteCount) {
      handler.drained(client.session)
    }
    if client.connection.isToBeShut, !client.isShut {
      client.descriptor.endStream()
      client.isShut = true
    }
  }

  private func takeMail(_ now: Int64) {
    let taken = mailbox.take()
    for session in taken.sessions {
      if let client = clientsByNumber[session.number] { deliverMail(of: client, now) }
    }
    if taken.isStopping, end == nil { beginEnd(now) }
  }

  private func deliverMail(of client: Client, _ now: Int64) {
    let mail = client.session.takeMail()
    client.isHeld = mail.isHeld
    for message in mail.messages { client.connection.send(message, now: now) }
    if let close = mail.close {
      client.connection.close(close.code, reason: close.reason, now: now)
    }
  }

  private func beginEnd(_ now: Int64) {
    listener = nil
    end = now + limits.closeMilliseconds
    for client in clients {
      if client.connection.isOpen {
        client.connection.close(.goingAway, reason: "the server ends", now: now)
      } else if !client.isGreeted {
        client.connection.receiveEnd()
      }
    }
  }

  /// Cuts off those for which most waits, until what waits for all is within its bound.
  private func boundOutput() {
    var byteCount = clients.reduce(0) { $0 + $1.waitingByteCount }
    while byteCount > limits.allOutputByteCountMax,
      let client = clients.max(by: { $0.waitingByteCount < $1.waitingByteCount })
    {
      byteCount -= client.waitingByteCount
      client.connection.cutOff()
    }
  }

  private func passTime(_ client: Client, _ now: Int64) {
    client.connection.passTime(now: now, isPaused: !client.wantsInput, isHeld: client.isHeld)
    noteHeld(client)
    if client.connection.unsentByteCount > 0 { send(client, now) }
  }
}
