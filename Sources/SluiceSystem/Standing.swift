// A thread's standing: its identity for the kernel, and the root of its names. A system call takes
// these from its caller without an argument. A program may change all of them at any time, and a
// thread some of them. So each call that depends on the standing reads it, and it is never
// remembered longer.
//
// The standing does not show a Landlock domain that a program with CAP_SYS_ADMIN enters without
// no_new_privs, because the kernel shows such a domain to no process.

internal import CSluice

/// A thread's users and groups, capabilities, root directory, mount and user namespace.
public struct Standing: Equatable, Sendable {
  private let value: sluice_standing

  /// What `current` and `currentUmask` give from `keep` on.
  fileprivate static let kept = FutexLock<(standing: Standing, umask: UInt32)?>(nil)

  /// From now on every thread of this process has the standing and the umask that the calling thread
  /// has now. For a process that confines itself, and then goes on with the sessions that it made
  /// before.
  public static func keep() {
    let present = (current, currentUmask())
    kept.withLock { $0 = present }
  }

  /// The calling thread's current standing. Costs about ten system calls, or 4 µs.
  public static var current: Standing {
    if let kept = kept.withLock({ $0?.standing }) { return kept }
    var value = sluice_standing()
    unsafe sluice_standing_take(&value)
    return Standing(value: value)
  }

  /// The effective capabilities, a bit for each (capabilities(7)).
  public var capabilities: UInt64 { value.capabilities }

  /// 32 digits and a zero, which are the same in another process only if its standing is the same,
  /// its seccomp mode, and its label for AppArmor or SELinux. This is the calling thread's current
  /// standing. Costs three system calls more than `current`.
  public var mark: [CChar] {
    var value = value
    return unsafe [CChar](unsafeUninitializedCapacity: 33) { room, count in
      unsafe sluice_standing_mark(&value, room.baseAddress!)
      count = 33
    }
  }

  /// What `text` (zero-terminated) has behind this standing's mark and a space; nil if it has
  /// another mark.
  public func marked(_ text: UnsafePointer<CChar>) -> UnsafePointer<CChar>? {
    var value = value
    return unsafe sluice_standing_marked(&value, text)
  }

  /// The user to whom a process belongs that has this standing from its start.
  public var fileSystemUser: UInt32 { value.file_system_user }

  public static func == (a: Standing, b: Standing) -> Bool {
    var (first, second) = (a.value, b.value)
    return unsafe sluice_standing_equal(&first, &second) == 1
  }
}

/// The calling thread's umask, read without changing it: from /proc, or else in a child. 0o077 if
/// both fail.
public func currentUmask() -> UInt32 { Standing.kept.withLock { $0?.umask } ?? sluice_umask() }

/// Sets this process's umask.
public func setUmask(_ mask: UInt32) { _ = sluice_set_umask(mask) }

/// The largest size to which this process may grow a file, in bytes (RLIMIT_FSIZE); `Int64.max`
/// without a limit.
public func fileSizeLimit() -> Int64 { sluice_file_size_limit() }

/// Raises that limit as far as this process may.
public func raiseFileSizeLimit() { sluice_raise_file_size_limit() }

/// Sends SIGXFSZ to the calling thread, as the kernel does to a thread that writes beyond that
/// limit.
public func signalFileSizeLimit() { sluice_raise_file_size_signal() }

/// Gives up all capabilities except `kept` (a bit for each), for good.
public func keepCapabilities(_ kept: UInt64) throws(Errno) {
  _ = try check(sluice_keep_capabilities(kept))
}
