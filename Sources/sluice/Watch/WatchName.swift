// The name of a watcher's socket, and the token of its messages. Both are random: the name is
// listed in /proc/net/unix for all, and the token is known to the run's processes alone.

internal import CSluice
internal import SluiceSystem

struct WatchName {
  let name: String
  let token: String

  /// SLUICE_WATCH of the run's processes.
  var value: String { name + " " + token }

  init() throws(Errno) {
    name = "sluice-watch-" + (try randomText())
    token = try randomText()
  }

  init?(_ value: String) {
    let words = value.split(separator: " ")
    guard words.count == 2 else { return nil }
    name = String(words[0])
    token = String(words[1])
  }
}

private func randomText() throws(Errno) -> String {
  var numbers: (UInt64, UInt64) = (0, 0)
  try unsafe withUnsafeMutableBytes(of: &numbers) { (bytes) throws(Errno) in
    try unsafe fillWithRandomBytes(bytes)
  }
  return String(numbers.0, radix: 36) + String(numbers.1, radix: 36)
}
