// Other processes, and the signals to this one.

internal import CSluice

/// A program that was started without a trace in this process: no SIGCHLD, and `wait(-1)` does not
/// find it.
public struct SpawnedProcess: Sendable {
  public let id: Int32

  /// Starts `program` with `arguments` (zero-terminated, without its name) in its own session. Its
  /// descriptor 3 is `descriptor`, and it gets no other descriptor beyond standard error. Throws
  /// the error of `exec`.
  public static func start(
    _ program: UnsafePointer<CChar>, arguments: [[CChar]],
    descriptor: borrowing FileDescriptor
  ) throws(Errno) -> SpawnedProcess {
    let name = unsafe UnsafeBufferPointer(start: program, count: strlen(program) + 1)
    var words = unsafe argumentVector([Array(name)] + arguments)
    defer { unsafe freeArgumentVector(words) }
    return SpawnedProcess(
      id: try unsafe check(sluice_spawn(program, &words, descriptor.rawValue)))
  }

  /// Waits for the process's end, for at most `timeoutMilliseconds`.
  public func awaitEnd(timeoutMilliseconds: Int32) {
    guard let end = try? FileDescriptor.processEnd(of: id) else { return }
    _ = end.awaitReadable(timeoutMilliseconds: timeoutMilliseconds)
  }
}

extension FileDescriptor {
  /// A descriptor that becomes readable when `process` ends.
  public static func processEnd(of process: Int32) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_pidfd_open(process)))
  }
}

/// Owns a descriptor that becomes readable when this process is asked to stop (SIGTERM, SIGINT or
/// SIGHUP).
public struct StopSignals: ~Copyable, Sendable {
  public let descriptor: FileDescriptor

  /// Blocks all signals in this thread and in all threads that it starts from now on.
  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_stop_signals_take()))
  }

  /// Takes one signal out of the queue; false when there is none.
  public borrowing func next() -> Bool {
    var descriptor: Int32 = -1
    return unsafe sluice_signals_read(self.descriptor.rawValue, &descriptor) >= 0
  }
}

/// The kernel's announcement that another process wants a file on which this process has a lease.
public enum LeaseBreak: Equatable, Sendable {
  /// The kernel is breaking the lease of this descriptor.
  case of(descriptor: Int32)
  /// Signals were lost, so any lease may be affected.
  case unknown
}

/// Owns a descriptor that becomes readable when the kernel is breaking a lease of this process.
public struct LeaseSignals: ~Copyable, Sendable {
  public let descriptor: FileDescriptor

  /// Blocks these signals in this thread and in all threads that it starts from now on.
  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_lease_signals_take()))
  }

  /// Takes one signal out of the queue; nil when there is none.
  public borrowing func next() -> LeaseBreak? {
    var descriptor: Int32 = -1
    let number = unsafe sluice_signals_read(self.descriptor.rawValue, &descriptor)
    if number < 0 { return nil }
    // A signal without a descriptor is SIGIO, which the kernel sends when its queue is full, or a
    // signal that another process sent by hand.
    return number == sluice_lease_signal && descriptor >= 0 ? .of(descriptor: descriptor) : .unknown
  }
}

/// The program or library from which the code at `address` was loaded, zero-terminated.
public func fileLoaded(at address: UnsafeRawPointer) -> UnsafePointer<CChar>? {
  unsafe sluice_loaded_from(address)
}

/// The value of an environment variable; nil if it is unset or empty. The pointer is valid until
/// the environment changes.
public func environmentValue(_ name: StaticString) -> UnsafePointer<CChar>? {
  let start = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
  guard let value = unsafe getenv(start), unsafe value[0] != 0 else { return nil }
  return unsafe UnsafePointer(value)
}

/// The size of a page of memory in bytes.
public let memoryPageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))

/// This process's id and effective user.
public func processIdentity() -> (process: Int32, user: UInt32) { (getpid(), geteuid()) }

/// Lets this process open as many descriptors as its hard limit allows. Returns their number.
@discardableResult
public func raiseDescriptorLimit() -> Int {
  Int(clamping: sluice_raise_descriptor_limit())
}

/// The size of the address space that this process may use, in bytes (RLIMIT_AS).
public func addressSpaceByteCount() -> Int { Int(clamping: sluice_address_space_limit()) }

/// Whether this process has a descriptor with this number.
public func descriptorIsOpen(_ number: Int32) -> Bool { sluice_descriptor_is_open(number) == 1 }

/// Flushes everything printed so far.
public func flushStandardOutput() { fflush(nil) }

/// Whether a process with this id exists, whoever owns it.
public func processExists(_ process: Int32) -> Bool {
  kill(process, 0) == 0 || sluice_errno() == EPERM
}

/// Replaces this program by another. `words` are its name, which is searched in PATH, and its
/// arguments, all zero-terminated. Returns only by throwing.
public func become(_ words: [[CChar]]) throws(Errno) -> Never {
  precondition(!words.isEmpty, "a program has a name")
  var vector = unsafe argumentVector(words)
  let result = unsafe sluice_become(&vector)
  unsafe freeArgumentVector(vector)
  throw Errno(-result)
}

/// Sets a variable of the environment for this process and those that it starts.
public func setEnvironmentValue(_ name: [CChar], _ value: [CChar]) {
  unsafe setenv(name, value, 1)
}

/// The words as `exec` takes them. The caller frees them.
private func argumentVector(_ words: [[CChar]]) -> [UnsafeMutablePointer<CChar>?] {
  unsafe words.map { word in unsafe strdup(word) } + [nil]
}

private func freeArgumentVector(_ vector: [UnsafeMutablePointer<CChar>?]) {
  for index in unsafe 0..<vector.count { unsafe free(vector[index]) }
}
