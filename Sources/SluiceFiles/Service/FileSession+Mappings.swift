// The operations of the memory that clients map: the WAL index and the read window. Also those
// beside them: allocate, hasMoved, hasExternalReader.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

extension FileSession {
  func allocate(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let byteCount = try arguments(request, channel, as: OffsetFields.self).offset
    let handle = try writableHandle(request, now: now)
    try file { () throws(FileError) in try handle.file.allocate(byteCount: byteCount) }
    channel.end.complete(.done)
  }

  /// A file without a name cannot have moved.
  func hasMoved(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let handle = try handle(request)
    var answer = false
    if let location = handle.location {
      // With overlayfs a writer outside can give the file other numbers than it had at its open.
      let own = (try? handle.file.status()).map(FileIdentity.init) ?? handle.file.identity
      let present = try? unsafe location.directory.descriptor.status(of: location.name)
      answer = present.map(FileIdentity.init) != own
    }
    channel.end.complete(.done, AnswerReply(answer: answer))
  }

  /// Opens the read window of a database or of its WAL. Its descriptor and that of the sidecar's life
  /// are on the socket before the answer.
  func openWindow(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let handle = try handle(request)
    try file { () throws(FileError) in
      let window = try self.window(handle, channel)
      try system { () throws(Errno) in
        try sendDescriptors(
          window.descriptor.rawValue, and: thread.serving.lifeDescriptor.descriptor.rawValue,
          .window,
          file: handle.id, on: link.socket.descriptor)
      }
    }
    channel.end.complete(.done)
  }

  private func window(
    _ handle: Handle, _ channel: FileChannel
  ) throws(FileError) -> SharedDescriptor {
    switch handle.kind {
    case .mainDatabase: return try handle.file.openWindow(parts.windows)
    case .wal:
      guard let neighbour = neighbour(of: handle.path, on: channel), neighbour.file == .wal else {
        throw .misuse
      }
      return try neighbour.database.file.openWindow(ofWAL: handle.file, parts.windows)
    case .mainJournal, .superJournal, .temporary: throw .misuse
    }
  }

  /// The client is about to use addresses in the database's window. If there is no window now, the
  /// client has a window that was given up, and uses no address in it.
  func pinWindow(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let handle = try handle(request)
    guard handle.kind == .mainDatabase else { throw .file(.misuse) }
    handle.file.withWindow { $0.pin(for: handle.id) }
    handle.isPinned = true
    channel.end.complete(.done)
  }

  func mapWALIndex(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    var wanted = try arguments(request, channel, as: WALIndexMapRequest.self)
    let handle = try handle(request)
    let index = try file { () throws(FileError) in
      guard let location = handle.location else { throw .misuse }
      if location.isReadOnly { wanted.isReadOnly = true }
      return try handle.file.mapWALIndex(
        handle.holder, wanted, at: location, opensForWriting: !location.isReadOnly,
        remove: { parts.files.removeUnlessOpen($0) }
      ) { (descriptor) throws(Errno) in
        try sendDescriptors(
          descriptor, .walIndex, file: handle.id, on: link.socket.descriptor)
      }
    }
    channel.end.complete(
      index.isReadOnly ? .doneReadOnly : .done,
      WALIndexMapReply(
        offset: index.byteCount, device: index.identity.device, inode: index.identity.inode))
  }

  func lockWALIndex(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let wanted = try arguments(request, channel, as: WALIndexLockRequest.self)
    let handle = try usableHandle(request, now: now)
    try file { () throws(FileError) in
      do throws(FileError) {
        try handle.file.lockWALIndex(handle.holder, wanted, now: now)
      } catch {
        if error.isRefusal, wanted.isForWriting { handle.file.wasRefused(handle.holder, .walWrite) }
        throw error
      }
    }
    channel.end.complete(.done)
  }

  func unmapWALIndex(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let deletes = try arguments(request, channel, as: WALIndexUnmapRequest.self).deletes
    let handle = try handle(request)
    try file { () throws(FileError) in
      try handle.file.unmapWALIndex(
        handle.holder, deletes: deletes && handle.location?.isReadOnly == false)
    }
    channel.end.complete(.done)
  }

  func hasExternalReader(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let handle = try handle(request)
    // A session is one process: its other connections are not external.
    let own = handles.all.filter { $0.file === handle.file }.map(\.holder)
    let answer = try file { () throws(FileError) in try handle.file.hasExternalReader(besides: own)
    }
    channel.end.complete(.done, AnswerReply(answer: answer))
  }
}
