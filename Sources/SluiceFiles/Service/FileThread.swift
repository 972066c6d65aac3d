// The file service in one thread that serves: its sessions, and the locks and files that are kept
// for a while.
//
// Confined to that thread, except for `number` and `post`.

internal import SluiceServer
internal import SluiceSystem

final class FileThread: ServiceThread, Settler, @unchecked Sendable {
  let parts: FileParts
  let number: Int
  let post: any ThreadPost
  /// It lives longer than any call to this.
  unowned let serving: any ServingThread
  var sessions: [UInt64: FileSession] = [:]
  /// What it read last, until it is in the file's read window.
  let fill = WindowFill()
  /// While this thread settles requests that are in others' way, it settles no others.
  var isSettling = false
  /// How long syncs took lately, on average.
  var usualSyncNanoseconds: Int64 = 0
  /// When the next kept lock is due, and the next file that nobody has open.
  private var keptLockDue: Int64?
  private var keptFileDue: Int64?

  init(_ serving: any ServingThread, _ parts: FileParts) {
    self.serving = serving
    self.parts = parts
    number = serving.number
    post = serving.post
  }

  func openSession(_ link: SessionLink) -> any ServiceSession {
    let session = FileSession(link, self)
    sessions[link.id] = session
    return session
  }

  func end() { parts.settlers.remove(self) }

  func channel(_ number: UInt32, ofSession id: UInt64) -> FileChannel? {
    sessions[id]?.channels.first { $0.number == number }
  }

  // MARK: Kept locks and files

  /// One of the sessions keeps a lock until `time`.
  func keepsLock(until time: Int64) {
    keptLockDue = min(keptLockDue ?? time, time)
    post.alarm.set(time)
  }

  /// A file that nobody has open stays open until `time`.
  func keepsFile(until time: Int64) {
    keptFileDue = min(keptFileDue ?? time, time)
    post.alarm.set(time)
  }

  func alarmRang(now: Int64) {
    if let keptFileDue, now >= keptFileDue {
      self.keptFileDue = parts.files.closeUnused(now: now)
    }
    if let next = self.keptFileDue { post.alarm.set(next) }
    guard let keptLockDue else { return }
    if now >= keptLockDue {
      self.keptLockDue = sessions.values.compactMap { $0.dropKeptLocks(now: now) }.min()
    }
    if let next = self.keptLockDue { post.alarm.set(next) }
  }
}
