// What a client maps when the sidecar sends a descriptor.

public import SluiceChannel

/// What is to be mapped of a file whose descriptor the sidecar sends, in bytes.
public struct MappedRange: Sendable {
  public var offset: Int64
  public var byteCount: Int
  public var isWritable: Bool

  public init(offset: Int64, byteCount: Int, isWritable: Bool) {
    self.offset = offset
    self.byteCount = byteCount
    self.isWritable = isWritable
  }
}

/// A database's read window, and whether its sidecar lives.
public struct OpenedWindow {
  public let region: WindowRegion
  public let life: Life
}
