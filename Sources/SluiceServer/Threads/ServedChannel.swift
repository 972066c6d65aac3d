// A channel and a session as the thread that serves them keeps them. Confined to that thread.

internal import SluiceChannel

final class ServedChannel {
  let number: UInt32
  let end: ProxyEnd
  let service: any ServiceChannel
  /// The session owns its channels, and the thread uses no channel whose session it has dropped. A
  /// counted reference costs 20 of the 250 ns of a round trip.
  private unowned(unsafe) let owner: ServedSession
  /// Where the thread keeps it.
  var group = Group.atRest
  /// Why it is at rest.
  var rest = Rest.none
  /// Whether its thread has forgotten it.
  var isDropped = false

  enum Group {
    /// Had a request lately.
    case hot
    /// Had none for a while.
    case cold
    /// Its oldest request waits for something, or the channel is dropped.
    case atRest
  }

  enum Rest {
    case none
    /// Its oldest request is served again at this time.
    case until(Int64)
    /// Its oldest request is served again when the waiter says so.
    case waiting(Waiter)
    /// Its oldest request is with another thread.
    case handedOver

    var time: Int64? { if case .until(let time) = self { time } else { nil } }
    var waiter: Waiter? { if case .waiting(let waiter) = self { waiter } else { nil } }
  }

  @inline(__always)
  var session: ServedSession { unsafe owner }

  init(number: UInt32, end: ProxyEnd, service: any ServiceChannel, session: ServedSession) {
    self.number = number
    self.end = end
    self.service = service
    unsafe owner = session
  }
}

/// A session's part in one thread: all of it, or one channel where each has a thread.
final class ServedSession {
  let link: SessionLink
  let service: any ServiceSession
  private(set) var channels: [ServedChannel] = []

  init(_ link: SessionLink, service: any ServiceSession) {
    self.link = link
    self.service = service
  }

  func addChannel(number: UInt32, _ regions: consuming ChannelRegions) -> ServedChannel {
    let end = ProxyEnd(regions)
    let channel = ServedChannel(
      number: number, end: end, service: service.openChannel(number: number, end: end),
      session: self)
    channels.append(channel)
    return channel
  }

  func removeChannel(_ channel: ServedChannel) {
    service.closeChannel(number: channel.number)
    channels.removeAll { $0 === channel }
  }

  func channel(_ number: UInt32) -> ServedChannel? { channels.first { $0.number == number } }

  /// Closes everything.
  func end() {
    service.end()
    channels = []
  }
}
