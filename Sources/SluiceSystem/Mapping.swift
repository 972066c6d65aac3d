// Shared memory with one owner.

internal import CSluice

/// Owns a shared mapping.
@safe
public struct Mapping: ~Copyable, @unchecked Sendable {
  public let start: UnsafeMutableRawPointer
  public let byteCount: Int
  private let process: ProcessEpoch?

  /// Maps `byteCount` bytes of `descriptor` from `offset`, a multiple of the page size. A forked
  /// child has the mapping only if it is `inheritable`.
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

  /// Replaces the mapping by private memory, all zeros. From now on code that uses the address
  /// neither sees the other processes' writes nor writes where they can see it.
  public borrowing func letGo() { _ = unsafe sluice_map_zeros(start, UInt64(byteCount)) }

  /// From now on a forked child has private zeros at this address, until `showToChildren`.
  public borrowing func hideFromChildren() throws(Errno) {
    _ = try unsafe check(sluice_keep_from_children(start, UInt64(byteCount)))
  }

  public borrowing func showToChildren() { unsafe sluice_forget_range(start) }

  deinit {
    // A forked child does not have the mapping, and its addresses may belong to another mapping.
    if process?.isCurrent ?? true { _ = unsafe sluice_unmap(start, UInt64(byteCount)) }
  }
}

/// A mapping that a class or a collection can hold.
@safe
public final class SharedMapping: Sendable {
  public let mapping: Mapping

  public init(_ mapping: consuming Mapping) { self.mapping = mapping }

  public var start: UnsafeMutableRawPointer { unsafe mapping.start }

  /// The descriptor of the mapping, if this process had to keep it open itself. `receive` and `copy`
  /// set it before others see the mapping, or in the place of one that was let go.
  private nonisolated(unsafe) var kept: KeptDescriptor?

  /// Another mapping of the same pages, which a forked child has too. Nil if this process has no
  /// room for it, or has let this mapping go.
  public func copy() -> SharedMapping? {
    var address: UnsafeMutableRawPointer?
    let result = unsafe sluice_map_again(start, UInt64(mapping.byteCount), &address)
    guard result == 0, let address = unsafe address else { return nil }
    let copy = unsafe SharedMapping(Mapping(start: address, byteCount: mapping.byteCount))
    unsafe copy.kept = kept
    return copy
  }

  /// Receives one message into `message` and maps the file whose descriptor comes with it:
  /// anywhere, or in the place of `present`, which has the same size. `file` is the file that the
  /// sender claims. A forked child has the mapping too. Throws if no message was received. A
  /// message is received even if its file could not be mapped.
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
      // Usually a child receives it. If this process cannot use a child, it receives the descriptor
      // itself.
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

/// A message, and the mapping of the file that came with it.
public struct ReceivedMapping {
  /// 0 when the peer has closed its end.
  public var messageByteCount: Int
  public var mapping: SharedMapping?
  /// Why there is no mapping.
  public var failure: Errno
}

extension FileDescriptor {
  /// Makes anonymous shared memory that no holder of the descriptor can resize. Unless it is
  /// `final`, `forbidWriting` can seal it further.
  public static func sealedMemory(
    _ name: StaticString, byteCount: Int, isFinal: Bool = true
  ) throws(Errno) -> FileDescriptor {
    let raw = try unsafe check(
      sluice_memfd_create_sealed(
        UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), UInt64(byteCount),
        isFinal ? 1 : 0))
    return FileDescriptor(owning: raw)
  }

  /// From now on no process can map this memory for writing. Existing mappings stay.
  public borrowing func forbidWriting() throws(Errno) {
    _ = try check(sluice_memfd_forbid_writing(rawValue))
  }

  /// Gives the memory of a part back to the system. From then on it reads as zeros in all mappings.
  /// Throws if writing is forbidden.
  public borrowing func release(offset: Int64, byteCount: Int) throws(Errno) {
    _ = try check(sluice_memfd_release(rawValue, UInt64(offset), UInt64(byteCount)))
  }

  /// Whether this is memory of exactly `byteCount` bytes that no process can resize. If this
  /// process mapped anything else, the owner of that file could kill this process with SIGBUS.
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
