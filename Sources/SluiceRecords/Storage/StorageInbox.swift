// The jobs of a storage in the order of its calls, and what wakes its thread.
//
// Threads: any puts jobs in; the storage's thread takes them.

internal import SluiceChannel
internal import SluiceSystem

final class StorageInbox: Sendable {
  private struct Contents {
    var jobs: [StorageJob] = []
    var isClosed = false
    var isAbandoned = false
    var failure: RecordFailure?
    var loss: RecordFailure?
  }

  private let contents = FutexLock(Contents())
  let wake = WakeWord()

  /// Puts a job in; fails it if the storage was closed.
  func add(_ job: StorageJob) {
    let isTaken = contents.withLock { contents in
      if !contents.isClosed { contents.jobs.append(job) }
      return !contents.isClosed
    }
    if isTaken { wake.signal() } else { job.fail() }
  }

  /// Puts the last job in, which closes the store; fails it if the storage was closed before.
  func close(_ done: @escaping @Sendable () -> Void) {
    let isFirst = contents.withLock { contents in
      defer { contents.isClosed = true }
      if !contents.isClosed { contents.jobs.append(.call(.close(done: done))) }
      return !contents.isClosed
    }
    if isFirst { wake.signal() } else { done() }
  }

  /// No further job comes. Those that are in are done.
  func abandon() {
    contents.withLock { $0.isAbandoned = true }
    wake.signal()
  }

  var isClosed: Bool { contents.withLock { $0.isClosed } }

  /// Whether nothing is in, and nothing more comes.
  var isOver: Bool {
    contents.withLock { $0.jobs.isEmpty && ($0.isClosed || $0.isAbandoned) }
  }

  // MARK: Failures

  /// Why a call failed; nil if the log alone says it.
  func note(_ failure: RecordFailure?) { contents.withLock { $0.failure = failure } }
  func takeFailure() -> RecordFailure? { contents.withLock { $0.failure.take() } }

  /// Why nothing can be done before the store is open again; nil when it is.
  func lose(_ failure: RecordFailure?) { contents.withLock { $0.loss = failure } }
  var loss: RecordFailure? { contents.withLock { $0.loss } }

  // MARK: Jobs

  /// Takes the jobs that are in.
  func take() -> (jobs: [StorageJob], isClosed: Bool) {
    contents.withLock { contents in
      defer { contents.jobs = [] }
      return (contents.jobs, contents.isClosed)
    }
  }
}
