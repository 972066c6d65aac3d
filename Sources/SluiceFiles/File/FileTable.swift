// Every open inode once. All sessions that open a file share one description of it. This makes the
// lease possible and the locks countable.
//
// A file is listed by device and inode number, which are its own as long as its description is
// open. They are taken from that description, because a name, or a description without access, may
// have others. (With overlayfs the first opening for writing gives other numbers to a file that has
// several names.)
//
// A database stays open for a while (a second) after its client has closed it. A program that opens
// it again, for its next request, finds it owned, and its read window filled. It counts as closed:
// its handles and their locks are gone, and whoever needs it gone ends it at once. It keeps its space
// if its name is removed meanwhile, and keeps its file system in use.
//
// Threads: any. The table's lock protects the table and the open counts, and is held across the
// system calls of an open, so that two sessions cannot open one inode twice.

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class FileTable: Sendable {
  private struct Entry {
    let file: SharedFile
    var openCount: Int
    /// When to close the file that nobody has open.
    var closesAt: Int64?
  }

  /// How many databases may stay open that nobody has open.
  private let unusedCountMaximum: Int
  private let syncDelayNanoseconds: Int64

  private let entries = FutexLock<[FileIdentity: Entry]>([:])
  private let metrics: Metrics
  private let quota: Quota?

  init(
    metrics: Metrics, quota: Quota? = nil, unusedCountMaximum: Int = 64,
    syncDelayNanoseconds: Int64 = 0
  ) {
    self.metrics = metrics
    self.quota = quota
    self.unusedCountMaximum = unusedCountMaximum
    self.syncDelayNanoseconds = syncDelayNanoseconds
  }

  /// How to open, and which file a new one resembles.
  struct Mode {
    var isWritable: Bool
    var creates: Bool
    var isExclusive: Bool
    /// The database of a journal, whose owner and permissions the journal takes over.
    var model: FileStatus?
    var permissions: UInt32
  }

  /// Opens the file at `location` and counts it. `close` must follow.
  func open(_ location: borrowing Location, _ mode: Mode) throws(FileError) -> SharedFile {
    do throws(FileError) {
      return try openOnce(location, mode)
    } catch .system(.tooManyOpen) {
      closeUnused(now: nil)
      return try openOnce(location, mode)
    }
  }

  private func openOnce(
    _ location: borrowing Location, _ mode: Mode
  ) throws(FileError) -> SharedFile {
    try entries.withLock { (entries) throws(FileError) in
      // Creation first: in DELETE mode a journal is nearly always new. Two rounds more, in case the
      // file is created or removed meanwhile.
      var obstacle = FileError.system(.noEntry)
      for _ in 0..<3 {
        if mode.creates, location.isReadOnly {
          if mode.isExclusive { throw .system(.readOnlyFileSystem) }
          obstacle = .system(.readOnlyFileSystem)
        } else if mode.creates {
          do throws(FileError) {
            return try self.create(location, mode, &entries)
          } catch {
            if mode.isExclusive { throw error }
            // It may be there already, or at least be readable.
            obstacle = error
          }
        }
        if let file = try self.openExisting(location, mode, &entries) { return file }
        if obstacle != .system(.exists) { throw obstacle }
      }
      throw obstacle
    }
  }

  /// An unnamed file in `directory`.
  func openTemporary(in directory: borrowing FileDescriptor) throws(FileError) -> SharedFile {
    let directory = directory.rawValue
    return try entries.withLock { (entries) throws(FileError) in
      let descriptor = try system { () throws(Errno) in
        try unsafe FileDescriptor.open(
          ".", in: directory, [.temporary, .readWrite, .exclusive], permissions: 0o600)
      }
      let status = try system { () throws(Errno) in try descriptor.status() }
      return self.enter(descriptor, status, isWritable: true, isCounted: true, &entries)
    }
  }

  /// Counts an open file once more; another `close` must follow.
  func countAnother(_ file: SharedFile) {
    entries.withLock { entries in
      guard openAgain(file.identity, &entries) != nil else {
        preconditionFailure("an open file is listed")
      }
    }
  }

  /// Ends what `open` began. The last one closes the file and so drops its lease and locks. If the
  /// file is to stay until a `time` (monotonic nanoseconds), `closeUnused` closes it. False if
  /// it does not stay.
  @discardableResult
  func close(_ file: SharedFile, stayingUntil time: Int64? = nil) -> Bool {
    entries.withLock { entries in
      guard var entry = entries[file.identity] else {
        preconditionFailure("an open file is listed")
      }
      entry.openCount -= 1
      if entry.openCount > 0 {
        entries[file.identity] = entry
      } else if let time, self.hasRoom(entries), !file.isLost {
        entry.closesAt = time
        entries[file.identity] = entry
        return true
      } else {
        end(entry, &entries)
      }
      return false
    }
  }

  private func hasRoom(_ entries: [FileIdentity: Entry]) -> Bool {
    entries.values.count { $0.openCount == 0 } < unusedCountMaximum
  }

  private func end(_ entry: Entry, _ entries: inout [FileIdentity: Entry]) {
    entries[entry.file.identity] = nil
    entry.file.noteEnd()
  }

  /// Closes the files that nobody has had open for long enough, or all that nobody has open
  /// (`now` is nil). Gives the time of the next one.
  @discardableResult
  func closeUnused(now: Int64?) -> Int64? {
    entries.withLock { entries in
      var next: Int64?
      for entry in entries.values {
        guard let time = entry.closesAt else { continue }
        if let now, time > now {
          next = min(next ?? time, time)
        } else {
          end(entry, &entries)
        }
      }
      return next
    }
  }

  /// The file with this identity, unless nobody has it open: then it ends.
  private func usedEntry(
    _ identity: FileIdentity, _ entries: inout [FileIdentity: Entry]
  ) -> Entry? {
    guard let entry = entries[identity] else { return nil }
    if entry.openCount > 0 { return entry }
    end(entry, &entries)
    return nil
  }

  /// Removes the name at `location`.
  func unlink(_ location: borrowing Location) throws(FileError) {
    guard let quota else { return try removeName(location) }
    try entries.withLock { (entries) throws(FileError) in
      let status = unsafe try? location.directory.descriptor.status(of: location.name)
      try self.removeName(location)
      // A file that is open ends with its last close.
      guard let status, status.isRegular, status.linkCount == 1, Quota.counts(location) else {
        return
      }
      if let entry = entries[FileIdentity(status)] {
        if entry.openCount == 0 { self.end(entry, &entries) }
        return
      }
      quota.note(change: -status.byteCount)
    }
  }

  private func removeName(_ location: borrowing Location) throws(FileError) {
    do throws(Errno) {
      try unsafe location.directory.descriptor.unlink(location.name)
    } catch {
      throw .system(error)
    }
  }

  /// Deletes the file at `location` if no session has it open and, as far as a lease can tell, no
  /// other process has.
  func deleteUnused(_ location: borrowing Location) throws(FileError) {
    try entries.withLock { (entries) throws(FileError) in
      // By name only at first, as in `openExisting`.
      let directory = location.directory.descriptor.rawValue
      guard let named = try self.nameOfExisting(location.name, in: directory) else { return }
      let seen = try system { () throws(Errno) in try named.status() }
      guard seen.isRegular else { throw .notRegular }
      guard self.usedEntry(FileIdentity(seen), &entries) == nil else { throw .busy }
      do throws(Errno) {
        let descriptor = try openAnew(named, at: location, [.readOnly, .nonBlocking])
        // Where no lease counts, nothing tells whether others use the file.
        guard descriptor.fileSystemKind().isLocal else { throw Errno.again }
        try descriptor.takeLease()
        // Does the name still lead to this file?
        let status = try descriptor.status()
        let present = try unsafe location.directory.descriptor.status(of: location.name)
        guard FileIdentity(present) == FileIdentity(status) else { throw Errno.again }
        try unsafe location.directory.descriptor.unlink(location.name)
        if status.linkCount == 1, Quota.counts(location) {
          self.quota?.note(change: -status.byteCount)
        }
      } catch .again {
        throw .busy
      } catch .stale {
        // The name is another file's by now.
        throw .busy
      } catch .noEntry {
      } catch .accessDenied, .invalid {
        // No lease is to be had here: nothing tells whether others use the file.
        throw .busy
      } catch {
        throw .system(error)
      }
    }
  }

  /// Removes the file at `location` unless a session has it open, so that the next to make it gets
  /// a new one. A file that cannot be removed stays.
  func removeUnlessOpen(_ location: borrowing Location) {
    entries.withLock { entries in
      guard let status = unsafe try? location.directory.descriptor.status(of: location.name),
        status.isRegular, usedEntry(FileIdentity(status), &entries) == nil
      else { return }
      try? unsafe location.directory.descriptor.unlink(location.name)
    }
  }

  /// The open file with that descriptor, or all open files (nil).
  func files(ofDescriptor descriptor: Int32?) -> [SharedFile] {
    entries.withLock { entries in
      entries.values.filter { descriptor == nil || $0.file.descriptorNumber == descriptor }
        .map(\.file)
    }
  }

  // MARK: Opening

  /// Makes a file that was not there.
  private func create(
    _ location: borrowing Location, _ mode: Mode, _ entries: inout [FileIdentity: Entry]
  ) throws(FileError) -> SharedFile {
    let directory = location.directory.descriptor.rawValue
    let permissions = mode.model.map { $0.permissions & 0o777 } ?? mode.permissions
    let descriptor = try system { () throws(Errno) in
      try unsafe FileDescriptor.open(
        location.name, in: directory, [.readWrite, .create, .exclusive, .noFollow],
        permissions: permissions)
    }
    let status = try system { () throws(Errno) in try descriptor.status() }
    if let model = mode.model { resemble(model, descriptor, status) }
    return enter(
      descriptor, status, isWritable: true, isCounted: location.directory.root.isCounted, &entries)
  }

  private func nameOfExisting(
    _ name: [CChar], in directory: Int32
  ) throws(FileError) -> FileDescriptor? {
    do throws(Errno) {
      return unsafe try FileDescriptor.open(name, in: directory, [.pathOnly, .noFollow])
    } catch .noEntry {
      return nil
    } catch {
      throw .system(error)
    }
  }

  private func openExisting(
    _ location: borrowing Location, _ mode: Mode, _ entries: inout [FileIdentity: Entry]
  ) throws(FileError) -> SharedFile? {
    // By name only at first: opening it for real would break our own lease, if we hold one.
    let directory = location.directory.descriptor.rawValue
    guard let named = try nameOfExisting(location.name, in: directory) else { return nil }
    let status = try system { () throws(Errno) in try named.status() }
    if status.isSymbolicLink { throw .system(.tooManyLinks) }
    // A directory can be opened for reading, as by SQLite's own VFS; reading it then fails.
    if status.isDirectory, mode.isWritable { throw .system(.isDirectory) }
    guard status.isRegular || status.isDirectory else { throw .notRegular }
    let identity = FileIdentity(status)
    // Nobody may have a file that was closed by rights that are gone since.
    if let entry = entries[identity], entry.openCount == 0,
      unsafe !location.directory.descriptor.allows(location.name, writing: entry.file.isWritable)
    {
      end(entry, &entries)
    }
    if entries[identity]?.file.isLost ?? false { throw .tryLater }
    if let file = openAgain(identity, &entries) {
      file.renewIfUnused()
      return file
    }
    return try openForReal(named, at: location, status.isDirectory, &entries)
  }

  /// Counts the listed file with this identity once more; nil if none is listed.
  private func openAgain(
    _ identity: FileIdentity, _ entries: inout [FileIdentity: Entry]
  ) -> SharedFile? {
    guard var entry = entries[identity] else { return nil }
    entry.openCount += 1
    entry.closesAt = nil
    entries[identity] = entry
    return entry.file
  }

  private func openForReal(
    _ named: borrowing FileDescriptor, at location: borrowing Location, _ isDirectory: Bool,
    _ entries: inout [FileIdentity: Entry]
  ) throws(FileError) -> SharedFile {
    // Always for writing where that is allowed: the next session may want to write.
    for isWritable in isDirectory || location.isReadOnly ? [false] : [true, false] {
      do throws(Errno) {
        let descriptor = try openAnew(
          named, at: location, [isWritable ? .readWrite : .readOnly, .nonBlocking])
        let status = try descriptor.status()
        if let file = openAgain(FileIdentity(status), &entries) { return file }
        return enter(
          descriptor, status, isWritable: isWritable,
          isCounted: location.directory.root.isCounted, &entries)
      } catch .again {
        throw .tryLater
      } catch .stale {
        // The name is another file's by now.
        throw .tryLater
      } catch {
        let mayBeReadOnly = [.accessDenied, .readOnlyFileSystem, .notPermitted].contains(error)
        if isWritable && mayBeReadOnly { continue }
        throw .system(error)
      }
    }
    preconditionFailure("the second round returns or throws")
  }

  private func enter(
    _ descriptor: consuming FileDescriptor, _ status: FileStatus, isWritable: Bool,
    isCounted: Bool, _ entries: inout [FileIdentity: Entry]
  ) -> SharedFile {
    let quota = isCounted ? quota : nil
    let file = SharedFile(
      descriptor, identity: FileIdentity(status), isWritable: isWritable, metrics: metrics,
      account: quota.map { QuotaAccount($0, countedByteCount: status.byteCount) },
      syncDelayNanoseconds: syncDelayNanoseconds)
    entries[file.identity] = Entry(file: file, openCount: 1)
    return file
  }
}

extension WindowKeeper {
  /// One that gives back the windows of these files.
  convenience init(
    _ budget: WindowBudget, files: FileTable, metrics: Metrics, hasGroupLimit: Bool
  ) {
    self.init(
      budget, metrics: metrics, hasGroupLimit: hasGroupLimit,
      owners: { files.files(ofDescriptor: nil) })
  }
}
