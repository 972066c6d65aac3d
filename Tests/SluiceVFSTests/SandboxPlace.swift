// A place for the tests of the sandbox: a directory that it leaves writable, one that it does not,
// and a user that runs in it.

import Foundation
import Testing

/// Who starts the command: the user of the tests, and, if that is root, a user without rights.
enum SandboxUser: CaseIterable {
  case own, plain

  static let all = Machine.hasOtherUsers ? allCases : [.own]

  fileprivate var prefix: [String] {
    self == .own
      ? [] : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
  }
}

/// Confined to its test.
final class SandboxPlace {
  let fixture: Fixture
  let writable: URL
  private let user: SandboxUser

  init(user: SandboxUser = .own) throws {
    fixture = try Fixture()
    self.user = user
    writable = fixture.directory.appending(path: "writable")
    try FileManager.default.createDirectory(at: writable, withIntermediateDirectories: false)
    try "content".write(
      to: fixture.outside.appending(path: "file"), atomically: false, encoding: .utf8)
    guard user == .plain else { return }
    for url in [
      fixture.root, fixture.outside, fixture.outside.appending(path: "file"), fixture.scratch,
      writable,
    ] {
      try FileManager.default.setAttributes(
        [.ownerAccountID: 65534, .groupOwnerAccountID: 65534], ofItemAtPath: url.path)
    }
  }

  /// Starts a command in a sandbox, in the directory `outside`. W and O in its environment are the
  /// two directories.
  func start(
    _ command: [String], options: [String]? = nil, prefix: [String] = []
  ) throws -> ChildProcess {
    try fixture.start(
      prefix + user.prefix + [Fixture.program, "run", "--sandbox", "--root", fixture.root.path]
        + (options ?? ["--writable", writable.path]) + ["--"] + command,
      [
        "SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path, "W": writable.path,
        "O": fixture.outside.path,
      ], in: fixture.outside)
  }

  func run(
    _ command: [String], options: [String]? = nil, prefix: [String] = [],
    within seconds: Double = 60
  ) throws -> Outcome {
    let process = try start(command, options: options, prefix: prefix)
    process.closeInput()
    return try process.wait(within: seconds)
  }

  /// Runs a Python script after some lines that each script may use.
  func runPython(
    _ script: String, options: [String]? = nil, prefix: [String] = []
  ) throws -> Outcome {
    try run(
      [Fixture.pythonProgram, "-c", SandboxPlace.prelude + "\n" + script], options: options,
      prefix: prefix)
  }

  /// Mode, size and time of the file outside.
  func picture() throws -> String {
    let facts = try FileManager.default.attributesOfItem(
      atPath: fixture.outside.appending(path: "file").path)
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path).sorted()
    return "\(facts[.posixPermissions]!) \(facts[.size]!) \(facts[.modificationDate]!) \(names)"
  }

  private static let prelude = """
    import ctypes, errno, fcntl, mmap, os, sqlite3, subprocess, sys, tempfile, threading, time
    W, O = os.environ["W"], os.environ["O"]
    F = O + "/file"
    libc = ctypes.CDLL(None, use_errno=True)
    def result(body, *words):
        try: body(*words)
        except OSError as error: return errno.errorcode[error.errno]
        return "OK"
    def call(number, *words):
        return "OK" if libc.syscall(number, *words) >= 0 else errno.errorcode[ctypes.get_errno()]
    def mode(path): return oct(os.stat(path).st_mode & 0o7777)
    def make(name):
        with open(W + "/" + name, "w") as f: f.write("x")
        return W + "/" + name
    def at_once(*bodies, seconds=1.5):
        "Runs them in threads, over and over."
        end = time.monotonic() + seconds
        def loop(body):
            while time.monotonic() < end:
                try: body()
                except OSError: pass
        threads = [threading.Thread(target=loop, args=(body,)) for body in bodies]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
}
