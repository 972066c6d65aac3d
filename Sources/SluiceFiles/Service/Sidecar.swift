// A sidecar for files as its starter sees it: configured, run until it has to end, and gone without
// a trace.

internal import CSluice
public import SluiceServer
public import SluiceSystem

/// Why a sidecar did not start.
public enum SidecarError: Error, Sendable {
  case root(path: String, Errno)
  case alsoDirectory(path: String, Errno)
  /// An also-directory that is read only lies in a directory that may be written.
  case contradiction(inner: String, outer: String)
  /// Its socket cannot be had; why.
  case socket(String)
  case system(call: String, Errno)

  public var description: String {
    switch self {
    case .root(let path, .accessDenied):
      "root \(path): \(Errno.accessDenied.message); the sidecar's user must be able to enter it"
    case .root(let path, let errno): "root \(path): \(errno.message)"
    case .alsoDirectory(let path, let errno): "--also \(path): \(errno.message)"
    case .contradiction(let inner, let outer):
      "--also \(inner):ro: files in it could be written as files of \(outer)"
    case .socket(let reason): reason
    case .system(let call, .fileTooLarge):
      "\(call): \(Errno.fileTooLarge.message); raise the file-size limit (ulimit -f)"
    case .system(let call, let errno): "\(call): \(errno.message)"
    }
  }
}

/// A sidecar in this process, which does nothing else from then on.
public final class Sidecar {
  private let server: Server
  /// The file system of its root. File systems that are mounted beneath the root may be of other
  /// kinds.
  public let rootFileSystem: FileSystemKind
  /// Those of the also-directories, in their order.
  public let alsoFileSystems: [FileSystemKind]

  /// Makes a shared sidecar that listens on `socketPath` (zero-terminated). This process's signals
  /// belong to it from now on, and the process is confined as configured, for good. Once `lifeline`
  /// is readable, the sidecar ends when it has had no session for the configured time.
  public convenience init(
    _ configuration: SidecarConfiguration, socketPath: [CChar], lifeline: SharedDescriptor? = nil
  ) throws(SidecarError) {
    // Before the socket has a name: who finds one may believe that the sidecar will serve.
    let roots = try makeRoots(configuration)
    let metrics = try publicMetrics(configuration, socketPath)
    let socket: (listener: SharedDescriptor, name: SocketName)
    let permissions: UInt32 = configuration.server.users == [processIdentity().user] ? 0o600 : 0o666
    do throws(ServerError) {
      socket = try listen(onSocket: socketPath, permissions: permissions)
    } catch {
      throw .socket(error.description)
    }
    try self.init(
      configuration, roots, .shared(socket.listener, lifeline: lifeline), metrics: metrics,
      socketName: socket.name)
  }

  /// Makes a private sidecar for the client at the other end of `client`.
  public convenience init(
    _ configuration: SidecarConfiguration, client: consuming FileDescriptor
  ) throws(SidecarError) {
    var configuration = configuration
    configuration.isPrivate = true
    // The client's effective user. This process has the client's file-system user, which may be
    // another.
    if let peer = try? client.peer() { configuration.server.users = [peer.user] }
    try self.init(
      configuration, try makeRoots(configuration), .oneClient(client), metrics: Metrics(),
      socketName: nil)
  }

