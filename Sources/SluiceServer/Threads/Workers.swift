// Work that waits for a disk: syncs of files and of directories. A reactor does it itself while it
// has one session to care for; beside others it hands the work to a few threads, and the request
// stays in its slot until the result comes by letter.
//
// The threads start when they are needed and end with the sidecar. A file is counted as open until
// its work is done, so that it is closed by nobody meanwhile.

internal import SluiceSystem
internal import SluiceWire

/// What has to become durable.
struct SyncWork: Sendable {
  var file: SharedFile?
  /// Whose entries have to become durable after that.
  var directory: Directory?
  /// Tests make it take so much longer.
  var delayNanoseconds: Int64

  func run() throws(FileError) {
    if delayNanoseconds > 0 { Clock.sleep(nanoseconds: delayNanoseconds) }
    try file?.synchronize()
    try directory?.synchronize()
  }
}

/// Work with the request that asked for it, and later with what came of it.
struct SyncErrand: Sendable {
  let reactor: Reactor
  let session: UInt64
  let channel: UInt32
  let operation: Operation?
  /// The file id that the request named.
  let file: UInt64
  let work: SyncWork
  var failure: FileError?
  var nanoseconds: Int64 = 0
}

final class SyncWorkers: Sendable {
  private static let threadCountMaximum = 4

  private let files: FileTable
  private let queue = WorkQueue<SyncErrand>()
  private let threads = FutexLock<[JoinableThread]>([])

  init(files: FileTable) { self.files = files }

  /// Takes the work over, and sends the reactor `.synced` when it is done; false where no thread can
  /// be had.
  func take(_ errand: SyncErrand) -> Bool {
    guard makeSureOfAThread() else { return false }
    if let file = errand.work.file { files.countAnother(file) }
    if queue.add(errand) > 0 { _ = startAnother() }
    return true
  }

  /// Drops what nobody has begun and waits for the rest. The reactors must have ended: nobody hears
  /// the results.
  func stop() {
    queue.close()
    let last = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in last { thread.join() }
  }

  private func makeSureOfAThread() -> Bool {
    threads.withLock { !$0.isEmpty } || startAnother()
  }

  private func startAnother() -> Bool {
    threads.withLock { threads in
      guard threads.count < SyncWorkers.threadCountMaximum else { return true }
      do throws(Errno) {
        threads.append(JoinableThread(try Thread("sluice-sync") { self.work() }))
        return true
      } catch {
        Log.warning("no thread for syncs: \(error.message)")
        return false
      }
    }
  }

  private func work() {
    while var errand = queue.next() {
      let start = Clock.monotonicNanoseconds()
      do throws(FileError) { try errand.work.run() } catch { errand.failure = error }
      errand.nanoseconds = Clock.monotonicNanoseconds() - start
      if let file = errand.work.file { files.close(file) }
      errand.reactor.send(.synced(errand))
    }
  }
}

/// A thread in a list, joined once.
final class JoinableThread: @unchecked Sendable {
  private var thread: Thread?

  init(_ thread: consuming Thread) { self.thread = .some(thread) }

  func join() {
    if let thread = thread.take() { thread.join() }
  }
}
