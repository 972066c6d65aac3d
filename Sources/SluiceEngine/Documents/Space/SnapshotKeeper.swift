// Takes snapshots beside the commits: a branch whose changes since the last one are many is copied,
// saved, loaded again to prove it, and only then written. Old ones go in the same transaction.

internal import SluiceAutomerge
internal import SluiceServer
internal import SluiceSystem

/// Which branches are due, and the threads that save them.
final class SnapshotKeeper: Sendable {
  private let due = FutexLock<[BranchReference]>([])
  private let workers = Workers()

  /// Notes a branch. False if it was noted before.
  func note(_ ref: BranchReference) -> Bool {
    due.withLock { due in
      guard !due.contains(ref) else { return false }
      due.append(ref)
      return true
    }
  }

  func next() -> BranchReference? {
    due.withLock { due in due.isEmpty ? nil : due.removeFirst() }
  }

  func start(_ work: @escaping @Sendable () -> Void) {
    if workers.areReady() { workers.take(work) }
  }

  func stop() { workers.stop() }
}

extension Space {
  /// So many bytes of changes make a snapshot due, however few changes they are.
  private static let byteCountMax = 4 << 20

  func takeSnapshotsIfDue(of refs: [BranchReference]) {
    for ref in refs where isSnapshotDue(ref) {
      guard keeper.note(ref), options.takesSnapshots else { continue }
      keeper.start { [self] in takeDueSnapshots() }
    }
  }

  /// A snapshot costs as much as the document, so the larger the document, the rarer they are.
  private func isSnapshotDue(_ ref: BranchReference) -> Bool {
    live.table.withLock { table in
      guard let branch = table.find(ref) else { return false }
      let count = branch.state.sequence - branch.snapshotSequence
      let cadence = max(branch.snapshotCadence, branch.snapshotSequence / 8)
      return count >= cadence || branch.byteCountSinceSnapshot >= Self.byteCountMax
    }
  }

  /// Takes the snapshots that are due. What fails is taken up again with a later commit.
  package func takeDueSnapshots() {
    while let ref = keeper.next() { _ = try? takeSnapshot(ref) }
  }

  /// Saves a snapshot of a branch as it stands, unless there is one.
  package func takeSnapshot(_ ref: BranchReference) throws(SpaceError) {
    let copy = try copy(ref)
    let bytes: [UInt8]
    do throws(AutomergeError) {
      guard copy.state.sequence > 0 else { return }
      let document =
        copy.isAhead ? try copy.document.prefix(copy.changeCount) : copy.document
      bytes = document.save()
      let loaded = try Document(loading: bytes)
      guard loaded.history.count == copy.changeCount,
        loaded.heads(genesisCount: copy.record.genesisCount) == copy.state.heads
      else { throw AutomergeError(.headsMismatch) }
    } catch {
      throw SpaceError(.damaged, "a snapshot of \(ref) does not prove itself: \(error)")
    }
    try write { (writer) throws(DatabaseError) in
      try writer.put(snapshot: bytes, of: copy.record, copy.state)
    }
    live.table.withLock { table in
      guard let live = table.find(ref), live.record.id == copy.record.id else { return }
      live.snapshotSequence = max(live.snapshotSequence, copy.state.sequence)
      if live.state.sequence == copy.state.sequence { live.byteCountSinceSnapshot = 0 }
    }
  }

  /// Deletes all snapshots: they are caches. Gives their number.
  package func deleteSnapshots() throws(SpaceError) -> Int {
    var count = 0
    try write { (writer) throws(DatabaseError) in
      try writer.connection.run("DELETE FROM am_snapshots")
      count = Int(writer.connection.changedRowCount)
    }
    live.table.withLock { table in table.forgetSnapshots() }
    return count
  }
}

extension SpaceWriter {
  fileprivate func put(
    snapshot bytes: [UInt8], of record: BranchRecord, _ state: BranchState
  ) throws(DatabaseError) {
    // The file may have become another since.
    guard try connection.branch(id: record.id)?.ref == record.ref else { return }
    try connection.run(
      """
      INSERT OR IGNORE INTO am_snapshots
        (branch_id, upto_seq_no, heads_json, root_hash, bytes, tx_id, created_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
      """, .integer(record.id), .integer(state.sequence), .text(state.heads.json),
      .blob(notary.digest(state.heads.rootValue)), .blob(bytes), .integer(state.epoch),
      .text(now))
    try connection.run(
      """
      DELETE FROM am_snapshots WHERE branch_id = ?1 AND upto_seq_no NOT IN (
        SELECT upto_seq_no FROM am_snapshots WHERE branch_id = ?1
        ORDER BY upto_seq_no DESC LIMIT ?2)
      """, .integer(record.id), .integer(end.settings.snapshotsKept))
  }
}