  private init(
    _ configuration: SidecarConfiguration, _ roots: Roots, _ entrance: consuming Entrance,
    metrics: Metrics, socketName: SocketName?
  ) throws(SidecarError) {
    rootFileSystem = roots.main.fileSystemKind
    alsoFileSystems = roots.others.map(\.fileSystemKind)
    var configuration = configuration
    // A file takes two descriptors, its own and its directory's. A session may have half of all.
    configuration.filesPerSessionMaximum = min(
      configuration.filesPerSessionMaximum, max(16, raiseDescriptorLimit() / 4))
    let files = FileTable(
      metrics: metrics,
      quota: configuration.quotaByteCount.map {
        Quota($0, root: roots.main) { Log.warning("counting the files beneath the root") }
      }, unusedCountMaximum: min(64, configuration.filesPerSessionMaximum / 2),
      syncDelayNanoseconds: configuration.syncDelayNanoseconds)
    let (windows, windowKeeper) = makeWindows(
      configuration, files: files, metrics: metrics)
    let service = FileService(
      FileParts(
        roots: roots, files: files, windows: windows, windowKeeper: windowKeeper,
        configuration: configuration, metrics: metrics))
    // Later this process has no /proc and no /sys.
    _ = processorCount
    do throws(Errno) {
      server = try Server(
        service, configuration.server, entrance, metrics: metrics, socketName: socketName)
    } catch {
      socketName?.remove()
      throw .system(call: "start", error)
    }
    // A private sidecar would say to every program that starts one that there is no Landlock, and
    // loses less by it.
    server.enter(configuration.confinement, tellsOfLandlock: !roots.main.usesHostPaths)
  }

  /// Serves until the end of what the sidecar was made for, or a signal (SIGTERM, SIGINT or
  /// SIGHUP). Every lock and file is given back, and the socket's name removed, before it returns.
  public func run() throws(SidecarError) {
    do throws(Errno) { try server.run() } catch { throw .system(call: "epoll_wait", error) }
  }
}

extension Confinement {
  /// Confines this process for good, as a sidecar that serves `rootPath` (zero-terminated) is
  /// confined.
  public func enter(rootPath: [CChar]) throws(SidecarError) {
    do throws(Errno) {
      let root = try Root(rootPath)
      enter(socketPath: nil, tellsOfLandlock: !root.usesHostPaths) { (ruleset) throws(Errno) in
        try root.allowItsUse(in: ruleset)
      }
    } catch {
      throw .root(path: String(zeroTerminated: rootPath), error)
    }
  }
}

private func makeRoots(_ configuration: SidecarConfiguration) throws(SidecarError) -> Roots {
  func root<R>(_ body: () throws(Errno) -> R) throws(SidecarError) -> R {
    do throws(Errno) { return try body() } catch {
      throw .root(path: String(zeroTerminated: configuration.rootPath ?? cString("/")), error)
    }
  }
  let main = try root { () throws(Errno) in
    try Root(configuration.rootPath, isReadOnly: configuration.isReadOnly)
  }
  var others: [Root] = []
  for also in configuration.alsoDirectories {
    let isReadOnly = also.isReadOnly || configuration.isReadOnly
    do throws(Errno) {
      others.append(try Root(also.path, isReadOnly: isReadOnly, besides: main))
    } catch {
      throw .alsoDirectory(path: String(zeroTerminated: also.path), error)
    }
  }
  let roots = try root { () throws(Errno) in try Roots(main, others) }
  if let (inner, outer) = try root({ () throws(Errno) in try roots.contradiction() }) {
    throw .contradiction(
      inner: String(decoding: inner, as: UTF8.self), outer: String(decoding: outer, as: UTF8.self))
  }
  return roots
}

/// The counters that `sluice stats` shows. Its reader works in another directory.
private func publicMetrics(
  _ configuration: SidecarConfiguration, _ socketPath: [CChar]
) throws(SidecarError) -> Metrics {
  do throws(Errno) {
    return try Metrics(
      socketPath: absolutePath(socketPath),
      rootPath: absolutePath(configuration.rootPath ?? cString("/")), service: SLUICE_METRICS_FILES)
  } catch .noEntry {
    Log.warning(
      "/dev/shm is not there, so 'sluice stats' does not show this sidecar; mount a tmpfs on it")
    return Metrics()
  } catch {
    throw .system(call: "shm_open", error)
  }
}

/// `path` made absolute (all zero-terminated). It stays as it is where this process's working
/// directory has no name.
private func absolutePath(_ path: [CChar]) -> [CChar] {
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard path.first != slash, let known = try? workingDirectoryPath() else { return path }
  return known.map { CChar(bitPattern: $0) } + (known.count > 1 ? [slash] : []) + path
}
