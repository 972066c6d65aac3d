// Content by its digest: changes, which are those of the branches, snapshots and any other bytes.

internal import SluiceAutomerge

/// What a piece of content is.
package enum ContentKind: String, Sendable {
  /// A change of Automerge. Its digest is the change's hash.
  case change = "am_change"
  /// An Automerge file. Its digest is the SHA-256 of its bytes.
  case snapshot = "am_snapshot"
  /// Any bytes, by their SHA-256.
  case blob
}

/// Content as it is kept.
package struct Content: Sendable, Equatable {
  package var kind: ContentKind
  package var bytes: [UInt8]
  /// A JSON object, as it was given.
  package var meta: String?
}

extension Space {
  /// The most bytes of one piece.
  private static let contentByteCountMax = 64 << 20
  private static let metaByteCountMax = 1 << 16

  /// Keeps content and gives its digest, in hexadecimal digits. What is there stays as it is, its meta
  /// too. Throws `invalidArgument` for a change or snapshot that cannot be read.
  package func put(
    _ kind: ContentKind, _ bytes: [UInt8], meta: String? = nil
  ) throws(SpaceError) -> String {
    guard bytes.count <= Self.contentByteCountMax,
      meta?.utf8.count ?? 0 <= Self.metaByteCountMax
    else { throw SpaceError(.limitReached, "the content has more than 64 MiB, or its meta 64 KiB") }
    if let meta {
      guard case .map = SpaceValue(parsing: meta) else {
        throw SpaceError(.invalidArgument, "the meta is no JSON object")
      }
    }
    if kind == .change {
      let change = try decoded(bytes)
      try write { (writer) throws(DatabaseError) in _ = try writer.connection.keep(change) }
      return change.hash.description
    }
    if kind == .snapshot {
      do throws(AutomergeError) { _ = try Document(loading: bytes) } catch {
        throw SpaceError(.invalidArgument, "the bytes are no Automerge file: \(error)")
      }
    }
    let digest = notary.sha256(bytes)
    try write { (writer) throws(DatabaseError) in
      try writer.connection.run(
        "INSERT OR IGNORE INTO cas_blobs VALUES (?1, ?2, ?3, ?4, ?5)", .blob(digest),
        .text(kind.rawValue), .blob(bytes), SpaceParameter(meta), .text(writer.now))
    }
    return hexText(digest)
  }

  private func decoded(_ bytes: [UInt8]) throws(SpaceError) -> Change {
    do throws(AutomergeError) { return try Change(bytes) } catch {
      throw SpaceError(.invalidArgument, "the bytes are no change: \(error)")
    }
  }

  /// The content of a digest; nil if there is none. The bytes are proved to be those of the digest.
  package func content(_ digest: String) throws(SpaceError) -> Content? {
    let hash = try hash(digest)
    let content = try readers.read { (connection) throws(DatabaseError) -> Content? in
      if let bytes = try connection.change(hash) { return Content(kind: .change, bytes: bytes) }
      return try connection.first(
        "SELECT kind, bytes, meta_json FROM cas_blobs WHERE digest = ?1", .blob(hash.bytes)
      ) { row in
        Content(
          kind: ContentKind(rawValue: row.text(0)) ?? .blob, bytes: row.bytes(1),
          meta: row.optionalText(2))
      }
    }
    guard let content else { return nil }
    let isProved =
      content.kind == .change
      ? (try? Change(content.bytes))?.hash == hash : notary.sha256(content.bytes) == hash.bytes
    guard isProved else { throw SpaceError(.damaged, "the bytes are not those of \(digest)") }
    return content
  }

  /// Whether there is content of this digest.
  package func hasContent(_ digest: String) throws(SpaceError) -> Bool {
    let hash = try hash(digest)
    return try readers.read { (connection) throws(DatabaseError) in
      try connection.first(
        """
        SELECT 1 FROM am_change_blobs WHERE bytes_hash = ?1
        UNION ALL SELECT 1 FROM cas_blobs WHERE digest = ?1
        """, .blob(hash.bytes)
      ) { _ in true } ?? false
    }
  }

  private func hash(_ digest: String) throws(SpaceError) -> ChangeHash {
    guard let hash = ChangeHash(hex: digest) else {
      throw SpaceError(.invalidArgument, "a digest is 64 hexadecimal digits")
    }
    return hash
  }

  /// The change of a branch with this sequence number; nil if there is none.
  package func change(
    _ ref: BranchReference, sequence: Int64
  ) throws(SpaceError) -> SequencedChange? {
    guard sequence > 0, sequence < .max else { return nil }
    return try changes(ref, after: sequence - 1, countMax: 1).first
  }

  /// The changes that one transaction brought to a branch, in order.
  package func changes(
    _ ref: BranchReference, ofTransaction epoch: Int64
  ) throws(SpaceError) -> [SequencedChange] {
    guard let notice = try transaction(epoch),
      let change = notice.changes.first(where: { $0.ref == ref })
    else { return [] }
    return try changes(
      ref, after: change.sequences.lowerBound - 1, countMax: change.sequences.count)
  }
}
