// A session that looks at what a killed client or sidecar left behind.

internal import CSluice
internal import SluiceSystem
internal import SluiceWire

/// Confined to one thread.
final class DeathObserver {
  private let session: RawSession
  private var file: UInt64 = 0

  init(_ sidecar: HarnessSidecar) throws(HarnessError) {
    session = try RawSession(sidecar.socket)
    try openFile()
  }

  private func openFile() throws(HarnessError) {
    let answer = try session.ask(
      .open,
      OpenRequest(
        path: Array(DeathFiles.database.utf8), kind: .mainDatabase, options: [.readWrite]))
    guard let reply = answer.decoded(as: OpenReply.self) else {
      throw .difference("the database cannot be opened: \(answer.status.wording)")
    }
    file = reply.file
  }

  /// Takes locks. Each must come at the first try.
  func take(_ levels: [LockLevel]) throws(HarnessError) {
    for level in levels { try expectDone(.lock, LockFields(level: level)) }
  }

  func giveBack() throws(HarnessError) { try expectDone(.unlock, LockFields(level: .none)) }

  /// Checks that the other client holds EXCLUSIVE: otherwise the test would show nothing.
  func expectBusy() throws(HarnessError) {
    let answer = try session.ask(.lock, file: file, LockFields(level: .shared))
    guard answer.status == .busy else {
      throw .difference("the answer to SHARED beside EXCLUSIVE is \(answer.status.wording)")
    }
  }

  func closeFile() throws(HarnessError) { try expectDone(.close, NoFields()) }

  /// Takes all eight locks of the WAL index.
  func expectFreeIndex() throws(HarnessError) {
    try openFile()
    try expectDone(.lock, LockFields(level: .shared))
    try expectDone(.walIndexMap, DoomedClient.mapRequest)
    try expectDone(.walIndexLock, WALIndexLockRequest(first: 0, count: 8, kind: .exclusive))
    try expectDone(.walIndexUnmap, WALIndexUnmapRequest(deletes: true))
  }

  func leave() throws(HarnessError) { try session.leave() }

  private func expectDone<M: Message>(
    _ operation: Operation, _ arguments: M
  ) throws(HarnessError) {
    let answer = try session.ask(operation, file: file, arguments)
    guard answer.status?.isDone ?? false else {
      throw .difference("\(operation) after the death is \(answer.status.wording)")
    }
  }
}
