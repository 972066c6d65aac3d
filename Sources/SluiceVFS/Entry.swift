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
internal import SluiceSystem

/// The loadable extension's entry point. Registers the VFS `sluice` until the process ends; as the
/// default VFS if SLUICE_DEFAULT is 1.
@c(sqlite3_sluice_init)
public func sqlite3SluiceInit(
  _ database: OpaquePointer?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ api: UnsafePointer<sqlite3_api_routines>?
) -> Int32 {
  unsafe csqlite_set_api(api)
  let code = registerVFS()
  if code == SQLITE_ERROR {
    unsafe message?.pointee = unsafe csqlite_copy("sluice: SQLite 3.32.0 or newer is needed")
  }
  return code == SQLITE_OK ? csqlite_ok_load_permanently : code
}

/// A preloaded libsluice.so calls this before the program opens its first database. `api` is a
/// `sqlite3_api_routines` with the functions that CSQLite needs.
@c(sluice_register_vfs)
public func sluiceRegisterVFS(_ api: UnsafeRawPointer?) -> Int32 {
  unsafe csqlite_set_api(api?.assumingMemoryBound(to: sqlite3_api_routines.self))
  return registerVFS()
}

private func registerVFS() -> Int32 {
  // Since this version, four zero bytes precede a file name (see URIParameters).
  guard csqlite_version_number() >= 3_032_000 else { return SQLITE_ERROR }
  do throws(Errno) { try ProcessEpoch.prepare() } catch { return SQLITE_NOMEM }
  let isDefault =
    unsafe environmentValue("SLUICE_DEFAULT").map { unsafe $0[0] == 0x31 && $0[1] == 0 } ?? false
  return VFS.register(asDefault: isDefault)
}
