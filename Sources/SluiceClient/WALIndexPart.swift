// The parts of WAL indexes that the connections of a session have mapped.
//
// To receive a descriptor of an index costs more than all the rest of an open, because a child has
// to receive it (SharedMapping.receive). So a connection copies the mappings of another connection
// to the same index. A file keeps its number as long as a part of it is mapped. So the number in
// the sidecar's answer says which parts are of the same index, within the session with that
// sidecar.
//
// Each connection has mappings of its own. When a connection lets its mappings go, or maps the next
// sidecar's index there, the others are not touched.
//
// Threads: any, under one lock. A forked child does not touch the parts of its parent.

public import SluiceSystem

/// A connection's mapping of a part of a WAL index.
public final class WALIndexPart: Sendable {
  private let shared: SharedMapping
  private let session: Session

  init(_ mapping: SharedMapping, of file: FileNumber, _ range: MappedRange, in session: Session) {
    shared = mapping
    self.session = session
    session.walIndexParts.add(mapping, of: file, range)
  }

  deinit { if session.belongsToThisProcess { session.walIndexParts.remove(shared) {} } }

  public var start: UnsafeMutableRawPointer { unsafe shared.start }
  public var byteCount: Int { shared.mapping.byteCount }

  /// The mapping, to be replaced at its address by another sidecar's index.
  var mapping: SharedMapping { shared }

  /// From now on a forked child has private zeros at this address, until `showToChildren`.
  public func hideFromChildren() throws(Errno) { try shared.mapping.hideFromChildren() }

  public func showToChildren() { shared.mapping.showToChildren() }

  /// Replaces the mapping by private memory, all zeros.
  public func letGo() {
    // Under the lock, so that nobody copies these zeros.
    session.walIndexParts.remove(shared) { shared.mapping.letGo() }
  }
}

/// The parts that are mapped in one session.
final class WALIndexParts: Sendable {
  private struct Part {
    let mapping: SharedMapping
    let file: FileNumber
    let range: MappedRange
  }

  private let parts = FutexLock<[Part]>([])

  func add(_ mapping: SharedMapping, of file: FileNumber, _ range: MappedRange) {
    parts.withLock { $0.append(Part(mapping: mapping, file: file, range: range)) }
  }

  /// Forgets the part with this mapping, then runs `body`.
  func remove(_ mapping: SharedMapping, _ body: () -> Void) {
    parts.withLock { parts in
      parts.removeAll { $0.mapping === mapping }
      body()
    }
  }

  /// Another mapping of a part that is mapped. Nil if none is, or if there is no room.
  func copy(of file: FileNumber, _ range: MappedRange) -> SharedMapping? {
    parts.withLock { parts in
      parts.first { $0.file == file && $0.range == range }?.mapping.copy()
    }
  }
}
