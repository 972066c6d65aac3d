// What one server and one session may cost. Everything that a client decides has a bound here.

package struct WebSocketLimits: Sendable {
  /// The request line and headers of an upgrade: a token, and 8 KiB of others.
  package var headByteCountMax = AccessToken.byteCountMax + (8 << 10)
  package var headerCountMax = 64
  /// The payload of one data frame.
  package var frameByteCountMax = 16 << 20
  /// The payload of all frames of a message.
  package var messageByteCountMax = 16 << 20

  /// What is kept of all clients' messages that are not whole. Whoever goes beyond it has to come again.
  package var heldByteCountMax = 256 << 20

  /// What waits to be sent to one client. A message is taken if it fits, or if nothing waits.
  package var outputByteCountMax = 32 << 20

  /// What waits to be sent to all clients. Beyond it, the client for which most waits is cut off.
  package var allOutputByteCountMax = 512 << 20

  /// Clients at a time; later ones get 503.
  package var sessionCountMax = 1024
  /// New connections. Beyond it the next ones wait in the listener's queue.
  package var connectionsPerSecondMax = 200
  /// Frames of one client. Beyond it the client's bytes wait in its socket.
  package var framesPerSecondMax = 2000

  /// From the connection to the end of the upgrade's head.
  package var greetingMilliseconds: Int64 = 10_000
  /// From the first byte of a message to its last.
  package var messageMilliseconds: Int64 = 60_000
  /// Without a byte from the client, the time until it is pinged.
  package var pingMilliseconds: Int64 = 30_000
  /// And from then on, the time until its session ends.
  package var pongMilliseconds: Int64 = 15_000
  /// From our Close frame to the end of the connection.
  package var closeMilliseconds: Int64 = 5_000
  /// How long a client may take no byte of what waits for it.
  package var stallMilliseconds: Int64 = 30_000
  /// How long a client may take for all that waits for it at one time.
  package var outputMilliseconds: Int64 = 600_000

  package init() {}

  /// How often deadlines are looked at: four times within the shortest.
  var tickMilliseconds: Int64 {
    let shortest = [
      greetingMilliseconds, messageMilliseconds, pingMilliseconds, pongMilliseconds,
      closeMilliseconds, stallMilliseconds, outputMilliseconds,
    ].min()!
    return max(10, min(1000, shortest / 4))
  }
}
