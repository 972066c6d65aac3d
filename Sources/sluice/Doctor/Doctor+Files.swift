// Facts about the files beneath the root: whether others can change them, whether the kernel grants
// a lease, and whether a WAL index can be shared there. A file that has no name any more serves to
// try lease and index.

internal import CSluice
internal import Glibc
internal import SluiceCommand
internal import SluiceFiles
internal import SluiceSystem

func fileFindings(root: String) -> [Finding] {
  let directory = try? unsafe FileDescriptor.open(zeroTerminated(root), [.directory, .readOnly])
  guard let directory else {
    return [
      Finding(
        "root", "\(root): cannot be read", .missing,
        "the sidecar must open directories for reading to sync them; give its user that right")
    ]
  }
  let kind = directory.fileSystemKind()
  var findings = [
    Finding(
      "file system", kind.name, kind.isLocal ? .ok : .weaker,
      (kind.isLocal ? "a lease counts here" : "a lease proves nothing here") + ": "
        + kind.consequence)
  ]
  do throws(Errno) {
    findings += try trials(in: directory, isLocal: kind.isLocal)
  } catch {
    findings.append(
      Finding(
        "a file in it", "cannot be made: \(unsafe String(cString: error.text))", .weaker,
        "databases there can only be read; lease and WAL index were not tried"))
  }
  return findings + [leaseBreakTime(), leasesEnabled()].compactMap { $0 }
    + confinementFinding(root: root)
}

private func trials(
  in directory: borrowing FileDescriptor, isLocal: Bool
) throws(Errno) -> [Finding] {
  let name = zeroTerminated(".sluice-doctor-\(getpid())")
  let file = try unsafe FileDescriptor.open(
    name, in: directory.rawValue, [.readWrite, .create, .exclusive], permissions: 0o600)
  // From here on no other process can open the file and so break the lease.
  try unsafe directory.unlink(name)
  let lease: Finding
  do throws(Errno) {
    try file.takeLease()
    try file.giveBackLease()
    lease = Finding("lease", isLocal ? "granted" : "granted, but not relied upon")
  } catch {
    lease = Finding(
      "lease", "refused: \(unsafe String(cString: error.text))", .weaker,
      "every lock goes to the file, and there is no read window; the sidecar's user must own the"
        + " files or have CAP_LEASE")
  }
  let index: Finding
  do throws(Errno) {
    try file.truncate(toByteCount: 32768)
    _ = try Mapping(file, byteCount: 32768)
    index = Finding(
      "WAL index", isLocal, "can be shared", or: "not shared between hosts", .weaker,
      "journal_mode=WAL is refused; a WAL database opens only with locking_mode=EXCLUSIVE")
  } catch {
    index = Finding(
      "WAL index", "cannot be mapped: \(unsafe String(cString: error.text))", .missing,
      "no WAL mode; use another file system")
  }
  return [lease, index]
}

private func leaseBreakTime() -> Finding? {
  guard let text = textOfFile("/proc/sys/fs/lease-break-time"),
    let seconds = Int(text.filter(\.isNumber))
  else { return nil }
  return Finding(
    "lease-break-time", "\(seconds) s", seconds < 10 ? .weaker : .ok,
    seconds < 10
      ? "a sidecar that is stopped for longer loses its clients' locks, and looks only after 5 s;"
        + " set /proc/sys/fs/lease-break-time to 45" : "ok")
}

private func leasesEnabled() -> Finding? {
  guard let text = textOfFile("/proc/sys/fs/leases-enable") else { return nil }
  return Finding(
    "leases-enable", text.hasPrefix("1"), "yes", or: "no", .weaker,
    "no leases on this machine: every lock goes to the file; set /proc/sys/fs/leases-enable to 1")
}

private func confinementFinding(root: String) -> [Finding] {
  do throws(CommandError) {
    let (faults, count) = try confinementFaults(root: root)
    return [
      Finding(
        "confinement", "\(count - faults.count) of \(count) as it should be",
        faults.isEmpty ? .ok : .weaker,
        faults.isEmpty
          ? "ok" : faults.joined(separator: "; ") + "; 'sluice confinement' tells more")
    ]
  } catch {
    switch error {
    case .usage(let text), .failed(let text): return [Finding("confinement", "not tried: \(text)")]
    }
  }
}
