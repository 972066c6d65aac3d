// An engine's channel within one process: the client's end here, and a thread that serves the other
// end with the same code as the engine's process does. So an engine in this process has the same
// results, limits, errors and interruptions.

internal import SluiceChannel
package import SluiceClient
internal import SluiceSystem
internal import SluiceWire

package enum LocalChannel {
  /// Starts the thread. It ends when the session does.
  package static func connect(at place: DatabasePlace) throws(ConnectError) -> RingSession {
    try connect(to: EngineOffer(at: place))
  }

  /// The same for an engine of which there may be several channels.
  package static func connect(to offer: EngineOffer) throws(ConnectError) -> RingSession {
    do throws(Errno) {
      _ = processorCount
      let pair = try SocketPair()
      let far = pair.theirs
      var near: ChannelRegions?
      let regions = try ChannelRegions.create(.fittingThisProcess()) {
        (control, io) throws(Errno) in
        near = try attach(control, io)
      }
      guard let near = near.take() else { throw .invalid }
      let server = LocalServer(regions, far, offer)
      try Thread("sluice-local") { server.run() }.detach()
      return try session(pair.ours, near, wakes: server.wake)
    } catch {
      throw .system(error)
    }
  }

  private static func attach(_ control: Int32, _ io: Int32) throws(Errno) -> ChannelRegions? {
    // They are the other end's.
    let controlDescriptor = FileDescriptor(owning: control)
    let ioDescriptor = FileDescriptor(owning: io)
    do throws(Errno) {
      let regions = try ChannelRegions.attach(control: controlDescriptor, io: ioDescriptor)
      _ = controlDescriptor.release()
      _ = ioDescriptor.release()
      return regions
    } catch {
      _ = controlDescriptor.release()
      _ = ioDescriptor.release()
      throw error
    }
  }

  private static func session(
    _ socket: consuming FileDescriptor, _ regions: consuming ChannelRegions, wakes wake: WakeWord
  ) throws(Errno) -> RingSession {
    do throws(ConnectError) {
      return try RingSession(socket: socket, regions: regions) { wake.signal() }
    } catch {
      throw error.errno
    }
  }
}

/// Confined to its thread once that runs.
private final class LocalServer: @unchecked Sendable {
  private let end: ProxyEnd
  private let channel: EngineChannel
  private let socket: SharedDescriptor
  private let policy = SpinPolicy(nanoseconds: 50_000)
  private var sleep = ChannelSleep()
  private var crowd = Crowd()
  /// The client signals it when its session ends.
  let wake = WakeWord()

  init(
    _ regions: consuming ChannelRegions, _ socket: consuming FileDescriptor, _ offer: EngineOffer
  ) {
    let end = ProxyEnd(regions)
    let socket = SharedDescriptor(socket)
    self.end = end
    self.socket = socket
    channel = EngineChannel(end, offer) { socket.descriptor.peerIsGone() }
  }

  func run() {
    do throws(ProtocolViolation) {
      while true {
        if let request = try end.nextRequest() {
          try serve(request)
        } else if !policy.spin(&crowd, until: { end.hasRequest }), !pause() {
          break
        }
      }
    } catch {
      // The client's end is of the same process: a bug. Its calls fail as the socket closes.
    }
    channel.close()
    socket.descriptor.shutDown()
  }

  private func serve(_ request: Request) throws(ProtocolViolation) {
    switch request.operation {
    case .nothing?:
      channel.doWhatIsDue()
      end.complete(.done)
    case let operation?: try channel.serve(request, operation)
    case nil: end.complete(.unknownOperation)
    }
  }

  /// Sleeps until there is a request; false when the client is gone.
  private func pause() -> Bool {
    end.announceSleep()
    defer { end.endSleep() }
    while !end.hasRequest {
      // Read before the look: a session that ends behind the look changes the word.
      sleep.prepare(wake: wake, signals: wake.signals)
      if socket.descriptor.peerIsGone() { return false }
      let rest = channel.dueAt.map { max(0, $0 - Clock.monotonicNanoseconds()) }
      if rest != 0, sleep.add(end.watch) { sleep.sleep(timeoutNanoseconds: rest) }
      channel.doWhatIsDue()
    }
    return true
  }
}
