// A server as its starter sees it: made for one service, confined, run until it has to end, and
// gone without a trace.
//
// Folders, each of which names only those before it:
//   Record       the log and the counters
//   Waiting      when a thread looks again at what waits
//   Service      what a service is, and what it is handed
//   Threads      the threads that serve channels
//   Door         listening, greeting, who may come, who has died
//   Confinement  what the process gives up

internal import SluiceChannel
package import SluiceSystem

/// Serves one service. The process does nothing else from then on.
package final class Server {
  private let service: any Service
  private let door: Door
  private let socketName: SocketName?
  private let metrics: Metrics

  /// This process's signals belong to the server from now on. The server removes `socketName` when
  /// it ends.
  package init(
    _ service: any Service, _ configuration: ServerConfiguration, _ entrance: consuming Entrance,
    metrics: Metrics, socketName: SocketName?
  ) throws(Errno) {
    self.service = service
    self.socketName = socketName
    self.metrics = metrics
    let signals = try StopSignals()
    let shared = SharedState(
      service: service, metrics: metrics, life: try Life.create(), configuration: configuration)
    door = try Door(shared, signals: signals, entrance)
  }

  /// Confines this process for good, see Confinement.
  package func enter(
    _ confinement: Confinement, tellsOfLandlock: Bool, isClient: Bool = false
  ) {
    confinement.enter(
      socketPath: socketName?.path, tellsOfLandlock: tellsOfLandlock, isClient: isClient
    ) { (ruleset) throws(Errno) in
      try service.allowItsUse(in: ruleset)
    }
  }

  /// Serves until the end of what the server was made for, or a signal (SIGTERM, SIGINT or SIGHUP;
  /// see Ending). Every session is closed, and its names removed, before it returns.
  package func run() throws(Errno) {
    defer {
      socketName?.remove()
      metrics.removeName()
      Log.finish()
    }
    try door.run()
  }
}
