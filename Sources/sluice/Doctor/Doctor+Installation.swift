// Facts about the installation, and the values of our own variables in the environment.

internal import CSluice
internal import CSluiceCommand
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem

func installationFindings() -> [Finding] {
  var findings: [Finding] = []
  do throws(InstallationError) {
    let program = try Installation.program()
    findings.append(Finding("program", "\(program), \(sluiceVersion)"))
    findings.append(libraryFinding(try Installation.library(beside: program)))
  } catch {
    findings.append(
      Finding(
        "library", error.text, .missing, "'sluice run' and vfs=sluice need it; build or install it")
    )
  }
  return findings + [sqliteFinding()]
}

private func libraryFinding(_ path: String) -> Finding {
  guard let version = Installation.version(ofLibrary: path) else {
    return Finding(
      "library", "\(path), of no known release", .weaker,
      "it may not speak this program's protocol; install both from one release")
  }
  return Finding(
    "library", "\(path), \(version)", version == sluiceVersion ? .ok : .missing,
    version == sluiceVersion
      ? "ok" : "this program is \(sluiceVersion); install both from one release")
}

extension Installation {
  /// The version of the library at `path`: the text after the mark in the file.
  static func version(ofLibrary path: String) -> String? {
    guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), .readOnly),
      let status = try? file.status(), status.isRegular, status.byteCount < 1 << 26
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.byteCount))
    let count = try? unsafe bytes.withUnsafeMutableBytes { (bytes) throws(Errno) in
      try unsafe file.read(into: bytes, at: 0)
    }
    guard let count else { return nil }
    // In two parts, because in one it would be found in this program too.
    let mark = Array(("sluice-" + "version:").utf8)
    for start in 0..<max(0, count - mark.count)
    where bytes[start] == mark[0] && bytes[start..<(start + mark.count)].elementsEqual(mark) {
      let text = bytes[(start + mark.count)..<count].prefix { $0 > 0x20 && $0 < 0x7f }
      return String(decoding: text.prefix(32), as: UTF8.self)
    }
    return nil
  }
}

private func sqliteFinding() -> Finding {
  guard let library = unsafe dlopen("libsqlite3.so.0", RTLD_NOW),
    let symbol = unsafe dlsym(library, "sqlite3_libversion")
  else {
    return Finding(
      "SQLite", "libsqlite3.so.0 is not found", .weaker,
      "the sidecar does not need it; programs bring their own, or install libsqlite3-0")
  }
  typealias Version = @convention(c) () -> UnsafePointer<CChar>
  let version = unsafe String(cString: unsafeBitCast(symbol, to: Version.self)())
  let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
  let isOld = numbers.count == 2 && (numbers[0], numbers[1]) < (3, 32)
  return Finding(
    "SQLite", version, isOld ? .missing : .ok, isOld ? "Sluice needs SQLite 3.32 or newer" : "ok")
}

// MARK: Environment

func environmentFindings() -> [Finding] {
  let findings = variableNames().filter { $0.hasPrefix("SLUICE_") }.sorted().map(variableFinding)
  return findings.isEmpty ? [Finding("SLUICE_…", "none is set")] : findings
}

private func variableNames() -> [String] {
  var names: [String] = []
  var length: Int32 = 0
  while let name = unsafe sluice_probe_variable(Int32(names.count), &length) {
    unsafe names.append(
      String(
        decoding: UnsafeRawBufferPointer(start: name, count: Int(length)), as: UTF8.self))
  }
  return names
}

private func variableFinding(_ name: String) -> Finding {
  let value = unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
  switch name {
  case _ where value.isEmpty:
    return Finding(name, "empty", .ok, "the same as not set")
  case "SLUICE_SOCKET":
    return socketFinding(name, value)
  case "SLUICE_SIDECAR":
    return Finding(
      name, unsafe access(zeroTerminated(value), X_OK) == 0, value, or: value, .missing,
      "it cannot be executed, so no private sidecar starts")
  case "SLUICE_LIBRARY":
    return Finding(
      name, unsafe access(zeroTerminated(value), R_OK) == 0, value, or: value, .missing,
      "it cannot be read, so 'sluice run' runs programs without Sluice")
  case "SLUICE_LOG":
    return Finding(
      name, ["0", "1", "2"].contains(value), value, or: value, .weaker,
      "it is 0, 1 or 2; anything else means 1")
  case "SLUICE_CONFINEMENT":
    guard ["0", "1", "report"].contains(value) else {
      return Finding(name, value, .missing, "it is 0, 1 or report; no private sidecar starts")
    }
    return Finding(
      name, value != "0", value, or: value, .weaker, "sidecars are not confined; unset it")
  case "SLUICE_LOG_FILE":
    return Finding(name, value, .ok, "failures are appended to it")
  case "SLUICE_TELL":
    return Finding(name, value, .ok, "set by 'sluice run': its programs tell one failure")
  case "SLUICE_DEFAULT":
    let words = ["0", "1", "no", "yes", "false", "true", "off", "on"]
    guard words.contains(value.lowercased()) else {
      return Finding(name, value, .missing, "it is 0 or 1; the library is not loaded")
    }
    return Finding(
      name, value, .ok, "once the library is loaded, databases that name no VFS use Sluice too")
  default:
    return Finding(name, "set", .ok, "not known to this release")
  }
}

private func socketFinding(_ name: String, _ path: String) -> Finding {
  do throws(Errno) {
    _ = try unsafe FileDescriptor.connect(toSocket: zeroTerminated(path))
    return Finding(name, "\(path), a process listens there")
  } catch .again {
    return Finding(name, path, .weaker, "the process that listens there is busy, or stopped")
  } catch {
    return Finding(
      name, path, .missing,
      "no sidecar can be reached there: \(unsafe String(cString: error.text))")
  }
}
