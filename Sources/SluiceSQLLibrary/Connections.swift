// The functions of sluice.h on connections.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL
internal import SluiceSystem

@c @implementation
public func sluice_open(
  _ database: UnsafePointer<CChar>?, _ socket: UnsafePointer<CChar>?, _ flags: UInt32,
  _ busyMilliseconds: Int32, _ connection: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  unsafe open(database, socket, flags, busyMilliseconds, image: nil, connection)
}

@c @implementation
public func sluice_open_image(
  _ database: UnsafePointer<CChar>?, _ socket: UnsafePointer<CChar>?, _ flags: UInt32,
  _ busyMilliseconds: Int32, _ image: UnsafeRawPointer?, _ length: Int,
  _ connection: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  let image = unsafe UnsafeRawBufferPointer(start: image, count: image == nil ? 0 : length)
  return unsafe open(database, socket, flags, busyMilliseconds, image: image, connection)
}

private func open(
  _ database: UnsafePointer<CChar>?, _ socket: UnsafePointer<CChar>?, _ flags: UInt32,
  _ busyMilliseconds: Int32, image: UnsafeRawBufferPointer?,
  _ connection: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let connection = unsafe connection else { return SLUICE_MISUSE }
  let client = Client()
  unsafe connection.pointee = Handle.make(client)
  do throws(CallFailure) {
    if let image = unsafe image, unsafe image.isEmpty {
      throw .own(SLUICE_MISUSE, "the image is NULL or empty; sluice_export gives one")
    }
    let opening = try unsafe Opening(
      database, socket: socket, flags: flags, busyMilliseconds: busyMilliseconds)
    client.open(try unsafe opening.connect(image: image.map { unsafe Array($0) }))
    return SLUICE_OK
  } catch {
    return client.note(error)
  }
}

@c @implementation
public func sluice_close(_ connection: OpaquePointer?) -> Int32 {
  guard let connection = unsafe connection else { return SLUICE_OK }
  guard let client = unsafe Handle.client(connection), !client.isInCallback else {
    return SLUICE_MISUSE
  }
  client.close()
  unsafe Handle.close(connection)
  return SLUICE_OK
}

@c @implementation
public func sluice_cancel(_ connection: OpaquePointer?) -> Int32 {
  unsafe Handle.client(connection)?.cancel() ?? SLUICE_MISUSE
}

// MARK: What they tell

@c @implementation
public func sluice_error_code(_ connection: OpaquePointer?) -> Int32 {
  unsafe Handle.client(connection)?.errorCode ?? SLUICE_MISUSE
}

@c @implementation
public func sluice_error_message(_ connection: OpaquePointer?) -> UnsafePointer<CChar>? {
  unsafe Handle.client(connection)?.messageStart ?? start(of: "no open connection")
}

@c @implementation
public func sluice_error_offset(_ connection: OpaquePointer?) -> Int64 {
  unsafe Handle.client(connection)?.errorOffset ?? -1
}

@c @implementation
public func sluice_changes(_ connection: OpaquePointer?) -> Int64 {
  unsafe Handle.client(connection)?.changes ?? 0
}

@c @implementation
public func sluice_last_row_id(_ connection: OpaquePointer?) -> Int64 {
  unsafe Handle.client(connection)?.lastInsertedRowID ?? 0
}

@c @implementation
public func sluice_autocommit(_ connection: OpaquePointer?) -> Int32 {
  unsafe Handle.client(connection)?.connection?.isAutocommit ?? true ? 1 : 0
}

@c @implementation
public func sluice_sqlite_version(_ connection: OpaquePointer?) -> Int32 {
  unsafe Int32(clamping: Handle.client(connection)?.connection?.sqliteVersion ?? 0)
}

private func start(of text: StaticString) -> UnsafePointer<CChar> {
  unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

// MARK: Export

@c @implementation
public func sluice_export(
  _ connection: OpaquePointer?,
  _ receive: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32)?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  guard let client = unsafe Handle.client(connection) else { return SLUICE_MISUSE }
  guard let receive = unsafe receive else {
    return client.note(.own(SLUICE_MISUSE, "the function that receives the image is NULL"))
  }
  return client.call { (connection) throws(CallFailure) in
    try sql { () throws(SQLFailure) in
      try unsafe connection.export { (piece) throws(SQLFailure) in
        let answer = client.withCallback {
          unsafe receive(context, piece.baseAddress, piece.count)
        }
        guard answer == 0 else {
          throw .sqlite(
            code: SLUICE_ABORT, message: bytes("the caller ended the export"), offset: -1)
        }
      }
    }
    return SLUICE_OK
  }
}

// MARK: Changes of the state

@c @implementation
public func sluice_await_changes(
  _ connection: OpaquePointer?, _ seen: Int64, _ milliseconds: Int64,
  _ number: UnsafeMutablePointer<Int64>?
) -> Int32 {
  guard let client = unsafe Handle.client(connection) else { return SLUICE_MISUSE }
  guard let number = unsafe number else {
    return client.note(.own(SLUICE_MISUSE, "the place for the number is NULL"))
  }
  return client.call { (connection) throws(CallFailure) in
    unsafe number.pointee = try sql { () throws(SQLFailure) in
      try connection.awaitChanges(after: seen, milliseconds: milliseconds)
    }
    return SLUICE_OK
  }
}
