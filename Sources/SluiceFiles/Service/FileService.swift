// The file service: what owns files, for all threads that serve.
//
// Threads: any. Each thread that serves has a FileThread, in which its sessions live.

internal import CSluice
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class FileService: Service {
  let root: Root
  let files: FileTable
  let windows: WindowBudget
  let windowKeeper: WindowKeeper
  let configuration: SidecarConfiguration
  /// For syncs that would hold up others.
  let workers = Workers()
  private let threads = FutexLock<[FileThread]>([])

  init(
    root: Root, files: FileTable, windows: WindowBudget, windowKeeper: WindowKeeper,
    configuration: SidecarConfiguration
  ) {
    self.root = root
    self.files = files
    self.windows = windows
    self.windowKeeper = windowKeeper
    self.configuration = configuration
  }

  let operations: ClosedRange<UInt16> = 0x0010...0x00ff

  var features: UInt32 {
    (root.usesHostPaths ? UInt32(SLUICE_FEATURE_HOST_PATHS) : 0)
      | configuration.shortcuts.rawValue
  }

  /// A private sidecar has one session, which stays with one thread.
  var threading: Threading {
    .shared(count: configuration.isPrivate ? 1 : configuration.reactorCount)
  }

  func makeWatch() throws(Errno) -> (any Watch)? { try LeaseWatch(self) }

  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    try root.allowItsUse(in: ruleset)
  }

  func startThread(_ thread: any ServingThread) -> any ServiceThread {
    let own = FileThread(thread, self)
    threads.withLock { $0.append(own) }
    return own
  }

  func stop() {
    workers.stop()
    windowKeeper.stop()
  }

  /// The threads besides one with sessions that have, or had, `file` open. All besides that one where no
  /// file is named.
  func threads(besides thread: FileThread?, using file: SharedFile?) -> [FileThread] {
    threads.withLock { threads in
      threads.filter { $0 !== thread && (file?.isUsed(byReactor: $0.number) ?? true) }
    }
  }
}
