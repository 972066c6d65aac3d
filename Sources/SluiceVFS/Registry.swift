// What this process has open: its databases by name, and its sessions.
//
// SQLite gives xAccess and xDelete a path and no connection. The path is that of a journal, WAL or
// super-journal, whose name begins with that of its database: so the database's channel is found by
// name, this thread's last database first, for two connections may have the same one open.
//
// Threads: any, behind one lock. A forked child starts with an empty registry of its own and leaves
// what it inherited alone.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import Synchronization

final class Registry: Sendable {
  private struct Database {
    var path: [UInt8]
    var file: OpenFile
    /// The file's own, which other threads must not look for there.
    var knowledge: Knowledge
    var token: UInt64

    var channel: Channel { knowledge.remote.channel }
  }

  private struct State: ~Copyable {
    var databases: [Database?] = []
    /// How many there were. A forked child counts from elsewhere, so that no token of its parent's
    /// means anything there.
    var registered = UInt64(truncatingIfNeeded: Clock.monotonicNanoseconds()) & 0xffff_ffff

    @inline(__always)
    func index(of token: UInt64) -> Int? {
      let index = Int(token & 0xffff)
      guard token != 0, index < databases.count, let database = databases[index],
        database.token == token
      else { return nil }
      return index
    }
  }

  private let epoch = ProcessEpoch.current
  private let state = FutexLock(State())
  private let sessions = SessionTable()

  // MARK: The process's own

  private static let shared = Atomic<UInt>(0)

  /// This process's registry.
  static var current: Registry {
    while true {
      let bits = shared.load(ordering: .acquiring)
      if let pointer = unsafe UnsafeRawPointer(bitPattern: bits) {
        let registry = unsafe Unmanaged<Registry>.fromOpaque(pointer).takeUnretainedValue()
        if registry.epoch.isCurrent { return registry }
      }
      let fresh = unsafe Unmanaged.passRetained(Registry())
      let installed = unsafe shared.compareExchange(
        expected: bits, desired: UInt(bitPattern: fresh.toOpaque()),
        ordering: .acquiringAndReleasing
      ).exchanged
      if !installed { unsafe fresh.release() }
    }
  }

  // MARK: Sessions

