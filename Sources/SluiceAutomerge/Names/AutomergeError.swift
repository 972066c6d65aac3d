// Every refusal of this library: why, and where. Nothing that a peer or a file says traps; whatever is
// refused leaves the document as it was.

/// Why bytes, a change or an edit are refused, and where the fault stands.
public struct AutomergeError: Error, Hashable, Sendable {
  /// The class of the refusal.
  public var reason: Reason
  /// Where the fault stands.
  public var place: Place

  /// A refusal for a reason, at a place that may be unknown.
  public init(_ reason: Reason, _ place: Place = Place()) {
    self.reason = reason
    self.place = place
  }

  /// Where the fault stands, as far as it is known.
  public struct Place: Hashable, Sendable {
    /// Counted from the beginning of the bytes that were given.
    public var byteOffset: Int?
    /// The specification of the column, as section "columns" of the format numbers them.
    public var column: UInt32?
    /// The row of the column: an operation of a change, an operation or change of a document.
    public var row: Int?
    /// The change that is at fault.
    public var change: ChangeHash?

    /// A place of which some things are known.
    public init(
      byteOffset: Int? = nil, column: UInt32? = nil, row: Int? = nil, change: ChangeHash? = nil
    ) {
      self.byteOffset = byteOffset
      self.column = column
      self.row = row
      self.change = change
    }
  }

  /// The classes of refusals. The raw values are stable: programs may compare and log them.
  public enum Reason: String, Error, Hashable, CaseIterable {
    // Bytes.
    case truncated
    case trailingBytes = "trailing-bytes"
    case badMagic = "bad-magic"
    case badChecksum = "bad-checksum"
    case unknownChunkType = "unknown-chunk-type"
    /// A bundle chunk, which is experimental.
    case unsupportedChunk = "unsupported-chunk"
    case numberTooLarge = "number-too-large"
    case overlongNumber = "overlong-number"
    case invalidUTF8 = "invalid-utf8"
    case damagedCompression = "damaged-compression"

    // Columns.
    case columnOrder = "column-order"
    case unknownColumn = "unknown-column"
    case compressedColumn = "compressed-column"
    case valueWithoutMetadata = "value-without-metadata"
    case columnLength = "column-length"
    case missingValue = "missing-value"
    case negativeNumber = "negative-number"
    case badValue = "bad-value"

    // Changes.
    case notCanonical = "not-canonical"
    case dependencyOrder = "dependency-order"
    case actorEmpty = "actor-empty"
    case actorOrder = "actor-order"
    case actorIndex = "actor-index"
    case sequenceZero = "sequence-zero"
    case counterZero = "counter-zero"
    case counterTooLarge = "counter-too-large"

    // Operations.
    case unknownAction = "unknown-action"
    case badObject = "bad-object"
    case badKey = "bad-key"
    case badInsertion = "bad-insertion"
    case badIncrement = "bad-increment"
    case badMark = "bad-mark"
    case badPredecessor = "bad-predecessor"
    case strayValue = "stray-value"

    // History.
    case duplicateSequence = "duplicate-sequence"
    case sequenceGap = "sequence-gap"
    /// The actor's previous change is no ancestor: two writers share one actor.
    case forkedActor = "forked-actor"
    case counterReused = "counter-reused"
    case unknownObject = "unknown-object"
    case unknownElement = "unknown-element"
    case unknownPredecessor = "unknown-predecessor"
    case missingDependency = "missing-dependency"
    case unknownHeads = "unknown-heads"

    // Documents.
    case headsMismatch = "heads-mismatch"
    case headIndex = "head-index"
    case dependencyIndex = "dependency-index"
    case maxOperation = "max-operation"
    case operationMissing = "operation-missing"
    case operationTwice = "operation-twice"
    case sequenceOrder = "sequence-order"

    // Edits and reads.
    case noSuchObject = "no-such-object"
    case wrongKind = "wrong-kind"
    case outOfRange = "out-of-range"

    /// One of `Limits`.
    case limitReached = "limit-reached"
  }
}

extension AutomergeError: CustomStringConvertible {
  /// The reason's raw value, and what is known of the place: "bad-key in change 3f…, row 2".
  public var description: String {
    var text = reason.rawValue
    if let change = place.change { text += " in change \(change)" }
    if let column = place.column { text += ", column \(column)" }
    if let row = place.row { text += ", row \(row)" }
    if let byteOffset = place.byteOffset { text += ", byte \(byteOffset)" }
    return text
  }
}

extension AutomergeError {
  /// The same refusal, told for a change that is known by now.
  func inChange(_ hash: ChangeHash?) -> AutomergeError {
    var error = self
    if error.place.change == nil { error.place.change = hash }
    return error
  }
}
