// sluice confinement: tries how well this machine's kernel confines a sidecar. Each attempt runs in a
// process of its own, confined as a sidecar for the same root would be, because some attempts end it.

internal import CSluice
internal import Glibc
internal import SluiceCommand
internal import SluiceFiles
internal import SluiceServer
internal import SluiceSystem

let confinementCommand = Command(
  name: "confinement", summary: "try whether this machine can confine a sidecar",
  help: """
    usage: sluice confinement [--root DIR] [--json]

    Tries, one after the other, things that a sidecar for DIR may do and things that it may not. Exit
    code 0 when everything is as it should be, 1 when something forbidden was possible or something
    needed was not. Nothing is left behind. With SLUICE_CONFINEMENT=0 it shows what is possible
    without confinement.

      --root DIR   the directory as for serve (the current one)
      --json       an object with the kernel's Landlock version and an array of all attempts
    """,
  run: checkConfinement)

/// One thing that a confined sidecar tries.
private enum Attempt: String, CaseIterable {
  case useFile, readOutside, writeOutside, removeOutside, makeDirectory, makeLink
  case connect, mapCode, signal, changeUser, execute

  var summary: String {
    switch self {
    case .useFile: "make, write, read and remove a file beneath the root"
    case .readOutside: "read a file outside the root"
    case .writeOutside: "make a file outside the root"
    case .removeOutside: "remove a file outside the root"
    case .makeDirectory: "make a directory beneath the root"
    case .makeLink: "make a link beneath the root"
    case .connect: "make a socket"
    case .mapCode: "make memory executable"
    case .signal: "signal another process"
    case .changeUser: "become another user"
    case .execute: "run a program"
    }
  }

  var isAllowed: Bool { self == .useFile }

  /// Makes the attempt beneath `root`, or on `bystander`, a file outside. Returns 0 or the errno.
  func make(root: String, bystander: String) -> Int32 {
    let name = zeroTerminated(root + "/sluice-confinement-\(getpid())")
    switch self {
    case .useFile: return useFile(name)
    case .readOutside:
      return outcome { () throws(Errno) in
        _ = try unsafe FileDescriptor.open(zeroTerminated(bystander), [.readOnly])
      }
    case .writeOutside:
      let other = zeroTerminated(bystander + "-\(getpid())")
      return outcome { () throws(Errno) in
        _ = try unsafe FileDescriptor.open(other, [.readWrite, .create, .exclusive])
        unsafe unlink(other)
      }
    case .removeOutside: return unsafe errno(of: unlink(zeroTerminated(bystander)))
    case .makeDirectory: return unsafe errno(of: mkdir(name, 0o700), thenRemoving: name)
    case .makeLink: return unsafe errno(of: symlink("x", name), thenRemoving: name)
    case .connect: return errno(of: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
    case .mapCode:
      let start = unsafe mmap(
        nil, memoryPageByteCount, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      return unsafe start == MAP_FAILED ? sluice_errno() : 0
    case .signal: return errno(of: kill(getppid(), 0))
    case .changeUser: return errno(of: setuid(getuid()))
    case .execute:
      let words: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("true"), nil]
      return unsafe errno(of: execv("/bin/true", words))
    }
  }

  private func useFile(_ name: [CChar]) -> Int32 {
    outcome { () throws(Errno) in
      let file = try unsafe FileDescriptor.open(
        name, [.readWrite, .create, .exclusive], permissions: 0o600)
      var byte: UInt8 = 42
      try unsafe withUnsafeBytes(of: &byte) { (bytes) throws(Errno) in
        try unsafe file.write(bytes, at: 0)
      }
      _ = try unsafe FileDescriptor.open(name, [.readOnly])
      guard unsafe unlink(name) == 0 else { throw Errno(sluice_errno()) }
    }
  }
}

private func outcome(_ body: () throws(Errno) -> Void) -> Int32 {
  do throws(Errno) { try body() } catch { return error.rawValue }
  return 0
}

private func errno(of result: Int32, thenRemoving name: [CChar]? = nil) -> Int32 {
  if result < 0 { return sluice_errno() }
  if let name { unsafe remove(name) }
  return 0
}

/// The result of an attempt.
private enum Answer {
  case possible
  case refused(Errno)
  /// The attempt ended the process.
  case killed
  case untried

  /// `status` is the result of `waitpid`.
  init(status: Int32) {
    switch (status & 0x7f, status >> 8) {
    case (0, 0): self = .possible
    case (0, let code) where code < untriedCode: self = .refused(Errno(code))
    case (SIGSYS, _): self = .killed
    default: self = .untried
    }
  }

  var text: String {
    switch self {
    case .possible: "possible"
    case .refused(let errno): "refused: \(unsafe String(cString: errno.text))"
    case .killed: "ends the process"
    case .untried: "could not be tried"
    }
  }