  /// The session with the sidecar on `socket`; without one, with that on SLUICE_SOCKET, or with a
  /// private sidecar. Blocks for at most so long.
  func session(
    socket: UnsafePointer<CChar>?, milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(VFSError) -> Session {
    let named = unsafe socket ?? environmentValue("SLUICE_SOCKET")
    let path = unsafe named.map {
      unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
    }
    do throws(ConnectError) {
      return try sessions.session(path, milliseconds: milliseconds)
    } catch {
      throw .connect(error)
    }
  }

  /// The session that comes after one whose sidecar is dead, or that belongs to this process's parent:
  /// on the same socket, or private as that was. For half a second after the loss it waits for a
  /// sidecar that is just starting.
  func session(after lost: Session, milliseconds: Int64) throws(VFSError) -> Session {
    let deadline =
      (lost.lossNanoseconds ?? Clock.monotonicNanoseconds()) + Self.replacementNanoseconds
    while true {
      do throws(ConnectError) {
        return try sessions.session(lost.socketPath, milliseconds: milliseconds)
      } catch {
        switch error {
        case .unreachable, .hungUp:
          guard Clock.monotonicNanoseconds() < deadline else { throw .connect(error) }
        default: throw .connect(error)
        }
      }
      Clock.sleep(nanoseconds: 5_000_000)
    }
  }

  private static let replacementNanoseconds: Int64 = 500_000_000

  // MARK: Databases

  /// Enters an open database; the token takes it out again, and names it to `use`.
  func enter(path: [UInt8], file: OpenFile, _ knowledge: Knowledge) -> UInt64 {
    state.withLock { state in
      state.registered += 1
      let index = state.databases.firstIndex { $0 == nil } ?? state.databases.count
      let token = state.registered << 16 | UInt64(index)
      let database = Database(path: path, file: file, knowledge: knowledge, token: token)
      if index == state.databases.count {
        state.databases.append(database)
      } else {
        state.databases[index] = database
      }
      return token
    }
  }

  /// Takes a database out. One that this process's parent entered was never here.
  func leave(_ token: UInt64) {
    state.withLock { state in
      if let index = state.index(of: token) { state.databases[index] = nil }
    }
  }

  /// A database was opened again in another session. False where it was never entered here.
  @discardableResult
  func renew(_ token: UInt64, _ knowledge: Knowledge) -> Bool {
    state.withLock { state in
      guard let index = state.index(of: token) else { return false }
      state.databases[index]?.knowledge = knowledge
      return true
    }
  }

  /// Notes that this thread works on that database now.
  @inline(__always)
  static func use(_ token: UInt64) { sluice_thread_set_token(token) }

  /// A file that belongs to a database, and what is known of that.
  struct Neighbour {
    let knowledge: Knowledge
    let file: AbsentFiles
  }

  /// The journal or WAL of this thread's last database, if that is its name.
  @inline(__always)
  func neighbour(_ name: UnsafePointer<CChar>) -> Neighbour? {
    let token = sluice_thread_token()
    return state.withLock { state in
      guard let index = state.index(of: token), let last = state.databases[index],
        !last.path.isEmpty
      else { return nil }
      let count = last.path.count
      let isBeside = unsafe last.path.withUnsafeBufferPointer { path in
        unsafe strncmp(
          name, UnsafeRawPointer(path.baseAddress!).assumingMemoryBound(to: CChar.self), count) == 0
      }
      guard isBeside else { return nil }
      if unsafe strcmp(name + count, Self.suffix("-journal")) == 0 {
        return Neighbour(knowledge: last.knowledge, file: .journal)
      }
      if unsafe strcmp(name + count, Self.suffix("-wal")) == 0 {
        return Neighbour(knowledge: last.knowledge, file: .wal)
      }
      return nil
    }
  }

  @inline(__always)
  private static func suffix(_ text: StaticString) -> UnsafePointer<CChar> {
    unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  /// The database on which this thread worked last, if it is open still, and what is known of it.
  func lastUsed() -> (file: OpenFile, knowledge: Knowledge)? {
    let token = sluice_thread_token()
    if token == 0 { return nil }
    return state.withLock { state in
      guard let index = state.index(of: token), let last = state.databases[index] else {
        return nil
      }
      return (last.file, last.knowledge)
    }
  }

  /// The database that `file` belongs to, or is: that on the same channel, where it is the only one.
  func databaseOf(_ file: OpenFile) -> OpenFile? {
    if file.token != 0 { return file }
    let channel = file.remote.channel
    if channel.isShared { return nil }
    return state.withLock { state in
      state.databases.first { $0.map { $0.channel === channel } ?? false }??.file
    }
  }

  /// The channel for a file of that name, or for a temporary one (nil): the one of the database to
  /// which it belongs, else the home channel of the session that there is or would be by default.
  func channel(for path: [UInt8]?) throws(VFSError) -> Channel {
    if let channel = database(for: path)?.channel { return channel }
    return try unsafe session(socket: nil).home
  }

  /// The database to which a file of that name belongs, or on which this thread worked last.
  func database(for path: [UInt8]?) -> (file: OpenFile, channel: Channel)? {
    let token = sluice_thread_token()
    return state.withLock { state in
      if let index = state.index(of: token), let last = state.databases[index],
        path.map({ belongs($0, to: last.path) }) ?? !last.channel.isLost
      {
        return (last.file, last.channel)
      }
      guard let path else { return nil }
      var lost: (file: OpenFile, channel: Channel)?
      for case let database? in state.databases where belongs(path, to: database.path) {
        if !database.channel.isLost { return (database.file, database.channel) }
        lost = (database.file, database.channel)
      }
      return lost
    }
  }
}

/// Whether `path` names the database or a file whose name begins with the database's.
private func belongs(_ path: [UInt8], to database: [UInt8]) -> Bool { path.starts(with: database) }
