// The memory that a client maps when the sidecar sends a descriptor.

public import SluiceChannel

/// The part of a file to map, in bytes, when the sidecar sends the file's descriptor.
public struct MappedRange: Equatable, Sendable {
  public var offset: Int64
  public var byteCount: Int
  public var isWritable: Bool

  public init(offset: Int64, byteCount: Int, isWritable: Bool) {
    self.offset = offset
    self.byteCount = byteCount
    self.isWritable = isWritable
  }
}

/// A database's read window, and its sidecar's sign of life.
public struct OpenedWindow {
  public let region: WindowRegion
  public let life: Life
}
