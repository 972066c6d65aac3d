// What an engine serves, SQL, records and documents: a thread for each channel, and in it the channel's
// database connection, record store, or use of a space.
//
// Threads: `EngineService` any; the others are confined to the thread of their channel.

internal import CSluice
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class EngineService: Service {
  let offer: EngineOffer
  let pulse = Pulse()

  /// Readable when the file sidecar has ended; nil where that is not watched.
  private let filesEnd: SharedDescriptor?

  init(_ offer: EngineOffer, filesEnd: SharedDescriptor? = nil) {
    self.offer = offer
    self.filesEnd = filesEnd
  }

  let operations: ClosedRange<UInt16> = 0x0110...0x03ff
  let features: UInt32 = 0

  var threading: Threading { .perChannel(maximum: 1024) }

  func makeWatch() throws(Errno) -> (any Watch)? { filesEnd.map { SidecarWatch($0) } }

  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    try offer.place.allowItsUse(in: ruleset)
  }

  func startThread(_ thread: any ServingThread) -> any ServiceThread {
    EngineThread(self, thread)
  }

  func stop() { pulse.stop() }
}

private final class EngineThread: ServiceThread {
  private let service: EngineService
  private let thread: any ServingThread
  private var clients: [ObjectIdentifier: WeakClient] = [:]

  private struct WeakClient { weak var client: EngineClient? }

  init(_ service: EngineService, _ thread: any ServingThread) {
    self.service = service
    self.thread = thread
  }

  func openSession(_ link: SessionLink) -> any ServiceSession {
    let client = EngineClient(service, link, thread)
    clients[ObjectIdentifier(client)] = WeakClient(client: client)
    return client
  }

  func alarmRang(now: Int64) {
    clients = clients.filter { $0.value.client != nil }
    for client in clients.values { client.client?.doWhatIsDue() }
  }

  func end() {}
}

private final class EngineClient: ServiceSession {
  private let service: EngineService
  private let link: SessionLink
  private let thread: any ServingThread
  private var channels: [UInt32: EngineChannel] = [:]

  init(_ service: EngineService, _ link: SessionLink, _ thread: any ServingThread) {
    self.service = service
    self.link = link
    self.thread = thread
  }

  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel {
    let channel = EngineChannel(
      end, service.offer, isClientGone: { [link] in link.isClientGone })
    channels[number] = channel
    service.pulse.add(end)
    return CountedChannel(channel, thread)
  }

  func closeChannel(number: UInt32) {
    guard let channel = channels.removeValue(forKey: number) else { return }
    service.pulse.remove(channel.end)
    channel.close()
  }

  func end() { for number in Array(channels.keys) { closeChannel(number: number) } }

  func doWhatIsDue() {
    for channel in channels.values {
      channel.doWhatIsDue()
      thread.countRecords(of: channel)
      if let time = channel.dueAt { thread.post.alarm.set(time) }
    }
  }
}

private final class CountedChannel: ServiceChannel {
  private let channel: EngineChannel
  private let thread: any ServingThread

  init(_ channel: EngineChannel, _ thread: any ServingThread) {
    self.channel = channel
    self.thread = thread
  }

  func serve(
    _ request: Request, _ operation: Operation, now: @autoclosure () -> Int64
  ) throws(ProtocolViolation) -> Outcome {
    try channel.serve(request, operation)
    if let time = channel.dueAt { thread.post.alarm.set(time) }
    if let done = channel.takeCounts() {
      thread.counts.add(done.rows, at: Int(SLUICE_METRICS_SQL_ROWS.rawValue))
      thread.counts.add(done.hits, at: Int(SLUICE_METRICS_SQL_PREPARE_HITS.rawValue))
      thread.counts.add(done.misses, at: Int(SLUICE_METRICS_SQL_PREPARE_MISSES.rawValue))
    }
    thread.countRecords(of: channel)
    return .answered
  }
}

extension ServingThread {
  fileprivate func countRecords(of channel: EngineChannel) {
    guard let done = channel.takeRecordCounts(), done != RecordCounts() else { return }
    counts.add(done.stored, at: Int(SLUICE_METRICS_RECORDS_STORED.rawValue))
    counts.add(done.loads, at: Int(SLUICE_METRICS_RECORDS_LOADS.rawValue))
    counts.add(done.chunks, at: Int(SLUICE_METRICS_RECORDS_CHUNKS.rawValue))
    counts.add(done.erased, at: Int(SLUICE_METRICS_RECORDS_ERASED.rawValue))
  }
}
