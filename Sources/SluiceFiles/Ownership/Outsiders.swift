// Programs outside that wait to open files, because the sidecar holds leases of these. Each is let
// in when the reactors have done what clients submitted before, and at its deadline in any case.
//
// A value. Each look asks once for each wait whether it is over, because the answer may change
// between two questions. If the list asked twice, and got two answers, it would forget the wait,
// and its program would wait until the kernel takes the lease away.

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

  /// When to look again at the latest.
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
