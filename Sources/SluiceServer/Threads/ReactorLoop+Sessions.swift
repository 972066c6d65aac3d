// How sessions and channels come to a reactor, and how they go.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension ReactorLoop {
  func adopt(_ new: Reactor.NewChannel) {
    let id = new.link.id
    let session =
      sessions[id] ?? ServedSession(new.link, service: service.openSession(new.link))
    sessions[id] = session
    polled.add(session.addChannel(number: new.number, new.takeRegions()))
    // The door may have said so before this channel was on its way.
    if new.link.hasEnded { endSession(id) }
  }

  /// A client that died meant what it had submitted. Whatever of it can be done is done.
  func endSession(_ id: UInt64) {
    guard let session = sessions[id] else { return }
    for channel in session.channels where channel.end.hasRequest {
      if case .handedOver = channel.rest { continue }
      serve(channel, atMost: ChannelShape.standard.slotCount)
      // A violation has ended the session: what is opened after that would never be closed.
      guard sessions[id] != nil else { return }
    }
    drop(session)
  }

  func drop(_ session: ServedSession) {
    guard sessions.removeValue(forKey: session.link.id) != nil else { return }
    let channels = session.channels
    for channel in channels { forget(channel) }
    session.end()
    // The client sees it at once, and the door hears that the session is over.
    session.link.socket.descriptor.shutDown()
    reactor.release(max(Reactor.channelsForSession, channels.count))
    let rest = channels.map { session.link.removeChannel($0.number) }.min()
    if rest == 0 { shared.metrics.sessionClosed() }
    stopIfUseless()
  }

  /// Closes one channel. Its session goes on.
  func close(_ channel: ServedChannel) {
    let session = channel.session
    forget(channel)
    session.removeChannel(channel)
    session.link.removeChannel(channel.number)
    if session.channels.count >= Reactor.channelsForSession { reactor.release(1) }
    guard session.channels.isEmpty else { return }
    sessions[session.link.id] = nil
    session.end()
    reactor.release(Reactor.channelsForSession)
    stopIfUseless()
  }

  // MARK: The server's own operations

  func openChannel(_ home: ServedChannel) {
    let session = home.session
    let link = session.link
    do throws(Errno) {
      guard let keeper = try keeperOfNext(session) else { throw Errno.tooManyOpen }
      let maximum = shared.configuration.channelsPerSessionMaximum
      guard let number = link.addChannel(keeper, maximum: maximum) else {
        giveUpRoom(of: keeper, session)
        throw Errno.tooManyOpen
      }
      do throws(Errno) {
        let regions = try ChannelRegions.create(.fittingThisProcess()) {
          (control, io) throws(Errno) in
          try sendChannel(number: number, control: control, io: io, on: link.socket.descriptor)
        }
        if keeper === reactor {
          polled.add(session.addChannel(number: number, regions))
        } else {
          keeper.send(.adopt(Reactor.NewChannel(link, number: number, regions)))
        }
      } catch {
        link.removeChannel(number)
        giveUpRoom(of: keeper, session)
        return home.end.complete(.systemError, errno: error)
      }
      home.end.complete(.done, ChannelFields(channel: UInt64(number)))
    } catch {
      home.end.complete(error == .tooManyOpen ? .limitReached : .systemError, errno: error)
    }
  }

  /// The reactor that will serve the session's next channel, and keeps room for it; nil where there
  /// is no room.
  private func keeperOfNext(_ session: ServedSession) throws(Errno) -> Reactor? {
    if let other = try placement.reactorForChannel() { return other }
    let isKept = session.channels.count < Reactor.channelsForSession
    return isKept || reactor.reserve(1) ? reactor : nil
  }

  private func giveUpRoom(of keeper: Reactor, _ session: ServedSession) {
    if keeper !== reactor { return placement.giveUpRoom(of: keeper) }
    if session.channels.count >= Reactor.channelsForSession { reactor.release(1) }
  }

  func closeChannel(
    _ request: Request, _ home: ServedChannel
  ) throws(ProtocolViolation) -> Outcome {
    let wanted = try home.end.arguments(of: request, as: ChannelFields.self).channel
    let link = home.session.link
    guard let number = UInt32(exactly: wanted), number != 0, number != home.number,
      let keeper = link.keeper(ofChannel: number)
    else {
      home.end.complete(.misuse, errno: .invalid)
      return .answered
    }
    if keeper === reactor {
      // The client need not wait until its regions are unmapped: the channel goes after the answer.
      let channel = home.session.channel(number)
      if let channel { close(channel) }
      home.end.complete(.done)
      withExtendedLifetime(channel) {}
      return .answered
    }
    keeper.closeChannel(number, ofSession: link.id) { [reactor, asker = home.number] in
      reactor.send(.channelClosed(ofSession: link.id, askedBy: asker))
    }
    return .handedOver
  }
}
