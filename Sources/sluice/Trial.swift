// What `sluice run` tries before it starts its command, and what it gives the command to tell
// failures with.

internal import CSluice
internal import SluiceClient
internal import SluiceCommand

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
