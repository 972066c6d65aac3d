// xFileControl: the codes that SQLite's unix VFS answers, with the same meaning. SYNC waits for
// posted writes, COMMIT_PHASETWO for a promised sync. Every other code gets SQLITE_NOTFOUND, which
// tells SQLite to continue by itself. So do the codes that are only notices (BUSYHANDLER, PRAGMA …),
// except `PRAGMA sluice_error`, which answers why the connection's last call failed.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum FileControl {
  static func perform(
    _ file: UnsafeMutablePointer<sqlite3_file>, _ code: Int32, _ argument: UnsafeMutableRawPointer?
  ) -> Int32 {
    unsafe OpenFile.reference(file)._withUnsafeGuaranteedRef { file in
      if code == SQLITE_FCNTL_SYNC { return settle(file) }
      if code == SQLITE_FCNTL_COMMIT_PHASETWO { return finishCommit(file) }
      guard let argument = unsafe argument else { return SQLITE_NOTFOUND }
      if let code = unsafe answerLocally(file, code, argument) { return code }
      do throws(CallError) {
        return try unsafe ask(file, code, argument)
      } catch {
        return file.fail(error, .fileControl)
      }
    }
  }

  /// A transaction is about to be committed. Its writes must be in the file at this point, whether
  /// or not a sync follows.
  private static func settle(_ file: OpenFile) -> Int32 {
    do throws(CallError) {
      try file.remote.settle()
      return SQLITE_OK
    } catch {
      return file.fail(error, .write)
    }
  }

  /// A transaction was committed and has given back its right to write. An error here fails its
  /// COMMIT.
  private static func finishCommit(_ file: OpenFile) -> Int32 {
    do throws(VFSError) {
      try file.finishCommit()
      return SQLITE_NOTFOUND
    } catch {
      _ = (file.wal ?? file).fail(error, .sync)
      return csqlite_ioerr_fsync
    }
  }

  /// Answers codes that need no sidecar. Nil for any other code.
  private static func answerLocally(
    _ file: OpenFile, _ code: Int32, _ argument: UnsafeMutableRawPointer
  ) -> Int32? {
    let number = unsafe argument.assumingMemoryBound(to: Int32.self)
    let text = unsafe argument.assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self)
    switch code {
    case SQLITE_FCNTL_PRAGMA:
      if let name = unsafe text[1], unsafe asksForFailure(name) {
        // Without a failure this is a PRAGMA that nobody knows: no row. An answer that is NULL would
        // be a column without a name, which Python takes for a lack of memory.
        guard let failure = file.lastFailure.withLock({ $0 }) else { return SQLITE_NOTFOUND }
        unsafe text[0] = unsafe failure.copiedText()
        return SQLITE_OK
      }
      unsafe file.notePragma(name: text[1], value: text[2])
      return SQLITE_NOTFOUND
    case SQLITE_FCNTL_LOCKSTATE:
      unsafe number.pointee = Int32(file.level.rawValue)
    case SQLITE_FCNTL_LAST_ERRNO:
      unsafe number.pointee = file.lastErrno
    case SQLITE_FCNTL_PDB:
      file.connectionAddress = UInt(bitPattern: argument)
    case SQLITE_FCNTL_CHUNK_SIZE:
      file.chunkByteCount = unsafe Int64(number.pointee)
    case csqlite_fcntl_lock_timeout:
      // As in SQLite's unix VFS, a negative number means no limit.
      let former = file.wait.milliseconds
      let wanted = unsafe number.pointee
      file.wait.milliseconds = wanted < 0 ? Int64(Int32.max) : Int64(wanted)
      unsafe number.pointee = Int32(clamping: former)
    case SQLITE_FCNTL_PERSIST_WAL:
      unsafe exchange(&file.persistsWAL, number)
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
      unsafe exchange(&file.isPowersafeOverwrite, number)
    case SQLITE_FCNTL_VFSNAME:
      unsafe text.pointee = unsafe csqlite_copy("sluice")
    case SQLITE_FCNTL_TEMPFILENAME:
      unsafe text.pointee = unsafe temporaryName(
        isOnHost: file.remote.channel.session.usesHostPaths)
    case SQLITE_FCNTL_MMAP_SIZE:
      let byteCount = unsafe argument.assumingMemoryBound(to: Int64.self)
      unsafe byteCount.pointee = unsafe file.setFetchMaximum(byteCount.pointee)
    default:
      return nil
    }
    return SQLITE_OK
  }

  private static func asksForFailure(_ pragma: UnsafePointer<CChar>) -> Bool {
    let name: StaticString = "sluice_error"
    return unsafe strcasecmp(
      pragma, UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)) == 0
  }

  private static func ask(
    _ file: OpenFile, _ code: Int32, _ argument: UnsafeMutableRawPointer
  ) throws(CallError) -> Int32 {
    let number = unsafe argument.assumingMemoryBound(to: Int32.self)
    switch code {
    case SQLITE_FCNTL_SIZE_HINT:
      try file.hint(byteCount: unsafe argument.assumingMemoryBound(to: Int64.self).pointee)
    case SQLITE_FCNTL_HAS_MOVED:
      unsafe number.pointee = try file.remote.hasMoved() ? 1 : 0
    case csqlite_fcntl_external_reader:
      unsafe number.pointee = try file.remote.hasExternalReader() ? 1 : 0
    default:
      return SQLITE_NOTFOUND
    }
    return SQLITE_OK
  }

  /// A negative number reads the flag, any other number sets it.
  private static func exchange(_ flag: inout Bool, _ number: UnsafeMutablePointer<Int32>) {
    if unsafe number.pointee < 0 {
      unsafe number.pointee = flag ? 1 : 0
    } else {
      flag = unsafe number.pointee != 0
    }
  }

  /// An unused name in the directory for temporary files. SQLite frees it.
  private static func temporaryName(isOnHost: Bool) -> UnsafeMutablePointer<CChar>? {
    var random: UInt64 = 0
    _ = try? unsafe withUnsafeMutableBytes(of: &random) { (bytes) throws(Errno) in
      try unsafe fillWithRandomBytes(bytes)
    }
    var name: [CChar] = []
    if isOnHost {
      let directory = unsafe environmentValue("SQLITE_TMPDIR") ?? environmentValue("TMPDIR")
      if let directory = unsafe directory {
        name = unsafe Array(UnsafeBufferPointer(start: directory, count: strlen(directory)))
      } else {
        name = characters("/var/tmp")
      }
    }
    name += characters("/etilqs_")
    for shift in 0..<16 {
      let digit = UInt8(truncatingIfNeeded: random >> UInt64(shift * 4)) & 15
      name.append(CChar(bitPattern: digit < 10 ? 0x30 + digit : 0x61 + digit - 10))
    }
    return unsafe csqlite_copy(name + [0])
  }

  private static func characters(_ text: StaticString) -> [CChar] {
    unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).map {
      CChar(bitPattern: $0)
    }
  }
}
