// An open descriptor and its one owner: it is closed when its owner lets go of it.

internal import CSluice

/// Owns an open file descriptor.
@frozen
public struct FileDescriptor: ~Copyable, Sendable {
  public let rawValue: Int32

  /// Takes over `rawValue`, which nobody else may close from now on.
  public init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor is not negative")
    self.rawValue = rawValue
  }

  deinit { _ = sluice_close(rawValue) }

  /// Closes now, and says what a deinit cannot: that the close failed. The descriptor is gone
  /// either way.
  public consuming func close() throws(Errno) {
    let raw = rawValue
    discard self
    _ = try check(sluice_close(raw))
  }

  /// Gives the descriptor away without closing it.
  public consuming func release() -> Int32 {
    let raw = rawValue
    discard self
    return raw
  }
}

/// An open descriptor with several owners; the last one closes it.
public final class SharedDescriptor: Sendable {
  public let descriptor: FileDescriptor

  public init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Descriptors that are named, not owned: what `openat` accepts as a starting point.
public enum WellKnownDescriptor {
  public static var workingDirectory: Int32 { AT_FDCWD }
}

/// Puts something harmless in the place of standard input, output and error where these are closed,
/// for good: no descriptor that is opened later takes their numbers.
public func fillStandardDescriptors() { sluice_descriptors_fill_standard() }
