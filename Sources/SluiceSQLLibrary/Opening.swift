// Which engine a connection has, and in which words it is told that there is none.

internal import CSluiceSQL
internal import CSluice
internal import SluiceClient
internal import SluiceSQL
internal import SluiceSystem
internal import SluiceWire

@safe
struct Opening {
  let database: [UInt8]
  /// Ends with a zero. Nil for a private engine.
  private let socket: [CChar]?
  private let mode: SQLOpenMode
  private let options: SQLOpenOptions
  private let busyMilliseconds: Int64

  /// Both texts end with a zero.
  init(
    _ database: UnsafePointer<CChar>?, socket: UnsafePointer<CChar>?, flags: UInt32,
    busyMilliseconds: Int32
  ) throws(CallFailure) {
    guard let database = unsafe database else { throw .own(SLUICE_MISUSE, "the database is NULL") }
    unsafe self.database = Array(UnsafeRawBufferPointer(start: database, count: strlen(database)))
    let named = unsafe socket ?? environmentValue("SLUICE_SQL_SOCKET")
    self.socket = unsafe named.map {
      unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
    }
    let readOnly = UInt32(SLUICE_READ_ONLY)
    let state = UInt32(SLUICE_STATE)
    guard let mode = SQLOpenMode(rawValue: UInt64(flags & ~(readOnly | state))) else {
      throw .own(SLUICE_MISUSE, "the flags are none of SLUICE_OPEN, CREATE and EITHER")
    }
    self.mode = mode
    var options: SQLOpenOptions = flags & readOnly != 0 ? .readOnly : []
    if flags & state != 0 { options.insert(.state) }
    self.options = options
    guard busyMilliseconds <= 3_600_000 else {
      throw .own(SLUICE_MISUSE, "busy_milliseconds is more than an hour (3,600,000)")
    }
    self.busyMilliseconds = busyMilliseconds < 0 ? 5000 : Int64(busyMilliseconds)
  }

  func connect(image: [UInt8]?) throws(CallFailure) -> SQLConnection {
    let session = try session()
    return try sql { () throws(SQLFailure) in
      try SQLConnection(
        session, path: database, mode: mode, options: options, busyMilliseconds: busyMilliseconds,
        seed: image)
    }
  }

  private func session() throws(CallFailure) -> RingSession {
    do throws(ConnectError) {
      if let socket { return try RingSession.connect(toSocket: socket) }
      return try RingSession.startPrivateEngine()
    } catch {
      throw .text(SLUICE_CANTOPEN, words(error))
    }
  }

  private func words(_ error: ConnectError) -> [UInt8] {
    guard let socket else {
      switch error {
      case .programNotFound:
        return bytes(
          "no sluice-engine program found; set SLUICE_ENGINE to its path, or SLUICE_SQL_SOCKET")
      case .notStarted(let errno):
        return text(
          "the private engine cannot be started: ", errno.words,
          "; set SLUICE_ENGINE to the path of sluice-engine")
      default: return text("the private engine: ", bytes(error.text), "")
      }
    }
    let name = socket.dropLast().map { UInt8(bitPattern: $0) }
    switch error {
    case .unreachable(let errno):
      return text(
        "no engine can be reached on ",
        text("", name, ": ") + errno.words,
        "; start one with 'sluice engine --root DIR --socket PATH'")
    case .refused(.userRefused):
      return text(
        "the engine on ", name, " does not serve this user; start it with --allow-user")
    case .refused(.tooManySessions):
      return text(
        "the engine on ", name,
        " has no room for a connection; close others, or start it with --connections N")
    default: return text("the engine on ", name, ": ") + bytes(error.text)
    }
  }
}

@inline(never)
private func text(_ start: StaticString, _ middle: [UInt8], _ end: StaticString) -> [UInt8] {
  bytes(start) + middle + bytes(end)
}

extension Errno {
  fileprivate var words: [UInt8] {
    guard let text = unsafe strerror(rawValue) else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}
