// Connections of a space that read, each used by one thread at a time.

internal import SluiceSystem

final class SpaceReaders: Sendable {
  private struct Idle: @unchecked Sendable {
    var connections: [SpaceConnection] = []
  }

  private let name: SpaceName
  private let place: DatabasePlace
  private let idle = FutexLock(Idle())
  /// More are closed after their use.
  private static let idleCountMax = 4

  init(_ name: SpaceName, at place: DatabasePlace) {
    self.name = name
    self.place = place
  }

  /// Gives `body` a connection. All its reads see the space as it was at one time.
  func read<R>(
    _ body: (SpaceConnection) throws(DatabaseError) -> R
  ) throws(SpaceError) -> R {
    let connection: SpaceConnection
    if let known = idle.withLock({ $0.connections.popLast() }) {
      connection = known
    } else {
      connection = try SpaceConnection(name, at: place, for: .read)
    }
    defer {
      idle.withLock { idle in
        if idle.connections.count < Self.idleCountMax { idle.connections.append(connection) }
      }
    }
    return try asSpaceError { () throws(DatabaseError) in
      try connection.consistently { () throws(DatabaseError) in try body(connection) }
    }
  }
}
