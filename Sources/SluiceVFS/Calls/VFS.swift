// The sqlite3_vfs: SQLite's calls that name a file, and its calls without a file.
//
// Threads: any. Calls wait for the sidecar and for nothing else.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum VFS {
  static let name: StaticString = "sluice"

  /// The same as in SQLite's unix VFS, so that a path which can be opened there can be opened here.
  static let pathByteCountMaximum = 512

  /// Registers the VFS. Later calls find it registered.
  static func register(asDefault: Bool) -> Int32 {
    let nameStart = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    if let present = unsafe csqlite_vfs_find(nameStart) {
      return unsafe csqlite_vfs_register(present, asDefault ? 1 : 0)
    }
    // Never freed: SQLite keeps the pointer until the process ends.
    let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    unsafe vfs.initialize(to: sqlite3_vfs())
    unsafe vfs.pointee.iVersion = 3
    unsafe vfs.pointee.szOsFile = unsafe Int32(MemoryLayout<sluice_file>.size)
    unsafe vfs.pointee.mxPathname = Int32(pathByteCountMaximum)
    unsafe vfs.pointee.zName = unsafe nameStart
    unsafe vfs.pointee.xOpen = { _, name, file, flags, outFlags in
      unsafe VFS.open(name: name, file: file!, flags: flags, outFlags: outFlags)
    }
    unsafe vfs.pointee.xDelete = { _, name, syncDirectory in
      unsafe VFS.delete(name!, syncDirectory: syncDirectory != 0)
    }
    unsafe vfs.pointee.xAccess = { _, name, flags, result in
      unsafe VFS.access(name!, flags, result!)
    }
    unsafe vfs.pointee.xFullPathname = { _, name, byteCount, out in
      unsafe VFS.fullPathname(name!, UnsafeMutableBufferPointer(start: out!, count: Int(byteCount)))
    }
    unsafe addLibraryCalls(to: vfs)
    unsafe addClockAndChance(to: vfs)
    unsafe addSystemCalls(to: vfs)
    return unsafe csqlite_vfs_register(vfs, asDefault ? 1 : 0)
  }

  // MARK: Without a file

  private static func addLibraryCalls(to vfs: UnsafeMutablePointer<sqlite3_vfs>) {
    unsafe vfs.pointee.xDlOpen = { _, name in unsafe dlopen(name, RTLD_NOW | RTLD_GLOBAL) }
    unsafe vfs.pointee.xDlError = { _, byteCount, out in
      guard let out = unsafe out, byteCount > 0 else { return }
      if let text = unsafe dlerror() {
        unsafe strncpy(out, text, Int(byteCount) - 1)
      } else {
        unsafe out[0] = 0
      }
      unsafe out[Int(byteCount) - 1] = 0
    }
    unsafe vfs.pointee.xDlSym = { _, library, name in
      unsafe unsafeBitCast(dlsym(library, name!), to: (@convention(c) () -> Void)?.self)
    }
    unsafe vfs.pointee.xDlClose = { _, library in
      if let library = unsafe library { unsafe dlclose(library) }
    }
  }

  private static func addClockAndChance(to vfs: UnsafeMutablePointer<sqlite3_vfs>) {
    unsafe vfs.pointee.xRandomness = { _, byteCount, out in
      let room = unsafe UnsafeMutableRawBufferPointer(start: out, count: Int(byteCount))
      unsafe room.initializeMemory(as: UInt8.self, repeating: 0)
      _ = try? unsafe fillWithRandomBytes(room)
      return byteCount
    }
    unsafe vfs.pointee.xSleep = { _, microseconds in
      OpenFile.sleep(microseconds: microseconds)
    }
    // SQLite counts from noon on 24 November 4714 BC; 1970 began that many milliseconds later.
    unsafe vfs.pointee.xCurrentTimeInt64 = { _, out in
      unsafe out!.pointee = Clock.realtimeMilliseconds() + 210_866_760_000_000
      return SQLITE_OK
    }
    unsafe vfs.pointee.xCurrentTime = { _, out in
      unsafe out!.pointee = Double(Clock.realtimeMilliseconds() + 210_866_760_000_000) / 86_400_000
      return SQLITE_OK
    }
    unsafe vfs.pointee.xGetLastError = { _, byteCount, out in unsafe lastError(byteCount, out) }
  }

  /// Tests replace a VFS's system calls by these. The VFS itself makes none that could be replaced,
  /// so it knows no name, and there is nothing to reset (a name that is NULL).
  private static func addSystemCalls(to vfs: UnsafeMutablePointer<sqlite3_vfs>) {
    unsafe vfs.pointee.xSetSystemCall = { _, name, _ in
      unsafe name == nil ? SQLITE_OK : SQLITE_NOTFOUND
    }
    unsafe vfs.pointee.xGetSystemCall = { _, _ in nil }
    unsafe vfs.pointee.xNextSystemCall = { _, _ in nil }
  }

  // MARK: By name

  private static func open(
    name: UnsafePointer<CChar>?, file: UnsafeMutablePointer<sqlite3_file>, flags: Int32,
    outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    // No xClose unless the open succeeds.
    unsafe file.pointee.pMethods = nil
    let path = unsafe name.map(unsafe bytes(of:))
    let opened: OpenFile
    do throws(VFSError) {
      let isMain = flags & SQLITE_OPEN_MAIN_DB != 0
      opened = try onceMore(if: isMain) { () throws(VFSError) in
        try unsafe OpenFile(name: name, path: path, flags: flags)
      }
    } catch {
      let isMissing = if case .call(.refused(.notFound, _)) = error { true } else { false }
      let makes = flags & SQLITE_OPEN_MAIN_DB != 0 && flags & SQLITE_OPEN_CREATE != 0
      let isMain = flags & SQLITE_OPEN_MAIN_DB != 0
      return unsafe fail(
        isMissing && makes ? .noDirectory : error, .open, path ?? [], isMain ? name : nil)
    }
    opened.explainMissingWALIndex()
    unsafe opened.attach(to: file, IOMethods.table(for: opened))
    if let outFlags = unsafe outFlags {
      unsafe outFlags.pointee =
        opened.remote.isWritable
        ? flags : flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_READONLY
    }
    return SQLITE_OK
  }

  private static func delete(_ name: UnsafePointer<CChar>, syncDirectory: Bool) -> Int32 {
    var path = unsafe bytes(of: name)
    do throws(VFSError) {
      let channel = try OpenFile.registry.channel(for: path)
      path = try completed(path, in: channel.session)
      try call { () throws(CallError) in
        try channel.delete(path, syncDirectory: syncDirectory)
      }
      return SQLITE_OK
    } catch {
      return unsafe fail(error, .delete, path, nil)
    }
  }

  private static func access(
    _ name: UnsafePointer<CChar>, _ flags: Int32, _ result: UnsafeMutablePointer<Int32>
  ) -> Int32 {
    unsafe result.pointee = 0
    let neighbour =
      flags == SQLITE_ACCESS_EXISTS ? unsafe OpenFile.registry.neighbour(name) : nil
    if let neighbour, neighbour.knowledge.isAbsent(neighbour.file) { return SQLITE_OK }
    var path = unsafe bytes(of: name)
    let mode: AccessMode =
      switch flags {
      case SQLITE_ACCESS_READWRITE: .readWrite
      case SQLITE_ACCESS_READ: .read
      default: .exists
      }
    do throws(VFSError) {
      let channel = try OpenFile.registry.channel(for: path)
      path = try completed(path, in: channel.session)
      let answer = try call { () throws(CallError) in try channel.access(path, mode) }
      unsafe result.pointee = answer ? 1 : 0
      if !answer, let neighbour { neighbour.knowledge.missed(neighbour.file) }
      return SQLITE_OK
    } catch {
      return unsafe fail(error, .access, path, nil)
    }
  }

  private static func fullPathname(
    _ name: UnsafePointer<CChar>, _ out: UnsafeMutableBufferPointer<CChar>
  ) -> Int32 {
    let path = unsafe bytes(of: name)
    do throws(VFSError) {
      try unsafe checkParameterNames(name)
      let full =
        if unsafe meansHostName(socket: URIParameters.socket(of: name)) {
          try hostFullPathname(path)
        } else {
          try onceMore { () throws(VFSError) in
            try fullPathname(path, in: unsafe session(of: path, name))
          }
        }
      guard full.path.count < out.count else { throw .system(.nameTooLong) }
      for (index, byte) in full.path.enumerated() { unsafe out[index] = CChar(bitPattern: byte) }
      unsafe out[full.path.count] = 0
      return full.isThroughLink ? csqlite_ok_symlink : SQLITE_OK
    } catch {
      return unsafe fail(error, .fullPathname, path, name)
    }
  }

  private static func fullPathname(
    _ path: [UInt8], in session: Session
  ) throws(VFSError) -> (path: [UInt8], isThroughLink: Bool) {
    guard !session.usesHostPaths, let name = try HostName(path, in: session) else {
      let path = session.usesHostPaths ? try completed(path, in: session) : path
      return try call { () throws(CallError) in try session.home.fullPathname(path) }
    }
    let full = try call { () throws(CallError) in try session.home.fullPathname(name.found) }.path
    if let other = name.otherMeaning(of: path, than: full), !session.hasToldOfTwoMeanings,
      (try? session.home.access(other, .exists)) == true, session.tellsOfTwoMeanings()
    {
      _ = report(.twoMeanings, .fullPathname, path)
    }
    return (full, name.isThroughLink(to: full))
  }

  private static func bytes(of name: UnsafePointer<CChar>) -> [UInt8] {
    unsafe [UInt8](UnsafeRawBufferPointer(start: name, count: strlen(name)))
  }
}

/// Runs `body`, which opens a database, and runs it again if the sidecar turns out to be dead. A
/// dying process closes its socket last, so the check before may have come too early.
func onceMore<R>(
  if isWanted: Bool = true, _ body: () throws(VFSError) -> R
) throws(VFSError) -> R {
  do throws(VFSError) {
    return try body()
  } catch {
    guard isWanted, error.endsSession else { throw error }
    return try body()
  }
}
