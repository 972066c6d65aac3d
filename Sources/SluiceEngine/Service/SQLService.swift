// The SQL service: one database connection for each channel, a thread for each.
//
// Threads: `SQLService` any; the others are confined to the thread of their channel.

internal import CSluice
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class SQLService: Service {
  let place: DatabasePlace
  let plugins: PluginSet
  let pulse = Pulse()

  /// Readable when the file sidecar has ended; nil where that is not watched.
  private let filesEnd: SharedDescriptor?

  init(
    at place: DatabasePlace, plugins: PluginSet = .builtIn, filesEnd: SharedDescriptor? = nil
  ) {
    self.place = place
    self.plugins = plugins
    self.filesEnd = filesEnd
  }

  let operations: ClosedRange<UInt16> = 0x0110...0x01ff
  let features: UInt32 = 0

  var threading: Threading { .perChannel(maximum: 1024) }

  func makeWatch() throws(Errno) -> (any Watch)? { filesEnd.map { SidecarWatch($0) } }

  /// Its files are the file sidecar's.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {}

  func startThread(_ thread: any ServingThread) -> any ServiceThread {
    SQLThread(self, thread.counts)
  }

  func stop() { pulse.stop() }
}

private final class SQLThread: ServiceThread {
  private let service: SQLService
  private let counts: OperationCounts

  init(_ service: SQLService, _ counts: OperationCounts) {
    self.service = service
    self.counts = counts
  }

  func openSession(_ link: SessionLink) -> any ServiceSession { SQLClient(service, link, counts) }
  func alarmRang(now: Int64) {}
  func end() {}
}

private final class SQLClient: ServiceSession {
  private let service: SQLService
  private let link: SessionLink
  private let counts: OperationCounts
  private var channels: [UInt32: SQLChannel] = [:]

  init(_ service: SQLService, _ link: SessionLink, _ counts: OperationCounts) {
    self.service = service
    self.link = link
    self.counts = counts
  }

  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel {
    let channel = SQLChannel(
      end, at: service.place, plugins: service.plugins,
      isClientGone: { [link] in link.isClientGone })
    channels[number] = channel
    service.pulse.add(end)
    return SQLServiceChannel(channel, counts)
  }

  func closeChannel(number: UInt32) {
    guard let channel = channels.removeValue(forKey: number) else { return }
    service.pulse.remove(channel.end)
    channel.session.close()
  }

  func end() { for number in Array(channels.keys) { closeChannel(number: number) } }
}

private final class SQLServiceChannel: ServiceChannel {
  private let channel: SQLChannel
  private let counts: OperationCounts

  init(_ channel: SQLChannel, _ counts: OperationCounts) {
    self.channel = channel
    self.counts = counts
  }

  func serve(
    _ request: Request, _ operation: Operation, now: @autoclosure () -> Int64
  ) throws(ProtocolViolation) -> Outcome {
    try channel.serve(request, operation)
    let done = channel.session.counts
    channel.session.counts = StatementCounts()
    counts.add(done.rows, at: Int(SLUICE_METRICS_SQL_ROWS.rawValue))
    counts.add(done.hits, at: Int(SLUICE_METRICS_SQL_PREPARE_HITS.rawValue))
    counts.add(done.misses, at: Int(SLUICE_METRICS_SQL_PREPARE_MISSES.rawValue))
    return .answered
  }
}
