// An engine as its starter sees it: configured, run until it has to end, and gone without a trace.

internal import CEngine
internal import CSluice
internal import SluiceChannel
package import SluiceServer
package import SluiceSystem

package struct EngineConfiguration: Sendable {
  /// Who has the databases' files.
  package enum Files: Sendable {
    /// The file sidecar on this socket.
    case sidecar(String)
    /// A private file sidecar, which takes the host's own names.
    case privateSidecar
    /// The engine itself, beneath this directory (an absolute path).
    case own(String)

    var place: DatabasePlace {
      switch self {
      case .sidecar(let socket): .sidecar(socket: socket)
      case .privateSidecar: .sidecar(socket: nil)
      case .own(let directory): .beneath(directory)
      }
    }

    /// What `sluice stats` shows as the engine's place.
    var name: String {
      switch self {
      case .sidecar(let name), .own(let name): name
      case .privateSidecar: ""
      }
    }
  }

  package var files: Files
  package var server = ServerConfiguration()
  package var confinement = Confinement.full
  package var plugins: PluginSet
  package var services = EngineOffer.Services.all
  /// By which documents' transactions are signed; nil for no documents.
  package var key: SigningKey?
  /// The memory that SQLite takes for all connections together; 0 for no limit.
  package var memoryByteCountMaximum: Int64 = 0

  package init(
    files: Files, server: ServerConfiguration = ServerConfiguration(),
    confinement: Confinement = .full, plugins: PluginSet = .builtIn
  ) {
    self.files = files
    self.server = server
    self.confinement = confinement
    self.plugins = plugins
  }
}

/// Why an engine did not start.
package struct EngineError: Error {
  package let text: String
}

/// An engine in this process, which does nothing else from then on.
package final class EngineProcess {
  private let server: Server

  /// Makes an engine that listens on `socketPath` (zero-terminated) and, if there is a `lifeline`,
  /// ends once that is readable and no session is left.
  package convenience init(
    _ configuration: EngineConfiguration, socketPath: [CChar], lifeline: SharedDescriptor? = nil
  ) throws(EngineError) {
    let socket: (listener: SharedDescriptor, name: SocketName)
    let permissions: UInt32 = configuration.server.users == [processIdentity().user] ? 0o600 : 0o666
    do throws(ServerError) {
      socket = try listen(onSocket: socketPath, permissions: permissions)
    } catch {
      throw EngineError(text: error.description)
    }
    try self.init(
      configuration, .shared(socket.listener, lifeline: lifeline), socketName: socket.name,
      metrics: publicMetrics(socketPath, filesName: configuration.files.name))
  }

  /// Makes a private engine for the client at the other end of `client`.
  package convenience init(
    _ configuration: EngineConfiguration, client: consuming FileDescriptor
  ) throws(EngineError) {
    var configuration = configuration
    if let peer = try? client.peer() { configuration.server.users = [peer.user] }
    try self.init(configuration, .oneClient(client), socketName: nil, metrics: Metrics())
  }

  private init(
    _ configuration: EngineConfiguration, _ entrance: consuming Entrance, socketName: SocketName?,
    metrics: Metrics
  ) throws(EngineError) {
    let place = configuration.files.place
    var filesSocket: String?
    if case .sidecar(let socket) = configuration.files { filesSocket = socket }
    do throws(DatabaseError) {
      let code = cengine_configure_process(configuration.memoryByteCountMaximum)
      guard code == SQLITE_OK else { throw unsafe DatabaseError(of: nil, code) }
      if place.needsLandlock {
        try checkLandlock(configuration.confinement)
      } else {
        try FileBoundary.register()
        // Its session lasts as long as this process, which can make no other one once it is
        // confined.
        try FileBoundary.reach(place)
      }
    } catch {
      socketName?.remove()
      throw EngineError(text: error.message)
    }
    _ = processorCount
    do throws(Errno) {
      server = try Server(
        EngineService(
          EngineOffer(
            at: place, services: configuration.services, plugins: configuration.plugins,
            key: configuration.key),
          filesEnd: filesSocket.flatMap { SidecarWatch.end(ofServerOn: $0) }),
        configuration.server, entrance,
        metrics: metrics, socketName: socketName)
    } catch {
      socketName?.remove()
      throw EngineError(text: "start: \(error.message)")
    }
    server.enter(configuration.confinement, tellsOfLandlock: true, isClient: true)
  }

  /// Serves until the end of what the engine was made for, or a signal (SIGTERM, SIGINT, SIGHUP).
  /// Open transactions are rolled back before it returns.
  package func run() throws(EngineError) {
    do throws(Errno) { try server.run() } catch {
      throw EngineError(text: "epoll_wait: \(error.message)")
    }
  }
}

/// An engine that has files of its own keeps to its directory by Landlock alone.
private func checkLandlock(_ confinement: Confinement) throws(DatabaseError) {
  if confinement == .none || LandlockRuleset.version > 0 { return }
  throw DatabaseError(
    SQLITE_CANTOPEN,
    "--own-files needs Landlock, which this kernel lacks; leave it out, or trust all clients with "
      + "--no-confinement")
}

/// The counters that `sluice stats` shows.
private func publicMetrics(_ socketPath: [CChar], filesName: String) -> Metrics {
  do throws(Errno) {
    return try Metrics(
      socketPath: socketPath, rootPath: cString(filesName), service: SLUICE_METRICS_SQL)
  } catch {
    Log.warning("'sluice stats' does not show this engine: shm_open: \(error.message)")
    return Metrics()
  }
}
