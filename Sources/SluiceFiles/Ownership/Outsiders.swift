// Programs outside that wait to open files, because the sidecar holds leases of these. Each is let in
// once what clients had submitted is done, and at its deadline whatever the reactors are doing.
//
// A value. Whether a wait is over is asked once for each and look, for the answer may change meanwhile:
// one that is asked twice and believed once would be forgotten, and its program wait until the kernel
// takes the lease away.

struct Outsiders<File> {
  private struct Wait {
    let files: [File]
    let isOver: () -> Bool
    /// By the monotonic clock.
    let deadline: Int64
  }

  private var waits: [Wait] = []

  mutating func append(_ files: [File], until isOver: @escaping () -> Bool, deadline: Int64) {
    waits.append(Wait(files: files, isOver: isOver, deadline: deadline))
  }

  /// When to look again, if nobody says so before.
  var nextDeadline: Int64? { waits.map(\.deadline).min() }

  /// Takes out the files whose waits are over.
  mutating func takeDue(now: Int64) -> [File] {
    var due: [File] = []
    var rest: [Wait] = []
    for wait in waits {
      if wait.deadline <= now || wait.isOver() {
        due.append(contentsOf: wait.files)
      } else {
        rest.append(wait)
      }
    }
    waits = rest
    return due
  }
}
