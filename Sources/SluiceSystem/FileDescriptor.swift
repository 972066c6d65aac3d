// An open descriptor with one owner. It is closed when the owner releases it.

internal import CSluice

/// Owns an open file descriptor.
@frozen
public struct FileDescriptor: ~Copyable, Sendable {
  public let rawValue: Int32

  /// Takes over `rawValue`. From now on no other code may close it.
  public init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor is not negative")
    self.rawValue = rawValue
  }

  deinit { _ = sluice_close_descriptor(rawValue) }

  /// Closes the descriptor now, and throws if the close failed, which a deinit cannot report. The
  /// descriptor is gone either way.
  public consuming func close() throws(Errno) {
    let raw = rawValue
    discard self
    _ = try check(sluice_close_descriptor(raw))
  }

  /// Gives the descriptor away without closing it.
  public consuming func release() -> Int32 {
    let raw = rawValue
    discard self
    return raw
  }
}

/// An open descriptor with several owners. The last owner closes it.
public final class SharedDescriptor: Sendable {
  public let descriptor: FileDescriptor

  public init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Descriptors that have no owner and that `openat` accepts as a starting point.
public enum WellKnownDescriptor {
  public static var workingDirectory: Int32 { AT_FDCWD }
}

/// Opens something harmless as standard input, output and error if these are closed, and leaves it
/// open. So no descriptor that is opened later gets their numbers.
public func fillStandardDescriptors() { sluice_descriptors_fill_standard() }

/// Puts standard input in the place of standard error, in a process whose standard input is nothing
/// (SpawnedProcess). What is written on standard error is lost from then on.
public func silenceStandardError() { _ = sluice_replace_descriptor(0, 2) }
