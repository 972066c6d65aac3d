// Which databases this process has open, by name, and the table of its sessions.
//
// SQLite gives xAccess and xDelete a path and no connection. The path is that of a journal, a WAL
// or a super-journal, and begins with the name of its database. The registry finds the channel by
// that name. Two connections may have the same database open, so it looks first at the database
// that this thread used last.
//
// The registry is generic in the kind of file, because it only stores the files and returns them.
// So OpenFile may name the registry, and the registry names no OpenFile.
//
// Threads: any, under one lock. After a fork the child makes an empty registry of its own and does
// not touch the inherited one (OpenFile.registry).

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem

/// Notes that this thread works on the database with this token now.
@inline(__always)
func noteThreadUses(_ token: UInt64) { sluice_thread_set_token(token) }

final class Registry<File: AnyObject & Sendable>: Sendable {
  private struct Database {
    var path: [UInt8]
    var file: File
    /// A copy of the file's own reference, because other threads must not read that one.
    var knowledge: Knowledge
    var token: UInt64

    var channel: Channel { knowledge.remote.channel }
  }

  private struct State: ~Copyable {
    var databases: [Database?] = []
    /// The number of databases entered so far. A forked child starts at another number, so that
    /// none of its parent's tokens is valid in the child.
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

  /// The process in which the registry was made.
  let epoch = ProcessEpoch.current
  let sessions = SessionTable()
  let idleChannels = IdleChannels()
  private let state = FutexLock(State())

  // MARK: Databases

  /// Enters an open database. The token names it: to `leave`, to `renew` and to `noteThreadUses`.
  func enter(path: [UInt8], file: File, _ knowledge: Knowledge) -> UInt64 {
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

  /// Takes a database out. Does nothing for a database that the parent process entered, because it
  /// was never in this registry.
  func leave(_ token: UInt64) {
    state.withLock { state in
      if let index = state.index(of: token) { state.databases[index] = nil }
    }
  }

  /// A database was opened again in another session. False if it was never entered here.
  @discardableResult
  func renew(_ token: UInt64, _ knowledge: Knowledge) -> Bool {
    state.withLock { state in
      guard let index = state.index(of: token) else { return false }
      state.databases[index]?.knowledge = knowledge
      return true
    }
  }

  /// A file that belongs to a database, and the database's knowledge.
  struct Neighbour {
    let knowledge: Knowledge
    let file: AbsentFiles
  }

  /// The journal or WAL of this thread's last database, if it has this name.
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
      if unsafe strcmp(name + count, suffix("-journal")) == 0 {
        return Neighbour(knowledge: last.knowledge, file: .journal)
      }
      if unsafe strcmp(name + count, suffix("-wal")) == 0 {
        return Neighbour(knowledge: last.knowledge, file: .wal)
      }
      return nil
    }
  }

  /// The database that this thread used last, if it is still open, and its knowledge.
  func lastUsed() -> (file: File, knowledge: Knowledge)? {
    let token = sluice_thread_token()
    if token == 0 { return nil }
    return state.withLock { state in
      guard let index = state.index(of: token), let last = state.databases[index] else {
        return nil
      }
      return (last.file, last.knowledge)
    }
  }

  /// The database that was opened on `channel`.
  func database(on channel: Channel) -> File? {
    state.withLock { state in
      state.databases.first { $0.map { $0.channel === channel } ?? false }??.file
    }
  }

  /// The channel for a file of this name, or for a temporary file (nil). It is the channel of the
  /// database that the file belongs to, or else the home channel of the default session.
  @inline(never)
  func channel(for path: [UInt8]?) throws(VFSError) -> Channel {
    if let channel = database(for: path)?.channel { return channel }
    return try unsafe sessions.session(socket: nil).home
  }

  /// The database that a file of this name belongs to. For a temporary file (nil): the database
  /// that this thread used last.
  func database(for path: [UInt8]?) -> (file: File, channel: Channel)? {
    let token = sluice_thread_token()
    return state.withLock { state in
      if let index = state.index(of: token), let last = state.databases[index],
        path.map({ belongs($0, to: last.path) }) ?? !last.channel.isLost
      {
        return (last.file, last.channel)
      }
      guard let path else { return nil }
      var lost: (file: File, channel: Channel)?
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

@inline(__always)
private func suffix(_ text: StaticString) -> UnsafePointer<CChar> {
  unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
