// What `sluice run` tries before it starts its command, and what it gives the command to tell
// failures with.

internal import CSluice
internal import CSluiceCommand
internal import SluiceClient
internal import SluiceCommand

/// Why ld.so would refuse to preload the library; nil if it would not.
func preloadObstacle(_ library: String) -> String? {
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { room in
    let text = unsafe sluice_preload_obstacle(
      zeroTerminated(library), room.baseAddress!, UInt64(room.count))
    return unsafe text.map { unsafe String(cString: $0) }
  }
}

/// A path that leads to the file from every working directory.
func absolutePath(_ path: String) -> String {
  guard !path.hasPrefix("/"), let absolute = unsafe realpath(zeroTerminated(path), nil) else {
    return path
  }
  defer { unsafe free(absolute) }
  return unsafe text(of: absolute)
}

/// Why this user has no session with the sidecar on the socket; nil if there is one.
func obstacle(onSocket path: String) -> String? {
  do throws(ConnectError) {
    _ = try Session.connect(toSocket: zeroTerminated(path))
    return nil
  } catch {
    let reason = error.text.description
    switch error {
    case .unreachable(let errno), .system(let errno):
      return "\(reason): \(unsafe String(cString: errno.text))"
    default: return reason
    }
  }
}

/// The value of SLUICE_TELL: by it the programs of one `sluice run` agree on who tells. Empty if
/// there can be none; then no program tells.
func teller() -> String {
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { room in
    let result = unsafe sluice_failures_open_token(room.baseAddress!, room.count)
    return result < 0 ? "" : unsafe String(cString: room.baseAddress!)
  }
}
