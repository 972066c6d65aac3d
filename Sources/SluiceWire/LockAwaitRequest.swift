// The lock for which a client stands in line, and for how long.

/// A lock that a client waits for: a level of the file, or locks of the WAL index. Those are bits;
/// lock 0 (WRITE) is the lowest bit.
public enum AwaitedLock: Equatable, Sendable {
  case file(LockLevel)
  case walIndexShared(UInt8)
  case walIndexExclusive(UInt8)

  /// The right to write, in rollback mode or in WAL mode. One client holds it at a time, and the
  /// sidecar grants it in turns.
  public static let reserved = AwaitedLock.file(.reserved)
  public static let walWrite = AwaitedLock.walIndexExclusive(1)

  public var isTurn: Bool { self == .reserved || self == .walWrite }

  public var isOfFile: Bool {
    switch self {
    case .file: true
    case .walIndexShared, .walIndexExclusive: false
    }
  }

  /// The value on the wire: a level, or 0x100 plus the bits of locks to be shared, or 0x200 plus
  /// the bits of locks to be held alone.
  public var code: UInt64 {
    switch self {
    case .file(let level): level.rawValue
    case .walIndexShared(let locks): 0x100 | UInt64(locks)
    case .walIndexExclusive(let locks): 0x200 | UInt64(locks)
    }
  }

  /// Nil for a code that cannot be requested: no lock at all, or PENDING.
  public init?(code: UInt64) {
    switch code {
    case 1, 2, 4: self = .file(LockLevel(rawValue: code)!)
    case 0x101...0x1ff: self = .walIndexShared(UInt8(code & 0xff))
    case 0x201...0x2ff: self = .walIndexExclusive(UInt8(code & 0xff))
    default: return nil
    }
  }
}

extension WALIndexLockRequest {
  /// Whether the request is for the right to write, and for nothing else.
  public var isForWriting: Bool { kind == .exclusive && first == 0 && count == 1 }
}

public struct LockAwaitRequest: Message {
  public var lock = AwaitedLock.file(.shared)
  /// The longest wait.
  public var milliseconds: UInt64 = 0

  public init() {}
  public init(lock: AwaitedLock, milliseconds: UInt64) {
    self.lock = lock
    self.milliseconds = milliseconds
  }

  /// Well below the time that a client waits for any answer.
  public static let millisecondsMaximum: UInt64 = 10_000

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    var code = lock.code
    try coder.unsigned(&code)
    guard let known = AwaitedLock(code: code) else { throw .outOfRange }
    lock = known
    try coder.unsigned(&milliseconds)
    guard milliseconds <= Self.millisecondsMaximum else { throw .outOfRange }
  }
}
