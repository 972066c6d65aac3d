// How SQLite reaches this target, and the order of its folders.
//
//   Entry.swift   the extension's entry points
//   Calls         SQLite's callbacks: by name (VFS), on an open file (IOMethods, FileControl)
//   Files         an open file (OpenFile), and the table of open databases (Registry)
//   Parts         the parts of an open file: what it knows, its WAL index, how it waits, its limits
//   Sessions      which sidecar serves a name: sessions, URI parameters, host paths
//   Errors        the VFS's errors, SQLite's result codes and log
//
// A file may name files in its own folder and in the folders below it in this list, and none above.
// No two concepts name each other.

public import CSQLite
internal import CSluice
internal import SluiceSystem

/// The loadable extension's entry point. Registers the VFS `sluice` until the process ends; as the
/// default VFS if SLUICE_DEFAULT says so.
@c(sqlite3_sluice_init)
public func sqlite3SluiceInit(
  _ database: OpaquePointer?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ api: UnsafePointer<sqlite3_api_routines>?
) -> Int32 {
  unsafe csqlite_set_api(api)
  let code = registerVFS()
  if let obstacle = obstacle { unsafe message?.pointee = unsafe csqlite_copy(start(of: obstacle)) }
  return code == SQLITE_OK ? csqlite_ok_load_permanently : code
}

/// A preloaded libsluice.so calls this before the program opens its first database. `api` is a
/// `sqlite3_api_routines` with the functions that CSQLite needs.
@c(sluice_register_vfs)
public func sluiceRegisterVFS(_ api: UnsafeRawPointer?) -> Int32 {
  unsafe csqlite_set_api(api?.assumingMemoryBound(to: sqlite3_api_routines.self))
  let code = registerVFS()
  // Nobody sees the code: the program goes on with SQLite's own VFS.
  if let obstacle = obstacle { unsafe sluice_failures_say(start(of: obstacle)) }
  return code
}

private func registerVFS() -> Int32 {
  if obstacle != nil { return SQLITE_ERROR }
  sluice_failures_prepare()
  do throws(Errno) { try ProcessEpoch.prepare() } catch { return SQLITE_NOMEM }
  return VFS.register(asDefault: defaultMeaning == 1)
}

/// Why the VFS cannot be registered; nil if it can.
private var obstacle: StaticString? {
  // Since this version, four zero bytes precede a file name (see hasParameters).
  if csqlite_version_number() < 3_032_000 { return "sluice: SQLite 3.32.0 or newer is needed" }
  if defaultMeaning < 0 { return "sluice: SLUICE_DEFAULT takes 0 or 1; Sluice is not used" }
  return nil
}

/// What SLUICE_DEFAULT says: 0 or 1; -1 if that makes no sense.
private var defaultMeaning: Int32 {
  unsafe environmentValue("SLUICE_DEFAULT").map { unsafe csqlite_boolean($0) } ?? 0
}

private func start(of text: StaticString) -> UnsafePointer<CChar> {
  unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
