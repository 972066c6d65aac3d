// Other processes, and the signals to this one.

internal import CSluice

/// A program started without a trace in this process: no SIGCHLD, not found by `wait(-1)`.
public struct SpawnedProcess: Sendable {
  public let id: Int32

  /// Starts `program` with `arguments` (zero-terminated, without its name) in a session of its own,
  /// with `descriptor` as its descriptor 3 and no other beyond standard error. Throws what `exec`
  /// did.
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

  /// Waits for the process's end, at most so long.
  public func awaitEnd(timeoutMilliseconds: Int32) {
    guard let end = try? FileDescriptor.processEnd(of: id) else { return }
    _ = end.awaitReadable(timeoutMilliseconds: timeoutMilliseconds)
  }
}

extension FileDescriptor {
  /// Becomes readable when `process` ends.
  public static func processEnd(of process: Int32) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_pidfd_open(process)))
  }
}

/// Owns a descriptor that becomes readable when this process is asked to stop (SIGTERM, SIGINT or
/// SIGHUP).
public struct StopSignals: ~Copyable, Sendable {
  public let descriptor: FileDescriptor

  /// Blocks all signals in this thread and in all that it starts from now on.
  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_stop_signals_take()))
  }

  /// Takes one signal out of the queue; false when there is none.
  public borrowing func next() -> Bool {
    var descriptor: Int32 = -1
    return unsafe sluice_signals_read(self.descriptor.rawValue, &descriptor) >= 0
  }
}

/// The kernel's word that others want a file on which this process has a lease.
public enum LeaseBreak: Equatable, Sendable {
  /// The lease of this descriptor is being broken.
  case of(descriptor: Int32)
  /// Signals were lost: any lease may be affected.
  case unknown
}

/// Owns a descriptor that becomes readable when a lease of this process is being broken.
public struct LeaseSignals: ~Copyable, Sendable {
  public let descriptor: FileDescriptor

  /// Blocks these signals in this thread and in all that it starts from now on.
  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_lease_signals_take()))
  }

  /// Takes one signal out of the queue; nil when there is none.
  public borrowing func next() -> LeaseBreak? {
    var descriptor: Int32 = -1
    let number = unsafe sluice_signals_read(self.descriptor.rawValue, &descriptor)
    if number < 0 { return nil }
    // Without a descriptor it is SIGIO, which the kernel sends when its queue is full, or some process
    // has sent the signal by hand.
    return number == sluice_lease_signal && descriptor >= 0 ? .of(descriptor: descriptor) : .unknown
  }
}

/// The program or library from which the code at `address` was loaded, zero-terminated.
public func fileLoaded(at address: UnsafeRawPointer) -> UnsafePointer<CChar>? {
  unsafe sluice_loaded_from(address)
}

/// The value of an environment variable, nil where it is unset or empty. The pointer is good until
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

/// Lets this process open as many descriptors as its hard limit allows, and says how many.
@discardableResult
public func raiseDescriptorLimit() -> Int {
  Int(clamping: sluice_raise_descriptor_limit())
}

/// How many bytes of addresses this process may use (RLIMIT_AS).
public func addressSpaceByteCount() -> Int { Int(clamping: sluice_address_space_limit()) }

/// Whether this process has a descriptor of that number.
public func descriptorIsOpen(_ number: Int32) -> Bool { sluice_descriptor_is_open(number) == 1 }

/// Hands over what was printed so far.
public func flushStandardOutput() { fflush(nil) }

/// Whether a process of that id exists, whoever owns it.
public func processExists(_ process: Int32) -> Bool {
  kill(process, 0) == 0 || sluice_errno() == EPERM
}

/// Becomes another program: `words` are its name, looked for in PATH, and its arguments, all
/// zero-terminated. Returns only to throw.
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

/// The words as `exec` takes them; to be freed.
private func argumentVector(_ words: [[CChar]]) -> [UnsafeMutablePointer<CChar>?] {
  unsafe words.map { word in unsafe strdup(word) } + [nil]
}

private func freeArgumentVector(_ vector: [UnsafeMutablePointer<CChar>?]) {
  for index in unsafe 0..<vector.count { unsafe free(vector[index]) }
}
