// Shared memory and its one owner.

internal import CSluice

/// Owns a shared mapping.
@safe
public struct Mapping: ~Copyable, @unchecked Sendable {
  public let start: UnsafeMutableRawPointer
  public let byteCount: Int
  private let process: ProcessEpoch?

  /// Maps `byteCount` bytes of `descriptor` from `offset`, a multiple of the page size. A forked
  /// child has the mapping too only if it is `inheritable`.
  public init(
    _ descriptor: borrowing FileDescriptor, offset: Int64 = 0, byteCount: Int,
    writable: Bool = true, inheritable: Bool = false
  ) throws(Errno) {
    if !inheritable { try ProcessEpoch.prepare() }
    var address: UnsafeMutableRawPointer?
    _ = try unsafe check(
      sluice_map(
        descriptor.rawValue, offset, UInt64(byteCount), writable ? 1 : 0, inheritable ? 1 : 0,
        &address))
    unsafe start = unsafe address!
    self.byteCount = byteCount
    process = inheritable ? nil : ProcessEpoch.current
  }

  fileprivate init(start: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe self.start = start
    self.byteCount = byteCount
    process = nil
  }

  /// Puts private memory, all zeros, in the place of what was mapped: from here on who knows the
  /// address neither sees what others write nor writes where they see it.
  public borrowing func letGo() { _ = unsafe sluice_map_zeros(start, UInt64(byteCount)) }

  deinit {
    // In a forked child the mapping is not there, and its addresses may be somebody else's.
    if process?.isCurrent ?? true { _ = unsafe sluice_unmap(start, UInt64(byteCount)) }
  }
}

/// A mapping that may stand in a class or a collection.
@safe
public final class SharedMapping: Sendable {
  public let mapping: Mapping

  public init(_ mapping: consuming Mapping) { self.mapping = mapping }

  public var start: UnsafeMutableRawPointer { unsafe mapping.start }

  /// Receives one message into `message` and maps the file whose descriptor comes with it, which
  /// never stands among this process's own: anywhere, or in the place of `present`, which is as large.
  /// A forked child has the mapping too. Throws where no message was received; one that could not be
  /// mapped is received all the same.
  public static func receive(
    on socket: borrowing FileDescriptor, message: UnsafeMutableRawBufferPointer,
    offset: Int64, byteCount: Int, writable: Bool, inPlaceOf present: SharedMapping?
  ) throws(Errno) -> ReceivedMapping {
    precondition(present.map { $0.mapping.byteCount == byteCount } ?? true, "as large")
    var address = unsafe present?.start
    var error: Int32 = 0
    let messageByteCount = try unsafe check(
      sluice_receive_mapping(
        socket.rawValue, message.baseAddress!, message.count, offset, UInt64(byteCount),
        writable ? 1 : 0, &address, &error))
    var received = ReceivedMapping(
      messageByteCount: Int(messageByteCount), mapping: nil, failure: Errno(-error))
    if error == 0, let address = unsafe address {
      received.mapping =
        unsafe present ?? SharedMapping(Mapping(start: address, byteCount: byteCount))
    }
    return received
  }
}

/// What came with a message, mapped.
public struct ReceivedMapping {
  /// 0 when the peer has closed its end.
  public var messageByteCount: Int
  public var mapping: SharedMapping?
  /// Why there is none.
  public var failure: Errno
}

extension FileDescriptor {
  /// Anonymous shared memory that no holder of the descriptor can resize. Unless it is `final`,
  /// `forbidWriting` can seal it further.
  public static func sealedMemory(
    _ name: StaticString, byteCount: Int, isFinal: Bool = true
  ) throws(Errno) -> FileDescriptor {
    let raw = try unsafe check(
      sluice_memfd_create_sealed(
        UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), UInt64(byteCount),
        isFinal ? 1 : 0))
    return FileDescriptor(owning: raw)
  }

  /// From now on nobody can map this memory for writing; mappings that are there stay.
  public borrowing func forbidWriting() throws(Errno) {
    _ = try check(sluice_memfd_forbid_writing(rawValue))
  }

  /// Gives the memory of a part back to the system: it reads as zeros from then on, in all mappings.
  /// Throws where writing is forbidden.
  public borrowing func release(offset: Int64, byteCount: Int) throws(Errno) {
    _ = try check(sluice_memfd_release(rawValue, UInt64(offset), UInt64(byteCount)))
  }

  /// Whether this is memory of exactly `byteCount` bytes that nobody can resize: mapping anything
  /// else lets its owner kill this process with SIGBUS.
  public borrowing func isSealedMemory(byteCount: Int) -> Bool {
    guard sluice_memfd_is_sealed(rawValue) == 1 else { return false }
    guard let status = try? status() else { return false }
    return status.byteCount == Int64(byteCount)
  }

  /// Creates the POSIX shared-memory object `name` ("/name"), writable by its owner and readable
  /// by all. It must not exist.
  public static func createSharedMemoryObject(
    _ name: UnsafePointer<CChar>, byteCount: Int
  ) throws(Errno) -> FileDescriptor {
    unsafe FileDescriptor(owning: try check(sluice_shm_create(name, UInt64(byteCount))))
  }

  /// Opens the POSIX shared-memory object `name` for reading.
  public static func openSharedMemoryObject(
    _ name: UnsafePointer<CChar>
  ) throws(Errno) -> FileDescriptor {
    unsafe FileDescriptor(owning: try check(sluice_shm_open(name)))
  }
}

/// Removes the name of a POSIX shared-memory object.
public func unlinkSharedMemoryObject(_ name: UnsafePointer<CChar>) throws(Errno) {
  _ = try unsafe check(sluice_shm_unlink(name))
}
