// An engine whose database is in the memory of this process and, if there is a target, is saved there
// as a snapshot: some time after each outermost commit, and at the close.
//
// The snapshot is the file that stock SQLite opens. It is written beside its target, made durable and
// renamed, so the target is always one snapshot as a whole. A snapshot that cannot be written is told
// by the next call, and tried again after the next commit.

internal import SluiceClient
public import SluiceSQL
internal import SluiceSystem
public import SluiceWire
internal import Synchronization

public enum MemoryEngine {
  /// Opens a new database, or the one of a seed or a saved snapshot.
  ///
  /// - Parameters:
  ///   - seed: the image (see `export`) with which the database begins, where the target is absent.
  ///   - target: the file in which snapshots are saved. If it is there, the database begins as it.
  public static func open(
    options: SQLOpenOptions = [], seed: [UInt8]? = nil, savingTo target: String? = nil
  ) async throws(SQLError) -> SQLDatabase {
    let saver = target.map { SnapshotSaver($0) }
    let saved = try saver?.load()
    let opening = SQLOpening(
      path: ":memory:", mode: .create, options: options, seed: saved ?? seed, busyTimeout: .zero)
    return try await opening.start(chores: saver) { () throws(SQLFailure) in try connectLocally() }
  }
}
