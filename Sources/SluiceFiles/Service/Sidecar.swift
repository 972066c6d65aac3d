// A sidecar as its starter sees it: configured, run until it is told to stop, and gone without a
// trace.

internal import SluiceChannel
public import SluiceSystem

/// Why a sidecar did not start.
public enum SidecarError: Error, Sendable {
  case root(path: String, Errno)
  /// Another sidecar serves this socket.
  case socketInUse(path: String)
  /// Something that is no socket bears the socket's name.
  case socketNameTaken(path: String)
  case socket(path: String, Errno)
  case system(call: String, Errno)

  public var description: String {
    switch self {
    case .root(let path, let errno): "root \(path): \(errno.message)"
    case .socketInUse(let path): "socket \(path): another sidecar is serving it"
    case .socketNameTaken(let path): "socket \(path): there is a file that is no socket"
    case .socket(let path, let errno): "socket \(path): \(errno.message)"
    case .system(let call, let errno): "\(call): \(errno.message)"
    }
  }
}

/// A sidecar in this process, which does nothing else from then on.
public final class Sidecar {
  private let doorman: Doorman
  private let socketFile: SocketFile?
  /// The file system that its root is on. Those of other mounts beneath it may be of other kinds.
  public let rootFileSystem: FileSystemKind

  /// Makes a shared sidecar that listens on `socketPath` (zero-terminated). From now on this
  /// process's signals belong to it, and it is confined as configured, for good. Once `lifeline` is
  /// readable it ends when it has had no session for the configured time.
  public convenience init(
    _ configuration: SidecarConfiguration, socketPath: [CChar], lifeline: SharedDescriptor? = nil
  ) throws(SidecarError) {
    let metrics: Metrics
    do throws(Errno) {
      // Whoever reads it works elsewhere.
      metrics = try Metrics(
        socketPath: absolutePath(socketPath),
        rootPath: absolutePath(configuration.rootPath ?? cString("/")))
    } catch .noEntry {
      Log.warning(
        "/dev/shm is not there, so 'sluice stats' does not show this sidecar; mount a tmpfs on it")
      metrics = Metrics()
    } catch {
      throw .system(call: "shm_open", error)
    }
    let permissions: UInt32 = configuration.users == [processIdentity().user] ? 0o600 : 0o666
    let socket = try listenOnSocketFile(socketPath, permissions: permissions)
    try self.init(
      configuration, metrics: metrics, listener: socket.listener, socketFile: socket.file,
      firstVisitor: nil, lifeline: lifeline)
  }

  /// Makes a private sidecar for the client at the other end of `client`.
  public convenience init(
    _ configuration: SidecarConfiguration, client: consuming FileDescriptor
  ) throws(SidecarError) {
    var configuration = configuration
    // The client's effective user: this process has its file-system user, which may be another.
    if let peer = try? client.peer() { configuration.users = [peer.user] }
    try self.init(
      configuration, metrics: Metrics(), listener: nil, socketFile: nil, firstVisitor: client,
      lifeline: nil)
  }

  private init(
    _ configuration: SidecarConfiguration, metrics: Metrics,
    listener: SharedDescriptor?, socketFile: SocketFile?,
    firstVisitor: consuming FileDescriptor?, lifeline: SharedDescriptor?
  ) throws(SidecarError) {
    self.socketFile = socketFile
    let root: Root
    do throws(Errno) {
      root = try Root(configuration.rootPath, isReadOnly: configuration.isReadOnly)
    } catch {
      socketFile?.remove()
      throw .root(path: String(zeroTerminated: configuration.rootPath ?? cString("/")), error)
    }
    rootFileSystem = root.fileSystemKind
    var configuration = configuration
    // A file takes two descriptors, its own and its directory's: a session may have half of all.
    configuration.filesPerSessionMaximum = min(
      configuration.filesPerSessionMaximum, max(16, raiseDescriptorLimit() / 4))
    do throws(Errno) {
      let files = FileTable(
        metrics: metrics, isReadOnly: configuration.isReadOnly,
        quota: configuration.quotaByteCount.map {
          Quota($0, root: root) { Log.warning("counting the files beneath the root") }
        })
      let (windows, windowKeeper) = makeWindows(
        configuration, isPrivate: listener == nil, files: files, metrics: metrics)
      // Later this process has no /proc and no /sys.
      _ = processorCount
      doorman = try Doorman(
        shared: SharedState(
          root: root, files: files, windows: windows, windowKeeper: windowKeeper,
          metrics: metrics, life: try Life.create(), workers: SyncWorkers(files: files),
          configuration: configuration),
        signals: try Signals(), listener: listener, firstVisitor: firstVisitor, lifeline: lifeline)
    } catch {
      socketFile?.remove()
      throw .system(call: "start", error)
    }
    configuration.confinement.enter(root: root, socketPath: socketFile?.path)
  }

  /// Serves until the end of what it was made for, or a signal (SIGTERM, SIGINT or SIGHUP; see
  /// Ending). Every lock and file
  /// is given back, and the socket's name removed, before it returns.
  public func run() throws(SidecarError) {
    defer {
      socketFile?.remove()
      Log.finish()
    }
    do throws(Errno) { try doorman.run() } catch { throw .system(call: "epoll_wait", error) }
  }
}

/// `path` as seen from anywhere (all zero-terminated); as it is where this process does not know
/// where it works.
private func absolutePath(_ path: [CChar]) -> [CChar] {
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard path.first != slash, let known = try? workingDirectoryPath() else { return path }
  return known.map { CChar(bitPattern: $0) } + (known.count > 1 ? [slash] : []) + path
}
