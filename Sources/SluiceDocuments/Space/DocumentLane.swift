// The thread of a space: it has the connection, and does the calls of all tasks in the order in which
// they come. No task waits in a thread of Swift's own.

internal import SluiceSystem

final class DocumentLane: Sendable {
  private enum Job: Sendable {
    case call(@Sendable (DocumentConnection) -> Void)
    /// The last one.
    case stop
  }

  private let jobs = WorkQueue<Job>()
  private let isClosed = FutexLock(false)

  /// Starts the thread, which connects and opens. Gives what it was told of the space.
  func start(
    _ connect: @escaping @Sendable () throws(DocumentFailure) -> DocumentConnection
  ) async throws(DocumentFailure) -> SpaceFacts {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<SpaceFacts, DocumentFailure>, Never>) in
      do throws(Errno) {
        try Thread("sluice-space") { [jobs] in
          do throws(DocumentFailure) {
            let connection = try connect()
            continuation.resume(returning: .success(connection.facts))
            Self.serve(connection, jobs)
          } catch {
            continuation.resume(returning: .failure(error))
          }
        }.detach()
      } catch {
        continuation.resume(returning: .failure(.notConnected(.system(error))))
      }
    }
    return try result.get()
  }

  private static func serve(_ connection: DocumentConnection, _ jobs: WorkQueue<Job>) {
    while let job = jobs.next() {
      switch job {
      case .call(let body): body(connection)
      case .stop:
        connection.end()
        return
      }
    }
  }

  /// Has the thread do `body`.
  func perform<R: Sendable>(
    _ body: @escaping @Sendable (DocumentConnection) throws(DocumentFailure) -> R
  ) async throws(DocumentFailure) -> R {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<R, DocumentFailure>, Never>) in
      let isIn = add(
        .call { connection in
          do throws(DocumentFailure) {
            continuation.resume(returning: .success(try body(connection)))
          } catch {
            continuation.resume(returning: .failure(error))
          }
        })
      if !isIn { continuation.resume(returning: .failure(.closed)) }
    }
    return try result.get()
  }

  private func add(_ job: Job) -> Bool {
    isClosed.withLock { isClosed in
      if isClosed { return false }
      jobs.add(job)
      return true
    }
  }

  /// Calls that have come before are done; later ones fail.
  func close() {
    isClosed.withLock { isClosed in
      if !isClosed { jobs.add(.stop) }
      isClosed = true
    }
  }
}
