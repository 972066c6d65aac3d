// Facts about the kernel and the filters of system calls that are in force here. Each thing is
// tried, because a version number alone says little: kernels are patched, and containers refuse
// calls that their kernel has.

internal import CSluice
internal import CSluiceCommand
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem

func kernelFindings() -> [Finding] {
  [kernelVersion()] + neededCalls() + usefulCalls() + confinementOfTheKernel()
}

private func kernelVersion() -> Finding {
  var names = utsname()
  guard unsafe uname(&names) == 0 else { return Finding("kernel", "unknown") }
  func text<Field>(_ field: Field) -> String {
    unsafe withUnsafeBytes(of: field) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
  let release = text(names.release)
  let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
  let isOld = numbers.count == 2 && (numbers[0], numbers[1]) < (5, 16)
  return Finding(
    "kernel", "Linux \(release), \(text(names.machine))", isOld ? .missing : .ok,
    isOld ? "Sluice needs Linux 5.16 or newer" : "ok")
}

/// The failure in words; nil if the call works.
private func failure(_ result: Int32) -> String? {
  result >= 0 ? nil : unsafe String(cString: Errno(-result).text)
}

private func failure(_ body: () throws(Errno) -> Void) -> String? {
  do throws(Errno) {
    try body()
    return nil
  } catch {
    return unsafe String(cString: error.text)
  }
}

private func finding(
  _ name: String, _ failure: String?, _ worth: Finding.Worth, _ follows: String
) -> Finding {
  Finding(name, failure == nil, or: failure ?? "", worth, follows)
}

private func neededCalls() -> [Finding] {
  var word: UInt32 = 1
  // The wait ends at once if the word has another value than the awaited one.
  let waits = unsafe withUnsafeMutablePointer(to: &word) { word -> Int32 in
    var entry = unsafe sluice_waitv_entry(word, 0)
    return unsafe sluice_futex_waitv(&entry, 1, 0)
  }
  let memory = failure { () throws(Errno) in
    let memory = try FileDescriptor.sealedMemory("sluice-doctor", byteCount: 4096, isFinal: false)
    try memory.forbidWriting()
    guard memory.isSealedMemory(byteCount: 4096) else { throw .invalid }
  }
  let locks = failure { () throws(Errno) in
    let memory = try FileDescriptor.sealedMemory("sluice-doctor", byteCount: 4096)
    guard try memory.setLock(.exclusive, start: 0, byteCount: 1) else { throw .again }
  }
  let wiping = failure { () throws(Errno) in try ProcessEpoch.prepare() }
  let none =
    "no sidecar can work here; Linux 5.16 has it, but a container's filter may refuse it"
  return [
    finding("futex_waitv", waits == -EAGAIN ? nil : failure(min(waits, -1)), .missing, none),
    finding(
      "openat2",
      failure { () throws(Errno) in
        _ = try unsafe FileDescriptor.open(
          zeroTerminated("."), [.directory, .pathOnly], resolution: .beneath)
      }, .missing, none),
    finding("memfd seals", memory, .missing, none),
    finding("locks of descriptions", locks, .missing, none),
    finding(
      "MADV_WIPEONFORK", wiping, .missing, "the library cannot notice a fork; no client works"
    ),
  ]
}

private func usefulCalls() -> [Finding] {
  let end = failure { () throws(Errno) in
    let pair = try SocketPair()
    _ = try pair.ours.peerEnd()
  }
  return [
    finding(
      "SO_PEERPIDFD", end, .weaker,
      "the locks of a dead client in another pid namespace stay while a child of it lives; Linux 6.5"
        + " has it"),
    finding(
      "close_range", failure(sluice_probe_close_range()), .missing,
      "no private sidecar can be started; use a shared one"),
    finding(
      "clone", failure(sluice_probe_clone()), .weaker,
      "no private sidecar can be started from here; use a shared one; WAL mode still works"),
  ]
}

private func confinementOfTheKernel() -> [Finding] {
  let version = LandlockRuleset.version
  let sidecar = "the sidecar serves, and only openat2 keeps it to its root"
  let landlock =
    switch version {
    case 0:
      Finding(
        "Landlock", "none, or turned off", .weaker,
        "\(sidecar); 'sluice run --sandbox' does not work. Add landlock to the kernel's lsm= parameter"
      )
    case ..<3:
      Finding(
        "Landlock", "version \(version)", .weaker, "'sluice run --sandbox' needs 3 (Linux 6.2)")
    case ..<6:
      Finding(
        "Landlock", "version \(version)", .ok,
        "files are confined; version 6 (Linux 6.12) also confines signals and abstract sockets")
    default: Finding("Landlock", "version \(version)")
    }
  let mode = sluice_probe_seccomp_mode()
  return [
    landlock,
    finding(
      "seccomp", failure(sluice_probe_seccomp()), .weaker,
      "a sidecar that was taken over may make any system call"),
    Finding("a filter is in force", mode == 2 ? "yes" : mode == 0 ? "no" : "cannot be told"),
    Finding("no_new_privs", sluice_probe_no_new_privileges() == 1 ? "set" : "not set"),
  ]
}
