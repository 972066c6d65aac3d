// The parameters in a database's URI.
//
//   socket=PATH              the shared sidecar that serves the database
//   connect-timeout=MS       wait for the sidecar's welcome for up to MS milliseconds
//   delete-before-open=1     delete the database first, with journal and WAL, unless it is in use
//   implicit-locks=MS        keep locks for MS milliseconds after each transaction
//   unlock-asap=1            keep no lock after its transaction, whatever the sidecar's default
//   wait=MS                  stand in line for a lock for up to MS milliseconds
//   readonly_shm=1           open the WAL index for reading only
//   psow=0                   do not promise that a torn write leaves neighbouring bytes intact
//   posted-writes=0          wait for every write
//   read-window=0            ask the sidecar for every page
//   owned-knowledge=0        ask the sidecar for every size, and for absent journals
//   standing-locks=0         ask the sidecar for every lock
//   group-commit=0           wait for every sync of a WAL before the next writer has its turn

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceWire

struct URIParameters {
  var options: OpenOptions = []
  var implicitLockMilliseconds: Int64 = -1
  var waitMilliseconds: Int64 = 0
  /// How long it may take to get a session.
  var connectMilliseconds = Session.connectMillisecondsMaximum
  var isPowersafeOverwrite = true
  var isWALIndexReadOnly = false
  var shortcuts: Shortcuts = .all

  /// Reads the parameters of a main database's name, as SQLite passes it to xOpen.
  init(_ name: UnsafePointer<CChar>) throws(VFSError) {
    try unsafe checkParameterNames(name)
    let deletes = try unsafe URIParameters.boolean(
      name, "delete-before-open", or: false,
      complaint: "delete-before-open takes 0 or 1 in the URI")
    if deletes { options.insert(.deleteBeforeOpen) }
    let unlocks = try unsafe URIParameters.boolean(
      name, "unlock-asap", or: false, complaint: "unlock-asap takes 0 or 1 in the URI")
    if unlocks { options.insert(.unlockAsSoonAsPossible) }
    isPowersafeOverwrite = try unsafe URIParameters.boolean(
      name, "psow", or: true, complaint: "psow takes 0 or 1 in the URI")
    isWALIndexReadOnly = try unsafe URIParameters.boolean(
      name, "readonly_shm", or: false, complaint: "readonly_shm takes 0 or 1 in the URI")
    let posts = try unsafe URIParameters.boolean(
      name, "posted-writes", or: true, complaint: "posted-writes takes 0 or 1 in the URI")
    if !posts { shortcuts.remove(.postedWrites) }
    let readsWindow = try unsafe URIParameters.boolean(
      name, "read-window", or: true, complaint: "read-window takes 0 or 1 in the URI")
    if !readsWindow { shortcuts.remove(.readWindow) }
    let knows = try unsafe URIParameters.boolean(
      name, "owned-knowledge", or: true, complaint: "owned-knowledge takes 0 or 1 in the URI")
    if !knows { shortcuts.remove(.ownedKnowledge) }
    let stands = try unsafe URIParameters.boolean(
      name, "standing-locks", or: true, complaint: "standing-locks takes 0 or 1 in the URI")
    if !stands { shortcuts.remove(.standingLocks) }
    let shares = try unsafe URIParameters.boolean(
      name, "group-commit", or: true, complaint: "group-commit takes 0 or 1 in the URI")
    if !shares { shortcuts.remove(.groupCommit) }
    implicitLockMilliseconds = try unsafe URIParameters.milliseconds(
      name, "implicit-locks", or: implicitLockMilliseconds,
      complaint: "implicit-locks takes milliseconds from 0 to 3600000 in the URI")
    waitMilliseconds = try unsafe URIParameters.milliseconds(
      name, "wait", or: waitMilliseconds,
      complaint: "wait takes milliseconds from 0 to 3600000 in the URI")
    connectMilliseconds = try unsafe URIParameters.connectMilliseconds(of: name)
  }

  init() {}

  /// The socket in a database's URI, or nil.
  static func socket(of name: UnsafePointer<CChar>) -> UnsafePointer<CChar>? {
    unsafe value(name, "socket")
  }

  /// How long a session with the database's sidecar may take.
  static func connectMilliseconds(of name: UnsafePointer<CChar>) throws(VFSError) -> Int64 {
    try unsafe milliseconds(
      name, "connect-timeout", or: Session.connectMillisecondsMaximum,
      complaint: "connect-timeout takes milliseconds from 0 to 3600000 in the URI")
  }

  @inline(never)
  private static func milliseconds(
    _ filename: UnsafePointer<CChar>, _ name: StaticString, or standard: Int64,
    complaint: StaticString
  ) throws(VFSError) -> Int64 {
    guard let text = unsafe value(filename, name) else { return standard }
    guard let number = unsafe decimal(text), number <= 3_600_000 else {
      throw .uriParameter(complaint)
    }
    return number
  }

  private static func boolean(
    _ filename: UnsafePointer<CChar>, _ name: StaticString, or standard: Bool,
    complaint: StaticString
  ) throws(VFSError) -> Bool {
    guard let text = unsafe value(filename, name) else { return standard }
    let meaning = unsafe csqlite_boolean(text)
    guard meaning >= 0 else { throw .uriParameter(complaint) }
    return meaning == 1
  }
}

extension StaticString {
  fileprivate var start: UnsafePointer<CChar> {
    unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
  }
}

/// Throws if a parameter has a name that is nearly one of ours (see Sources/CSQLite/parameters.c).
func checkParameterNames(_ filename: UnsafePointer<CChar>) throws(VFSError) {
  var nearest: Int32 = 0
  guard unsafe hasParameters(filename),
    let name = unsafe csqlite_misspelt_parameter(filename, &nearest)
  else { return }
  let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: name, count: strlen(name)))
  throw .unknownParameter(bytes, nearest: nearest)
}

/// Whether SQLite's core made the name, and so has parameters behind it: four zero bytes precede it
/// (see `sqlite3_create_filename`). A VFS on top of this one may pass a bare string.
func hasParameters(_ filename: UnsafePointer<CChar>) -> Bool {
  for offset in 1...4 where unsafe filename[-offset] != 0 { return false }
  return true
}

/// The value of a parameter, or nil. An empty value counts as none.
@inline(never)
private func value(
  _ filename: UnsafePointer<CChar>, _ name: StaticString
) -> UnsafePointer<CChar>? {
  guard unsafe hasParameters(filename),
    let value = unsafe csqlite_uri_parameter(filename, name.start), unsafe value[0] != 0
  else { return nil }
  return unsafe value
}

/// A number of at most nine digits.
private func decimal(_ text: UnsafePointer<CChar>) -> Int64? {
  let digits = unsafe UnsafeBufferPointer(start: text, count: strlen(text))
  guard (1...9).contains(digits.count) else { return nil }
  var number: Int64 = 0
  for index in digits.indices {
    let digit = unsafe digits[index]
    guard (0x30...0x39).contains(digit) else { return nil }
    number = number * 10 + Int64(digit - 0x30)
  }
  return number
}
