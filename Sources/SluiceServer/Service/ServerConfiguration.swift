// How many clients a server lets in, and which.

internal import SluiceSystem

package struct ServerConfiguration: Sendable {
  /// The users that may connect. A socket that others than its owner may use is open to all users
  /// of the machine, and the server checks who comes.
  package var users: Set<UInt32> = [processIdentity().user]
  package var sessionsMaximum = 1024
  /// The sessions of one user; nil for an equal share of all.
  package var sessionsPerUser: Int?
  /// A session's channels, its home channel included. One session must not fill a thread.
  package var channelsPerSessionMaximum = 64
  /// How long a server whose lifeline was cut goes on without any session, in milliseconds.
  package var linger = 0

  package init() {}

  var sessionsPerUserMaximum: Int {
    sessionsPerUser ?? max(1, sessionsMaximum / max(1, users.count))
  }
}