  func isRight(for attempt: Attempt) -> Bool {
    switch self {
    case .possible: attempt.isAllowed
    case .refused, .killed: !attempt.isAllowed
    case .untried: false
    }
  }
}

/// The exit code of a process that could not make its attempt.
private let untriedCode: Int32 = 255

private func checkConfinement(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let root = try options.value("--root") ?? "."
  let wantsJSON = options.flag("--json")
  if let name = try options.value("--attempt") {
    guard let attempt = Attempt(rawValue: name), let bystander = try options.value("--bystander")
    else { throw .usage("'sluice confinement' starts this") }
    try options.finish()
    return tryConfined(try confinement(), attempt, root: root, bystander: bystander)
  }
  try options.finish()
  let version = LandlockRuleset.version
  let results = try tryAll(root: root)
  if wantsJSON {
    print(json(version: version, results).written(depth: 2))
  } else {
    print("Landlock: " + (version > 0 ? "version \(version)" : "this kernel has none"))
    for (attempt, answer) in results {
      let mark = answer.isRight(for: attempt) ? "ok   " : "WRONG"
      print("\(mark)  \(attempt.summary.padded(to: 53)) \(answer.text)")
    }
  }
  return results.allSatisfy { $0.answer.isRight(for: $0.attempt) } ? 0 : 1
}

/// The attempts with a wrong result, and the number of all attempts.
func confinementFaults(root: String) throws(CommandError) -> (faults: [String], triedCount: Int) {
  let results = try tryAll(root: root)
  let wrong = results.filter { !$0.answer.isRight(for: $0.attempt) }
  return (wrong.map { "\($0.attempt.summary): \($0.answer.text)" }, results.count)
}

private func tryAll(
  root: String
) throws(CommandError) -> [(attempt: Attempt, answer: Answer)] {
  var results: [(attempt: Attempt, answer: Answer)] = []
  let program: String
  do throws(InstallationError) {
    program = try Installation.program()
  } catch {
    throw .failed("confinement: \(error.text)")
  }
  do throws(Errno) {
    _ = try unsafe FileDescriptor.open(zeroTerminated(root), [.directory, .pathOnly])
  } catch {
    throw .failed("confinement: \(root): \(unsafe String(cString: error.text))")
  }
  let bystander = try Bystander(outside: root)
  for attempt in Attempt.allCases {
    let words = [
      program, "confinement", "--root", root, "--attempt", attempt.rawValue, "--bystander",
      bystander.path,
    ]
    do throws(Errno) {
      results.append((attempt, Answer(status: try finish(try spawn(words, descriptors: [])))))
    } catch {
      throw .failed("confinement: \(program): \(unsafe String(cString: error.text))")
    }
  }
  return results
}

/// Waits for a process that needs milliseconds, and kills it after ten seconds.
private func finish(_ process: Int32) throws(Errno) -> Int32 {
  let end = try FileDescriptor.processEnd(of: process)
  if !end.awaitReadable(timeoutMilliseconds: 10_000) { kill(process, SIGKILL) }
  var status: Int32 = 0
  guard unsafe waitpid(process, &status, 0) == process else { throw Errno(sluice_errno()) }
  return status
}

/// Confines this process as a sidecar and makes the attempt. The returned exit code tells the result.
private func tryConfined(
  _ confinement: Confinement, _ attempt: Attempt, root: String, bystander: String
) -> Int32 {
  do throws(SidecarError) {
    try confinement.enter(rootPath: zeroTerminated(root))
  } catch {
    printError("sluice: confinement: \(error.description)")
    return untriedCode
  }
  return attempt.make(root: root, bystander: bystander)
}

/// A file outside the root. It exists as long as this object.
private final class Bystander {
  let path: String

  init(outside root: String) throws(CommandError) {
    let known = unsafe realpath(zeroTerminated(root), nil)
    defer { unsafe free(known) }
    let own = unsafe known.map { unsafe String(cString: $0) } ?? root
    if own == "/" { throw .usage("no file is outside of /") }
    path = "\(own == "/tmp" ? "/dev/shm" : "/tmp")/.sluice-confinement-\(getpid())"
    do throws(Errno) {
      _ = try unsafe FileDescriptor.open(
        zeroTerminated(path), [.readWrite, .create, .exclusive], permissions: 0o600)
    } catch {
      throw .failed("confinement: \(path): \(unsafe String(cString: error.text))")
    }
  }

  deinit { unsafe unlink(zeroTerminated(path)) }
}

private func json(version: Int, _ results: [(attempt: Attempt, answer: Answer)]) -> JSON {
  .object([
    ("landlock", .integer(Int64(version))),
    (
      "tried",
      .array(
        results.map { attempt, answer in
          .object([
            ("what", .text(attempt.rawValue)), ("answer", .text(answer.text)),
            ("isRight", .text(answer.isRight(for: attempt) ? "yes" : "no")),
          ])
        })
    ),
  ])
}
