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

  /// From now on a forked child has zeros of its own there, until `showToChildren`.
  public borrowing func hideFromChildren() throws(Errno) {
    _ = try unsafe check(sluice_keep_from_children(start, UInt64(byteCount)))
  }

  public borrowing func showToChildren() { unsafe sluice_forget_range(start) }

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

  /// The descriptor that it was made from, where this process had to take that among its own. Only
  /// `receive` changes it, in the thread that uses the mapping.
  private nonisolated(unsafe) var kept: KeptDescriptor?

  /// Receives one message into `message` and maps the file whose descriptor comes with it: anywhere,
  /// or in the place of `present`, which is as large. `file` is what the sender says that it is. A
  /// forked child has the mapping too. Throws where no message was received; one that could not be
  /// mapped is received all the same.
  public static func receive(
    on socket: borrowing FileDescriptor, message: UnsafeMutableRawBufferPointer,
    offset: Int64, byteCount: Int, writable: Bool, of file: FileNumber,
    inPlaceOf present: SharedMapping?
  ) throws(Errno) -> ReceivedMapping {
    precondition(present.map { $0.mapping.byteCount == byteCount } ?? true, "as large")
    var address = unsafe present?.start
    var error: Int32 = 0
    var messageByteCount: Int64 = 0
    var kept = KeptDescriptors.use(file, from: socket)
    if kept == nil {
      // In the ordinary case a child does it. Where this process may have none, the descriptor
      // comes to stand among its own.
      let refusal = unsafe sluice_receive_mapping(
        socket.rawValue, message.baseAddress!, message.count, offset, UInt64(byteCount),
        writable ? 1 : 0, &address, &error, &messageByteCount)
      if refusal < 0 {
        error = -EMFILE
        var number: Int32 = -1
        messageByteCount = unsafe sluice_socket_receive_above(
          socket.rawValue, message.baseAddress!, message.count, &number)
        if number >= 0 { kept = KeptDescriptors.take(number, from: socket) }
      }
    } else {
      messageByteCount = unsafe sluice_socket_receive_bare(
        socket.rawValue, message.baseAddress!, message.count)
    }
    if messageByteCount > 0, let kept {
      error = unsafe sluice_map(
        kept.number, offset, UInt64(byteCount), writable ? 1 : 0, 1, &address)
    }
    var received = ReceivedMapping(
      messageByteCount: Int(try check(messageByteCount)), mapping: nil, failure: Errno(-error))
    if messageByteCount > 0, error == 0, let address = unsafe address {
      let mapped =
        unsafe present ?? SharedMapping(Mapping(start: address, byteCount: byteCount))
      unsafe mapped.kept = kept
      received.mapping = mapped
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
