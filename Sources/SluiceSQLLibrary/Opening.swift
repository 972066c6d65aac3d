// What a program wants opened, and on which engine.

internal import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL
internal import SluiceWire

@safe
struct Opening {
  private let database: [UInt8]
  private let place: EnginePlace
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
    place = unsafe EnginePlace(socket)
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
    try place.connect { (session) throws(CallFailure) in
      try sql { () throws(SQLFailure) in
        try SQLConnection(
          session, path: database, mode: mode, options: options, busyMilliseconds: busyMilliseconds,
          seed: image)
      }
    }
  }
}
