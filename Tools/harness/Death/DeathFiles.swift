// The files that the requests are about, and the effect of a request on them. The harness looks at
// them itself, while no sidecar has them open.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct DeathFiles {
  let root: String

  static let database = "victim.db"
  static let journal = database + "-journal"
  static let index = database + "-shm"
  static let other = "victim-other"
  static let pageByteCount = 4096
  static let pageCount = 8
  static let before = UInt8(ascii: "A")
  static let after = UInt8(ascii: "B")
  static let truncated = 100
  static let allocated = 65536
  static let indexByteCount = 32768

  /// Brings all files into the state before the request.
  func prepare(_ kind: DeathCase) throws(HarnessError) {
    for name in [DeathFiles.journal, DeathFiles.index, DeathFiles.other] {
      _ = unsafe unlink(zeroTerminated(root + "/" + name))
    }
    let count = DeathFiles.pageByteCount * DeathFiles.pageCount
    try make(DeathFiles.database, Array(repeating: DeathFiles.before, count: count))
    if kind == .delete || kind == .openDeleteOnClose { try make(DeathFiles.other, [0x41]) }
  }

  private func make(_ name: String, _ bytes: [UInt8]) throws(HarnessError) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    try needed(name) { () throws(Errno) in
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(root + "/" + name), [.readWrite, .create], permissions: 0o600)
      try file.truncate(toByteCount: Int64(bytes.count))
      try unsafe file.write(UnsafeRawBufferPointer(room), at: 0)
    }
  }

  /// The effect of the request that the files show. Throws any other damage.
  func effect(_ kind: DeathCase) throws(HarnessError) -> DeathEffect {
    let pages = try pages()
    let whole = DeathFiles.pageByteCount * DeathFiles.pageCount
    switch kind {
    case .write:
      let written = pages.written
      guard pages.byteCount == whole, written == [] || written == [1] else { throw damage(pages) }
      return written == [1] ? .done : .undone
    case .writePosted:
      // The writes happen in the order in which they were submitted.
      guard pages.byteCount == whole, pages.written == Array(0..<pages.written.count) else {
        throw damage(pages)
      }
      switch pages.written.count {
      case 0: return .undone
      case DeathFiles.pageCount: return .done
      default: return .part
      }
    case .truncate, .allocate:
      guard pages.written == [] else { throw damage(pages) }
      let wanted = kind == .truncate ? DeathFiles.truncated : DeathFiles.allocated
      if pages.byteCount == wanted { return .done }
      guard pages.byteCount == whole else { throw damage(pages) }
      return .undone
    default: break
    }
    guard pages.written == [], pages.byteCount == whole else { throw damage(pages) }
    switch kind {
    case .open: return byteCount(DeathFiles.journal) == nil ? .undone : .done
    case .openDeleteOnClose, .delete: return byteCount(DeathFiles.other) == nil ? .done : .undone
    case .walIndexMap:
      return byteCount(DeathFiles.index) == DeathFiles.indexByteCount ? .done : .undone
    case .walIndexUnmap: return byteCount(DeathFiles.index) == nil ? .done : .undone
    default: return .nothing
    }
  }

  private func byteCount(_ name: String) -> Int? {
    let path = zeroTerminated(root + "/" + name)
    guard let file = try? unsafe FileDescriptor.open(path, .pathOnly) else { return nil }
    return (try? file.status()).map { Int($0.byteCount) }
  }

  private struct Pages {
    var byteCount: Int
    /// The pages with the new content.
    var written: [Int]
  }

  private func damage(_ pages: Pages) -> HarnessError {
    .difference(
      "\(DeathFiles.database) has \(pages.byteCount) bytes, and pages \(pages.written) are written")
  }

  private func pages() throws(HarnessError) -> Pages {
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: 2 * DeathFiles.allocated, alignment: 16)
    defer { unsafe room.deallocate() }
    let count = try needed(DeathFiles.database) { () throws(Errno) in
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(root + "/" + DeathFiles.database), .readOnly)
      return try unsafe file.read(into: room, at: 0)
    }
    let bytes = unsafe Array(room[..<count])
    var written: [Int] = []
    for page in 0..<DeathFiles.pageCount {
      let start = page * DeathFiles.pageByteCount
      let content = bytes.dropFirst(start).prefix(DeathFiles.pageByteCount)
      if content.allSatisfy({ $0 == DeathFiles.before }) { continue }
      guard content.count == DeathFiles.pageByteCount,
        content.allSatisfy({ $0 == DeathFiles.after })
      else { throw .difference("page \(page) of \(DeathFiles.database) is half written") }
      written.append(page)
    }
    return Pages(byteCount: count, written: written)
  }
}
