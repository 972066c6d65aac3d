// The door through which SQLite comes in.

public import CSQLite
internal import SluiceSystem

/// The loadable extension's entry point. Registers the VFS `sluice` for as long as the process
/// lives, as the default where SLUICE_DEFAULT is 1.
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

/// What a preloaded libsluice.so calls before the program's first database is opened; `api` is a
/// `sqlite3_api_routines` with the functions that CSQLite needs.
@c(sluice_register_vfs)
public func sluiceRegisterVFS(_ api: UnsafeRawPointer?) -> Int32 {
  unsafe csqlite_set_api(api?.assumingMemoryBound(to: sqlite3_api_routines.self))
  return registerVFS()
}

private func registerVFS() -> Int32 {
  // File names with four zero bytes before them, see URIParameters.
  guard csqlite_version_number() >= 3_032_000 else { return SQLITE_ERROR }
  do throws(Errno) { try ProcessEpoch.prepare() } catch { return SQLITE_NOMEM }
  let isDefault =
    unsafe environmentValue("SLUICE_DEFAULT").map { unsafe $0[0] == 0x31 && $0[1] == 0 } ?? false
  return VFS.register(asDefault: isDefault)
}
