// The arguments of the document operations. What a call asks and what it is answered are bytes in the
// payload (SluiceDocuments/Messages). Protocol/DOCUMENTS.md has the tables.

public struct DocumentsOpenRequest: Message {
  /// Where the space's file is, relative to the engine's root; empty for the root.
  public var directory: [UInt8] = []
  /// The space's name, a did:key.
  public var space: [UInt8] = []
  /// Whether the space is made if it is not there.
  public var creates = false

  public init() {}
  public init(directory: [UInt8], space: [UInt8], creates: Bool) {
    self.directory = directory
    self.space = space
    self.creates = creates
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&directory)
    try coder.bytes(&space)
    try coder.boolean(&creates)
  }
}

public struct DocumentsOpenReply: Message {
  /// The space's last epoch; 0 before the first.
  public var epoch: UInt64 = 0
  /// Of the space's tables.
  public var schemaVersion: UInt64 = 0
  /// The Ed25519 key by which the engine signs transactions.
  public var publicKey: [UInt8] = Array(repeating: 0, count: Self.publicKeyByteCount)

  public static let publicKeyByteCount = 32

  public init() {}
  public init(epoch: UInt64, schemaVersion: UInt64, publicKey: [UInt8]) {
    self.epoch = epoch
    self.schemaVersion = schemaVersion
    self.publicKey = publicKey
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&epoch)
    try coder.unsigned(&schemaVersion)
    try coder.bytes(&publicKey)
    guard publicKey.count == Self.publicKeyByteCount else { throw .outOfRange }
  }
}

/// How long a call's request is, or its answer.
public struct DocumentsCallFields: Message {
  /// Of a request: its bytes in the payload; 0 if they were staged, or if it has none. Of an answer:
  /// all of its bytes, of which the payload has the first.
  public var byteCount: UInt64 = 0

  public init() {}
  public init(byteCount: UInt64) { self.byteCount = byteCount }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&byteCount)
    guard byteCount <= 1 << 30 else { throw .outOfRange }
  }
}
