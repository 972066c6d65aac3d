// Who this thread is to the kernel, and where its names begin: what a system call takes from its
// caller without being told. A program may change all of it at any time, a thread some of it. So it
// is looked at for each call that depends on it, and never remembered beyond that.
//
// It does not tell of a Landlock domain that a program with CAP_SYS_ADMIN enters without
// no_new_privs: the kernel shows these to nobody.

internal import CSluice

/// A thread's users and groups, capabilities, root directory, mount and user namespace.
public struct Standing: Equatable, Sendable {
  private let value: sluice_standing

  /// The calling thread's now: some ten system calls, about 4 µs.
  public static var current: Standing {
    var value = sluice_standing()
    unsafe sluice_standing_take(&value)
    return Standing(value: value)
  }

  /// The effective capabilities, a bit for each (capabilities(7)).
  public var capabilities: UInt64 { value.capabilities }

  public static func == (a: Standing, b: Standing) -> Bool {
    var (first, second) = (a.value, b.value)
    return unsafe sluice_standing_equal(&first, &second) == 1
  }
}

/// The calling thread's umask, read without changing it: from /proc, else in a child. 0o077 where
/// neither can be.
public func currentUmask() -> UInt32 { sluice_umask() }

/// Sets this process's umask.
public func setUmask(_ mask: UInt32) { _ = sluice_set_umask(mask) }

/// How large this process may make a file, in bytes (RLIMIT_FSIZE); `Int64.max` without a limit.
public func fileSizeLimit() -> Int64 { sluice_file_size_limit() }

/// Lifts that limit as far as this process may.
public func raiseFileSizeLimit() { sluice_raise_file_size_limit() }

/// Does to the calling thread what the kernel does to a writer beyond that limit: sends SIGXFSZ.
public func signalFileSizeLimit() { sluice_raise_file_size_signal() }

/// Gives up all capabilities but `kept` (a bit for each), for good.
public func keepCapabilities(_ kept: UInt64) throws(Errno) {
  _ = try check(sluice_keep_capabilities(kept))
}
