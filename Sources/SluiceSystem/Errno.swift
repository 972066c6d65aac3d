// The error of a system call. Only this file turns a negated errno from CSluice into an Errno.

internal import CSluice

/// The `errno` of a failed system call.
public struct Errno: Error, Equatable, Sendable {
  public let rawValue: Int32

  public init(_ rawValue: Int32) { self.rawValue = rawValue }

  /// The C library's description, for example "No such file or directory".
  public var text: UnsafePointer<CChar> { unsafe sluice_errno_text(rawValue) }

  /// If a limit of the process was reached: what raises it.
  public var limit: StaticString? {
    switch self {
    case .fileTooLarge: "ulimit -f, which limits shared memory too"
    case .tooManyOpen: "ulimit -n"
    case .outOfMemory: "the limit of memory"
    default: nil
    }
  }

  public static let notPermitted = Errno(EPERM)
  public static let noEntry = Errno(ENOENT)
  public static let noProcess = Errno(ESRCH)
  public static let interrupted = Errno(EINTR)
  public static let inputOutput = Errno(EIO)
  public static let badDescriptor = Errno(EBADF)
  public static let again = Errno(EAGAIN)
  public static let outOfMemory = Errno(ENOMEM)
  public static let accessDenied = Errno(EACCES)
  public static let exists = Errno(EEXIST)
  public static let crossesDevice = Errno(EXDEV)
  public static let notDirectory = Errno(ENOTDIR)
  public static let isDirectory = Errno(EISDIR)
  public static let invalid = Errno(EINVAL)
  public static let tooManyOpenInSystem = Errno(ENFILE)
  public static let tooManyOpen = Errno(EMFILE)
  public static let fileTooLarge = Errno(EFBIG)
  public static let noSpace = Errno(ENOSPC)
  public static let notSocket = Errno(ENOTSOCK)
  public static let readOnlyFileSystem = Errno(EROFS)
  public static let brokenPipe = Errno(EPIPE)
  public static let outOfRange = Errno(ERANGE)
  public static let nameTooLong = Errno(ENAMETOOLONG)
  public static let tooManyLinks = Errno(ELOOP)
  public static let notSupported = Errno(EOPNOTSUPP)
  public static let overQuota = Errno(EDQUOT)
  public static let timedOut = Errno(ETIMEDOUT)
  public static let connectionRefused = Errno(ECONNREFUSED)
  public static let connectionReset = Errno(ECONNRESET)
  public static let noBufferSpace = Errno(ENOBUFS)
  public static let messageSize = Errno(EMSGSIZE)
  public static let stale = Errno(ESTALE)
  public static let notConnected = Errno(ENOTCONN)
  /// A network file system's error for a descriptor that its server has forgotten.
  public static let badDescriptorState = Errno(EBADFD)
}

/// Turns CSluice's return value into a result or a thrown errno.
@inline(__always)
func check<T: FixedWidthInteger & SignedInteger>(_ result: T) throws(Errno) -> T {
  if result < 0 { throw Errno(Int32(truncatingIfNeeded: -result)) }
  return result
}
