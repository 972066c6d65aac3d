// Channels whose database was closed. A program that opens a database for each request gets its
// channel back, and with it the mapping of the read window, if the file is still the same. Making
// both anew costs more than all the rest of an open and a close.
//
// The sidecar knows nothing of this: the database is closed there, and a channel without a file is
// one as before.
//
// Bounds: a few channels in a process, and little memory in their windows, because nobody gives it
// back when the program never opens a database again.
//
// Threads: any, under one lock. A channel is closed outside the lock, because that is a call.

internal import SluiceClient
internal import SluiceSystem

final class IdleChannels: Sendable {
  struct Idle {
    /// The database that was closed.
    let path: [UInt8]
    let knowledge: Knowledge
    /// The count of standings that were given up when the channel came here.
    let formerCount: Int

    var channel: Channel { knowledge.remote.channel }
  }

  private let idle = FutexLock<[Idle]>([])

  private static let countMaximum = 4
  private static let windowByteCountMaximum: Int64 = 16 << 20

  /// Keeps the channel of a database that was closed.
  func add(path: [UInt8], _ knowledge: Knowledge, formerCount: Int) {
    let entry = Idle(path: path, knowledge: knowledge, formerCount: formerCount)
    // What is returned here is closed when it goes out of scope.
    _ = idle.withLock { idle -> [Idle] in
      var closed: [Idle] = []
      idle.append(entry)
      func isTooMuch() -> Bool {
        idle.count > Self.countMaximum
          || idle.reduce(0) { $0 + $1.knowledge.windowByteCount } > Self.windowByteCountMaximum
      }
      while isTooMuch() { closed.append(idle.removeFirst()) }
      return closed
    }
  }

  /// A channel of `session` with these shortcuts on which the database was open, or any other one if
  /// no more may be had (`orAny`). Closes the channels of standings that were given up since.
  func take(
    path: [UInt8], in session: Session, _ shortcuts: Shortcuts, formerCount: Int,
    orAny: Bool = false
  ) -> Knowledge? {
    let (taken, _) = idle.withLock { idle -> (Knowledge?, former: [Idle]) in
      let former = idle.filter { $0.formerCount != formerCount || $0.channel.isLost }
      if !former.isEmpty {
        idle.removeAll { $0.formerCount != formerCount || $0.channel.isLost }
      }
      let index = idle.lastIndex {
        $0.channel.session === session && (orAny || $0.path == path)
          && $0.channel.shortcuts == shortcuts.intersection(session.allowedShortcuts)
      }
      return (index.map { idle.remove(at: $0).knowledge }, former)
    }
    return taken
  }
}
