// Who did something, and which of their operations it was.

/// One writer of one linear history: any bytes but none. Compared as bytes; a prefix comes first.
public struct ActorID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// At least one.
  public let bytes: [UInt8]

  /// Nil if there are no bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty else { return nil }
    self.bytes = Array(bytes)
  }

  /// Nil unless the text is pairs of hexadecimal digits.
  public init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes)
  }

  /// Sixteen random bytes, as is usual: one writer that no other will ever be.
  public static func random() -> ActorID {
    var generator = SystemRandomNumberGenerator()
    return ActorID((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })!
  }

  /// Lower-case hexadecimal digits.
  public var description: String { hexText(bytes) }

  /// Compares the bytes; a prefix comes first.
  public static func < (left: ActorID, right: ActorID) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

/// The name of an operation, and of the object or element that it made. The order is Lamport's:
/// counter first, then actor.
public struct OperationID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Greater than the counters of all operations that the writer knew.
  public var counter: UInt32
  /// The writer.
  public var actor: ActorID

  /// The name of an operation of that writer.
  public init(counter: UInt32, actor: ActorID) {
    self.counter = counter
    self.actor = actor
  }

  /// "COUNTER@ACTOR", as other implementations write it.
  public var description: String { "\(counter)@\(actor)" }

  /// Lamport's order.
  public static func < (left: OperationID, right: OperationID) -> Bool {
    (left.counter, left.actor) < (right.counter, right.actor)
  }
}

/// The root map, or the object that an operation made.
public enum ObjectID: Hashable, Sendable, CustomStringConvertible {
  /// The map that every document has.
  case root
  /// The object that this operation made.
  case made(OperationID)

  /// "_root", or the operation's name.
  public var description: String {
    switch self {
    case .root: "_root"
    case .made(let operation): operation.description
    }
  }
}

/// What an object is. Its raw value is the action that makes it.
public enum ObjectKind: UInt8, Hashable, Sendable {
  case map = 0
  case list = 2
  case text = 4
  /// Read as a map.
  case table = 6

  /// Whether elements stand in an order, instead of at keys.
  public var isSequence: Bool { self == .list || self == .text }
}
