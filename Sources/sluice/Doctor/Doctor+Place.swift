// Facts about the place of this process: its namespaces and mounts, and the limits of its user,
// session and control group. A number means something only in that place.

internal import CSluice
internal import CSluiceCommand
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem

// MARK: Namespaces and mounts

func placeFindings() -> [Finding] {
  let proc = unsafe access(zeroTerminated("/proc/self/fd"), R_OK) == 0
  return [
    Finding(
      "pid namespace", namespaceText("pid", initial: 4_026_531_836), .ok,
      "with SO_PEERPIDFD a sidecar sees clients die in any pid namespace"),
    Finding("user namespace", namespaceText("user", initial: 4_026_531_837)),
    userMap(),
    Finding("mount namespace", mountNamespace()),
    Finding(
      "/proc", proc, "mounted", or: "not mounted", .weaker,
      "a sidecar reopens files by name, and enters a directory for a moment to learn its name;"
        + " mount it (mount -t proc proc /proc)"),
    Finding(
      "/dev/null", isDevice("/dev/null"), "there", or: "not there", .ok,
      "sidecars do not need it"),
    Finding(
      "/dev/shm", unsafe access(zeroTerminated("/dev/shm"), W_OK) == 0, "there",
      or: "not there, or not writable", .weaker,
      "'sluice stats' does not show sidecars; mount a tmpfs on it"),
  ]
}

private func namespaceText(_ name: String, initial: UInt64) -> String {
  guard let number = namespaceNumber("/proc/self/ns/\(name)") else { return "cannot be told" }
  return number == initial ? "the initial one" : "another than the initial one"
}

/// The number in "pid:[4026531836]".
private func namespaceNumber(_ path: String) -> UInt64? {
  guard let target = try? unsafe readSymbolicLink(zeroTerminated(path)) else { return nil }
  return UInt64(String(decoding: target, as: UTF8.self).filter(\.isNumber))
}

private func mountNamespace() -> String {
  guard let own = namespaceNumber("/proc/self/ns/mnt"),
    let first = namespaceNumber("/proc/1/ns/mnt")
  else { return "cannot be told" }
  return own == first ? "that of process 1" : "another than that of process 1"
}

private func userMap() -> Finding {
  guard let text = textOfFile("/proc/self/uid_map") else {
    return Finding("user map", "cannot be told")
  }
  let ranges = text.split(separator: "\n").map { line in
    line.split(separator: " ").joined(separator: " ")
  }
  if ranges == ["0 0 4294967295"] { return Finding("user map", "every user keeps its number") }
  let isMapped = geteuid() != 65534
  return Finding(
    "user map", ranges.isEmpty ? "empty" : ranges.joined(separator: ", "), .ok,
    isMapped
      ? "a sidecar here sees users outside of the map as 65534"
      : "this user has no number here: a sidecar here sees it as 65534")
}

private func isDevice(_ path: String) -> Bool {
  guard unsafe access(zeroTerminated(path), R_OK | W_OK) == 0,
    let file = try? unsafe FileDescriptor.open(zeroTerminated(path), [.pathOnly]),
    let status = try? file.status()
  else { return false }
  return status.mode & 0o170000 == 0o020000
}

// MARK: Limits

func limitFindings() -> [Finding] {
  let files = sluice_probe_limit(letter("n"))
  let processes = sluice_probe_limit(letter("u"))
  let size = sluice_probe_limit(letter("f"))
  let space = sluice_probe_limit(letter("v"))
  let group = controlGroupLimits()
  return [
    Finding(
      "processors", "\(processorCount)", .ok,
      processorCount > 1
        ? "both sides spin before they sleep"
        : "both sides sleep at once, because spinning would"
          + " keep the other from running"),
    Finding("control group: memory", group.memory ?? "no limit"),
    Finding("control group: cpu", group.cpu ?? "no limit"),
    Finding(
      "open files", text(files), files < 256 ? .weaker : .ok,
      files < 256
        ? "a session has few files; raise RLIMIT_NOFILE"
        : "the sidecar raises it to the hard limit; a session has a quarter of that, at most 4096"),
    Finding(
      "processes of the user", text(processes), processes < 64 ? .weaker : .ok,
      processes < 64 ? "sidecars and their threads may not start; raise RLIMIT_NPROC" : "ok"),
    Finding(
      "size of a file", text(size, isBytes: true), size < 1 << 30 ? .weaker : .ok,
      size < 1 << 30 ? "no database grows beyond it; raise RLIMIT_FSIZE" : "ok"),
    Finding("locked memory", text(sluice_probe_limit(letter("l")), isBytes: true)),
    Finding(
      "address space", text(space, isBytes: true), space < 1 << 30 ? .weaker : .ok,
      space < 1 << 30 ? "read windows may find no room; raise RLIMIT_AS" : "ok"),
  ]
}

private func letter(_ text: Unicode.Scalar) -> CChar { CChar(UInt8(ascii: text)) }

private func text(_ limit: UInt64, isBytes: Bool = false) -> String {
  limit == .max ? "no limit" : grouped(limit) + (isBytes ? " bytes" : "")
}

/// The limits of this process's control groups, in words; nil where there is no limit.
private func controlGroupLimits() -> (memory: String?, cpu: String?) {
  func told(_ limit: ControlGroupLimit, _ value: String) -> String {
    value + " (" + String(decoding: limit.path, as: UTF8.self) + ")"
  }
  let memory = ControlGroupMemory(.own)?.limit()
  let processors = ControlGroup.own.processorLimit()
  return (
    memory.map { told($0, grouped(UInt64(max(0, $0.value))) + " bytes") },
    processors.map { told($0, (Double($0.value) / 1000).short + " processors") }
  )
}
