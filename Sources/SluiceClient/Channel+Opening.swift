// How a session gives channels: its home channel, and further channels through it.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire

extension Session {
  /// The channel that came with the session. It lasts as long as the session.
  public var home: Channel { Channel(session: self, line: homeLine, shortcuts: []) }

  /// Opens another channel. Calls on it may use those of `shortcuts` that the sidecar allows.
  /// Throws `refused(.limitReached)` if the sidecar gives no more; then share a channel.
  public func openChannel(_ shortcuts: Shortcuts = .all) throws(CallError) -> Channel {
    try receiving { () throws(CallError) in
      try unsafe home.call(.channelOpen, NoFields(), replyingWith: ChannelFields.self).reply.channel
    } from: { (socket, number) throws(ConnectError) in
      let line = try receiveChannel(on: socket)
      guard UInt64(line.number) == number else { throw .notASidecar }
      return Channel(session: self, line: line, shortcuts: shortcuts.intersection(allowedShortcuts))
    }
  }
}
