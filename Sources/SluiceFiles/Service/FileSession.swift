// A client's session: its channels and open files. Confined to its reactor, except for the link,
// which the doorman shares.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// The socket of a session, and what the doorman learned at the door.
final class SessionLink: Sendable {
  let id: UInt64
  let socket: SharedDescriptor
  let user: UInt32
  let process: Int32
  /// Readable when the client's process ends; nil where the kernel cannot show it to us.
  let processEnd: SharedDescriptor?

  init(
    id: UInt64, socket: SharedDescriptor, user: UInt32, process: Int32,
    processEnd: SharedDescriptor?
  ) {
    self.id = id
    self.socket = socket
    self.user = user
    self.process = process
    self.processEnd = processEnd
  }

  /// Whether the client has closed its end, or has ended: a process that it forked may have its
  /// copy of the socket still.
  var isClientGone: Bool {
    socket.descriptor.peerIsGone()
      || processEnd?.descriptor.awaitReadable(timeoutMilliseconds: 0) ?? false
  }

  var description: String { "session \(id) (process \(process), user \(user))" }
}

/// What all sessions of a sidecar work with.
struct SharedState: Sendable {
  let root: Root
  let files: FileTable
  let windows: WindowBudget
  let windowKeeper: WindowKeeper
  let metrics: Metrics
  let life: (life: Life, descriptor: SharedDescriptor)
  let workers: SyncWorkers
  let configuration: SidecarConfiguration
}

final class ProxyChannel {
  let number: UInt32
  let end: ProxyEnd
  /// It owns its channels, and the reactor uses none whose session it has dropped. (Counted, references
  /// to it took 20 ns of the 250 of a round trip.)
  private unowned(unsafe) let owner: ProxySession
  /// The database opened last on this channel: nearly every path is that of one of its journals.
  var database: Handle?
  /// Whether a file has taken the word for standing locks.
  var hasStandingLocks = false
  /// When its last request was taken up, by the coarse clock.
  var servedAt: Int64 = .min / 2
  /// When the request that could not be done is to be tried again, and when to give it up.
  var retryAt: Int64?
  var giveUpAt: Int64?
  /// Where the reactor keeps it.
  var group = PollSet.Group.aside
  /// Why it stands aside, if not to try again at a time.
  var awaits = Awaited.nothing

  enum Awaited {
    case nothing
    /// Its oldest request is with the sync workers.
    case sync
    /// It stands in line for a lock.
    case turn(LockWaiter)
    /// Other reactors are asked to settle what might be in its way.
    case settlement(Settlement)
    /// All was settled; if somebody is in the way still, then he is.
    case answer
  }

  /// There while its oldest request stands in line for a lock.
  var waiter: LockWaiter? {
    if case .turn(let waiter) = awaits { waiter } else { nil }
  }

  @inline(__always)
  var session: ProxySession { unsafe owner }

  init(number: UInt32, end: ProxyEnd, session: ProxySession) {
    self.number = number
    self.end = end
    unsafe owner = session
  }
}

final class ProxySession {
  let link: SessionLink
  let shared: SharedState
  var channels: [ProxyChannel] = []
  var handles: HandleMap
  /// Those that hold a lock beyond its transaction, perhaps with some that no longer do.
  var keepers: [Handle] = []
  /// The reactor that it belongs to.
  var reactorNumber = 0
  private var channelsOpened: UInt32 = 0
  /// That of its reactor, once it has one.
  var alarm: ReactorAlarm?

  init(link: SessionLink, shared: SharedState, firstRegions: consuming ChannelRegions) {
    self.link = link
    self.shared = shared
    handles = HandleMap(limit: shared.configuration.filesPerSessionMaximum)
    _ = addChannel(firstRegions)
  }

  func addChannel(_ regions: consuming ChannelRegions) -> ProxyChannel {
    let channel = ProxyChannel(number: channelsOpened, end: ProxyEnd(regions), session: self)
    channelsOpened += 1
    channels.append(channel)
    return channel
  }

  /// The number that the next channel will have.
  var nextChannelNumber: UInt32 { channelsOpened }

  /// Closes a channel and the files opened on it.
  func removeChannel(_ channel: ProxyChannel) {
    forgetWaiter(of: channel)
    for handle in handles.all where handle.channel == channel.number { close(handle) }
    channels.removeAll { $0 === channel }
  }

  /// Closes everything: the client is gone, or has to go.
  func end() {
    for handle in handles.all { close(handle) }
    channels = []
  }

  func close(_ handle: Handle) {
    handle.dropLocks()
    handle.file.withWindow { $0.unpin(for: handle.id) }
    keepers.removeAll { $0 === handle }
    handles.remove(handle)
    for channel in channels where channel.database === handle { channel.database = nil }
    shared.files.close(handle.file)
  }

  /// Gives back the locks that were kept long enough; when the next is due.
  func dropKeptLocks(now: Int64) -> Int64? {
    if keepers.isEmpty { return nil }
    for handle in keepers { handle.dropKeptLock(now: now) }
    keepers.removeAll { $0.keptUntil == nil }
    return nextKeptLockDue
  }

  var nextKeptLockDue: Int64? { keepers.compactMap(\.keptUntil).min() }

  // MARK: Paths

  /// The database beside which `path` names a journal or a WAL, and which of the two.
  func neighbour(
    of path: [UInt8], on channel: ProxyChannel
  ) -> (database: Handle, file: AbsentFiles)? {
    guard let database = database(of: path, on: channel) else { return nil }
    let suffix = path[database.path.count...]
    if suffix.elementsEqual("-journal".utf8) { return (database, .journal) }
    if suffix.elementsEqual("-wal".utf8) { return (database, .wal) }
    return nil
  }

  /// Where `path` is. A file that belongs to an open database, as its name shows, is looked for in
  /// that database's own directory.
  func locate(_ path: [UInt8], on channel: ProxyChannel) throws(FileError) -> Location {
    if let database = database(of: path, on: channel), let directory = database.location?.directory,
      let slash = path.lastIndex(of: UInt8(ascii: "/"))
    {
      return Location(
        directory: directory, name: try shared.root.nameComponent(path[(slash + 1)...]))
    }
    return try shared.root.locate(path)
  }

  /// The open database to which a journal, WAL or super-journal of that path belongs.
  func database(of path: [UInt8], on channel: ProxyChannel) -> Handle? {
    func owns(_ handle: Handle) -> Bool {
      path.count > handle.path.count && path[handle.path.count] == UInt8(ascii: "-")
        && path.starts(with: handle.path)
        && !path[handle.path.count...].contains(UInt8(ascii: "/"))
    }
    if let database = channel.database, owns(database) { return database }
    return handles.all.first { $0.kind == .mainDatabase && owns($0) }
  }
}
