// How much a document may ask of this process. The format has no limits of its own: a run of 2^62
// operations takes ten bytes. Each limit is checked before the memory is taken.

/// Bounds of what is read and kept. A caller that trusts its files may raise them.
public struct Limits: Sendable, Hashable {
  /// The bytes of one chunk, as it is given and after inflation. At most 2^31 − 1.
  public var chunkByteCountMax = 256 << 20
  /// The bytes that one compressed chunk or column may become.
  public var inflatedByteCountMax = 64 << 20
  /// So many bytes may come of a stream with any ratio.
  public var inflatedByteCountFree = 1 << 20
  /// The most bytes that one compressed byte may become beyond `inflatedByteCountFree`. It holds at
  /// every point of a stream, so that a bomb is refused after its first part. At least 1.
  public var inflationRatioMax = 256

  /// The operations of one change. At most 2^31 − 1, like those of documents, changes and actors.
  public var operationCountPerChangeMax = 1 << 22
  /// The operations of a document, deletions included.
  public var operationCountMax = 1 << 24
  /// The changes of a document.
  public var changeCountMax = 1 << 23
  /// The actors of a document.
  public var actorCountMax = 1 << 16
  /// The bytes of one actor.
  public var actorByteCountMax = 1 << 12
  /// The changes on which one may depend.
  public var dependencyCountPerChangeMax = 1 << 12
  /// The bytes of all keys, values and messages of a document. At most 2^32 − 1.
  public var contentByteCountMax = 1 << 30
  /// How many objects may contain each other. The root is at depth 0.
  public var nestingDepthMax = 512

  /// The changes that may wait for others that are missing.
  public var waitingChangeCountMax = 1 << 16
  /// The bytes of all changes that wait.
  public var waitingByteCountMax = 64 << 20
  /// The operations of all changes that wait.
  public var waitingOperationCountMax = 1 << 20

  /// The ordinary limits.
  public init() {}

  /// The same, but no more than the tables can number.
  var clamped: Limits {
    var limits = self
    limits.chunkByteCountMax = min(chunkByteCountMax, Int(Int32.max))
    limits.operationCountMax = min(operationCountMax, Int(Int32.max))
    limits.operationCountPerChangeMax = min(operationCountPerChangeMax, limits.operationCountMax)
    limits.changeCountMax = min(changeCountMax, Int(Int32.max))
    limits.actorCountMax = min(actorCountMax, Int(Int32.max))
    limits.contentByteCountMax = min(contentByteCountMax, Int(UInt32.max) - 1)
    return limits
  }
}
