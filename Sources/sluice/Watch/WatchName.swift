// The name of a watcher's socket, and the token of its messages. Both are random: the name is
// listed in /proc/net/unix for all, and the token is known to the run's processes alone.

internal import CSluice
internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceSystem

struct WatchName {
  let name: String
  let token: String

  /// SLUICE_WATCH of the run's processes.
  var value: String { name + " " + token }

  init() {
    name = "sluice-watch-" + randomText()
    token = randomText()
  }

  init?(_ value: String) {
    let words = value.split(separator: " ")
    guard words.count == 2 else { return nil }
    name = String(words[0])
    token = String(words[1])
  }
}

/// The socket on which a watcher answers to a `run --require` that waits for it.
struct WatchAnswer: ~Copyable {
  private let socket: FileDescriptor
  private let name: WatchName

  static func socketName(_ name: WatchName) -> String { name.name + "-answer" }

  init(of name: WatchName) throws(Errno) {
    self.name = name
    socket = try abstractSocket(WatchAnswer.socketName(name))
  }

  /// Waits for the answer, at most a minute: whether the watcher has found nothing. False with a
  /// message if it does not answer.
  borrowing func isGood() -> Bool {
    for _ in 0..<600 {
      if socket.awaitReadable(timeoutMilliseconds: 100) {
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe bytes.withUnsafeMutableBytes {
          (try? unsafe socket.receive(into: $0))?.byteCount ?? 0
        }
        let words = text(ofBytes: bytes.prefix(count)).split(separator: " ")
        if words.count == 2, words[0] == name.token { return words[1] == "good" }
      } else if unsafe sluice_watch_listens(zeroTerminated(name.name)) == 0 {
        break
      }
    }
    printError("sluice: run: --require: the watcher did not answer")
    return false
  }

  static func send(_ name: WatchName, isGood: Bool) {
    let words = name.token + (isGood ? " good" : " bad")
    unsafe sluice_watch_send(zeroTerminated(socketName(name)), zeroTerminated(words))
  }
}

func abstractSocket(_ name: String) throws(Errno) -> FileDescriptor {
  let socket = unsafe sluice_watch_listen(zeroTerminated(name))
  guard socket >= 0 else { throw Errno(-socket) }
  return FileDescriptor(owning: socket)
}

private func randomText() -> String {
  var generator = SystemRandomNumberGenerator()
  return String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
}
