// What moves a file's content: reads, writes and sizes, through the read window where there is one,
// and with the quota's account of the file.
//
// Threads: any. Reading and writing need no lock of ours, because SQLite's own locks keep them
// apart. Only a read window has a lock; where the file's `state` is held too, it is taken first.

internal import SluiceSystem
internal import SluiceWire

struct FileContent: ~Copyable, Sendable {
  /// The read window: made for the first client that asks, given back when memory is short.
  private let window = FutexLock<ReadWindow?>(nil)
  /// Where there is a quota.
  private let account: QuotaAccount?

  init(account: QuotaAccount?) { self.account = account }

  // MARK: Bytes

  /// Reads from the window, or from the file. In the second case `fill` has afterwards what the
  /// window lacked: `take` is to be called once the client has its answer.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64,
    of file: borrowing FileDescription, _ fill: WindowFill
  ) throws(FileError) -> Int {
    try file.use { () throws(Errno) in
      let looked = window.withLock { window in
        unsafe window?.read(into: buffer, at: offset) ?? .outside
      }
      switch looked {
      case .done(let count): return count
      case .missing(let plan):
        return try unsafe fill.read(plan, into: buffer, from: file.descriptor)
      case .outside: return try unsafe file.descriptor.read(into: buffer, at: offset)
      }
    }
  }

  /// Puts what was read into the window, unless the file has changed since.
  func take(_ fill: WindowFill) {
    guard let plan = fill.plan else { return }
    window.withLock { window in
      if let window, window === plan.window { window.take(fill, plan) }
    }
    fill.clear()
  }

  func write(
    _ buffer: UnsafeRawBufferPointer, at offset: Int64, of file: borrowing FileDescription
  ) throws(FileError) {
    if let account {
      try system { () throws(Errno) in
        try account.reserve(offset.addingReportingOverflow(Int64(buffer.count)).partialValue)
      }
    }
    try file.use { () throws(Errno) in
      try window.withLock { (window) throws(Errno) in
        guard let window else { return try unsafe file.descriptor.write(buffer, at: offset) }
        try unsafe window.write(buffer, at: offset, to: file.descriptor)
      }
    }
  }

  // MARK: Sizes

  func truncate(
    _ file: borrowing FileDescription, toByteCount byteCount: Int64
  ) throws(FileError) {
    try changeSize(of: file) { () throws(Errno) in
      try file.descriptor.truncate(toByteCount: byteCount)
    }
  }

  /// Makes the file at least so large, with its space reserved where the file system can do that.
  func allocate(_ file: borrowing FileDescription, byteCount: Int64) throws(FileError) {
    try changeSize(of: file) { () throws(Errno) in
      guard try file.descriptor.status().byteCount < byteCount else { return }
      try account?.reserve(byteCount)
      try file.descriptor.allocate(byteCount: byteCount)
    }
  }

  private func changeSize(
    of file: borrowing FileDescription, _ body: () throws(Errno) -> Void
  ) throws(FileError) {
    try file.use { () throws(Errno) in
      try window.withLock { (window) throws(Errno) in
        defer { noteSize(window, of: file) }
        try body()
      }
    }
  }

  private func noteSize(_ window: ReadWindow?, of file: borrowing FileDescription) {
    guard window != nil || account != nil, let status = try? file.descriptor.status() else {
      return
    }
    window?.note(fileByteCount: status.byteCount)
    account?.setByteCount(status.byteCount)
  }

  /// The file is about to be closed: without a name it is no more. A client may still map the
  /// window.
  func noteEnd(of file: borrowing FileDescription) {
    window.withLock { window in
      window?.retire()
      _ = window?.giveBack(.max)
      window = nil
    }
    guard let account, let status = try? file.descriptor.status() else { return }
    account.setByteCount(status.linkCount == 0 ? 0 : status.byteCount)
  }

  // MARK: The window

  /// The descriptor by which a client maps this database's window, which is made for the first one.
  /// It begins with `ownedByteCount` if that is not nil: the size of a file that is ours alone.
  func openWindow(
    _ budget: WindowBudget, ownedByteCount: () throws(FileError) -> Int64?
  ) throws(FileError) -> SharedDescriptor {
    try window.withLock { (window) throws(FileError) in
      if let window { return window.descriptor }
      let made = try system { () throws(Errno) in try ReadWindow(budget) }
      if let byteCount = try ownedByteCount() { made.begin(fileByteCount: byteCount) }
      window = made
      return made.descriptor
    }
  }

  /// The same for a WAL. Its window is owned while its database is: `ownedByteCount` is nil while it
  /// is not. Throws `misuse` if the window belongs to another database.
  func openWindow(
    _ budget: WindowBudget, ofWALOf database: FileIdentity, _ promises: borrowing WALPromises,
    ownedByteCount: () throws(FileError) -> Int64?
  ) throws(FileError) -> SharedDescriptor {
    try window.withLock { (window) throws(FileError) in
      if let window, window.database == database { return window.descriptor }
      guard window?.database == nil else { throw .misuse }
      let made =
        if let window { window } else {
          try system { () throws(Errno) in try ReadWindow(budget, isWAL: true) }
        }
      made.show(promises.shownByteCount)
      if let byteCount = try ownedByteCount() { made.begin(fileByteCount: byteCount) }
      made.database = database
      window = made
      return made.descriptor
    }
  }

  /// Shows clients of a WAL's window no more than they may read. To be called after each promise, and
  /// after each sync that keeps some.
  func show(_ promises: borrowing WALPromises) {
    // What may be shown is asked under the lock, so that the last to come here asks last.
    window.withLock { window in window?.show(promises.shownByteCount) }
  }

  /// Calls `body` with the window, if there is one.
  func withWindow<R>(_ body: (ReadWindow) -> R) -> R? {
    window.withLock { window in window.map(body) }
  }

  /// Gives back memory of up to `granuleCount` granules; of how many. A window of which no part can
  /// be given back goes as a whole.
  func giveBackWindow(granuleCount: Int) -> Int {
    window.withLock { window in
      guard let present = window, present.memoryCount > 0 else { return 0 }
      guard present.isWhole else { return present.giveBack(granuleCount) }
      present.retire()
      window = nil
      return present.memoryCount
    }
  }
}
