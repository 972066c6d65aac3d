// A client's session: its channels and open files. Confined to its thread, except for the link,
// which the server shares with the door.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class FileSession: ServiceSession {
  let link: SessionLink
  let parts: FileParts
  /// The thread owns its sessions.
  unowned let thread: FileThread
  private(set) var channels: [FileChannel] = []
  var handles: HandleMap
  /// The handles that keep a lock beyond its transaction. Some of them may have given it back.
  private var keepers: [Handle] = []

  init(_ link: SessionLink, _ thread: FileThread) {
    self.link = link
    self.thread = thread
    parts = thread.parts
    handles = HandleMap(limit: parts.configuration.filesPerSessionMaximum)
  }

  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel {
    let channel = FileChannel(number: number, end: end, session: self)
    channels.append(channel)
    return channel
  }

  /// Closes a channel and the files opened on it.
  func closeChannel(number: UInt32) {
    guard let channel = channels.first(where: { $0.number == number }) else { return }
    forgetWaiter(of: channel)
    for handle in handles.all where handle.channel == number { close(handle) }
    channels.removeAll { $0 === channel }
  }

  func end() {
    for handle in handles.all { close(handle) }
    channels = []
    thread.sessions[link.id] = nil
  }

  /// Closes a file. If its client did that (`byClient`), a database stays open for a while.
  func close(_ handle: Handle, byClient: Bool = false) {
    handle.dropLocks()
    handle.file.withWindow { $0.unpin(for: handle.id) }
    keepers.removeAll { $0 === handle }
    handles.remove(handle)
    for channel in channels {
      if channel.database === handle { channel.database = nil }
      // Another file may take the word: a client uses its channel for one database after another.
      if channel.number == handle.channel, handle.holder.hasWord {
        channel.hasStandingLocks = false
      }
    }
    let milliseconds = parts.configuration.keepOpenMilliseconds
    let stays =
      byClient && milliseconds > 0 && handle.kind == .mainDatabase && handle.location != nil
      && handle.file.isLocal && handle.file.isWritable
    let time = stays ? Clock.monotonicNanoseconds() + Int64(milliseconds) * 1_000_000 : nil
    if parts.files.close(handle.file, stayingUntil: time), let time {
      thread.keepsFile(until: time)
    }
  }

  /// Remembers that a handle keeps a lock beyond its transaction.
  func keepsLock(_ handle: Handle, until time: Int64) {
    keepers.append(handle)
    thread.keepsLock(until: time)
  }

  /// Gives back the locks that were kept long enough. Gives the time of the next one.
  func dropKeptLocks(now: Int64) -> Int64? {
    if keepers.isEmpty { return nil }
    for handle in keepers { handle.dropKeptLock(now: now) }
    keepers.removeAll { $0.keptUntil == nil }
    return keepers.compactMap(\.keptUntil).min()
  }

  // MARK: Paths

  /// The open database whose journal or WAL `path` names, and which of the two.
  func neighbour(
    of path: [UInt8], on channel: FileChannel
  ) -> (database: Handle, file: AbsentFiles)? {
    guard let database = database(of: path, on: channel) else { return nil }
    let suffix = path[database.path.count...]
    if suffix.elementsEqual("-journal".utf8) { return (database, .journal) }
    if suffix.elementsEqual("-wal".utf8) { return (database, .wal) }
    return nil
  }

  /// The place of `path`. If its name shows that the file belongs to an open database, the place is
  /// in the directory of that database.
  func locate(_ path: [UInt8], on channel: FileChannel) throws(FileError) -> Location {
    if let database = database(of: path, on: channel), let directory = database.location?.directory,
      let slash = path.lastIndex(of: UInt8(ascii: "/"))
    {
      return Location(
        directory: directory, name: try parts.roots.nameComponent(path[(slash + 1)...]))
    }
    return try parts.roots.locate(path)
  }

  /// The open database to which a journal, WAL or super-journal of that path belongs.
  func database(of path: [UInt8], on channel: FileChannel) -> Handle? {
    func owns(_ handle: Handle) -> Bool {
      path.count > handle.path.count && path[handle.path.count] == UInt8(ascii: "-")
        && path.starts(with: handle.path)
        && !path[handle.path.count...].contains(UInt8(ascii: "/"))
    }
    if let database = channel.database, owns(database) { return database }
    return handles.all.first { $0.kind == .mainDatabase && owns($0) }
  }
}
