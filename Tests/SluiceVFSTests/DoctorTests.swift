// sluice doctor tells the truth, on this machine and in changed environments.

import Foundation
import Glibc
import Testing

struct DoctorTests {
  private struct Report: Decodable {
    struct Fact: Decodable {
      var fact: String
      var value: String
      var worth: String
      var follows: String
    }

    var sluice: String
    var root: String
    var facts: [Fact]

    func fact(_ name: String) throws -> Fact {
      try #require(facts.first { $0.fact == name }, "\(name) of \(facts.map(\.fact))")
    }
  }

  private func examine(
    _ fixture: Fixture, root: String? = nil, prefix: [String] = [],
    _ environment: [String: String] = [:]
  ) throws -> (report: Report, outcome: Outcome) {
    let outcome = try fixture.run(
      prefix + [Fixture.program, "doctor", "--json", "--root", root ?? fixture.root.path],
      environment)
    let report = try? JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    return (try #require(report, "\(outcome.output) \(outcome.errors)"), outcome)
  }

  @Test func everyFactHasAValueAndWhatFollows() throws {
    let fixture = try Fixture()
    let (report, outcome) = try examine(fixture)
    #expect(report.root == fixture.root.path)
    #expect(report.facts.count > 30)
    for fact in report.facts {
      #expect(!fact.value.isEmpty && !fact.follows.isEmpty, "\(fact)")
      #expect(["ok", "weaker", "missing"].contains(fact.worth), "\(fact)")
      if fact.worth != "ok" { #expect(fact.follows != "ok", "\(fact)") }
    }
    // The kernel has the features that this test itself needs.
    for name in ["futex_waitv", "openat2", "memfd seals", "locks of descriptions", "clone"] {
      #expect(try report.fact(name).worth == "ok")
    }
    #expect(try report.fact("library").value.contains(Fixture.library))
    let isWhole = report.facts.allSatisfy { $0.worth == "ok" }
    #expect(outcome.ending == .exited(isWhole ? 0 : 1))
  }

  @Test func tableSaysTheSameForPeople() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run([Fixture.program, "doctor"])
    let (report, _) = try examine(fixture, root: ".")
    for fact in report.facts { #expect(outcome.output.contains(fact.fact), "\(fact.fact)") }
    #expect(
      try !FileManager.default.contentsOfDirectory(atPath: fixture.root.path).contains { _ in true }
    )
  }

  @Test func aRootThatIsNotThereCannotBeLookedAt() throws {
    let outcome = try Fixture().run([Fixture.program, "doctor", "--root", "/nowhere"])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("/nowhere: No such file"))
    let words = try Fixture().run([Fixture.program, "doctor", "--frob"])
    #expect(words.ending == .exited(64))
  }

  /// A lease is trusted if the list of file systems says so, and only then tried.
  @Test(.enabled(if: Machine.hasMountNamespaces, "needs a mount namespace"))
  func memoryFileSystemIsLocal() throws {
    let fixture = try Fixture()
    let (report, _) = try examine(
      fixture,
      prefix: [
        "unshare", "-m", "sh", "-c", #"mount -t tmpfs none "$0"; exec "$@""#, fixture.root.path,
      ])
    #expect(try report.fact("file system").value == "tmpfs")
    #expect(try report.fact("file system").follows.contains("a lease counts here"))
    #expect(try report.fact("lease").worth == "ok")
    #expect(try report.fact("WAL index").worth == "ok")
  }

  @Test(.enabled(if: FUSE.isThere, "needs Tools/fuse/build and /dev/fuse"))
  func leaseOnAFUSEMountCountsForNothing() throws {
    let fixture = try Fixture()
    let place = fixture.directory.appending(path: "mounted")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let mount = try fixture.start([FUSE.program, fixture.root.path, place.path])
    defer { _ = try? fixture.run(["umount", "-l", place.path]) }
    try #require(
      eventually {
        (try? fixture.run(["mountpoint", "-q", place.path]).ending) == .exited(0)
          || !mount.isRunning
      })
    let (report, outcome) = try examine(fixture, root: place.path)
    #expect(outcome.ending == .exited(1))
    #expect(try report.fact("file system").value == "fuse")
    #expect(try report.fact("file system").worth == "weaker")
    #expect(try report.fact("WAL index").follows.contains("journal_mode=WAL is refused"))
  }

  @Test(.enabled(if: Machine.hasMountNamespaces, "needs a mount namespace"))
  func missingPlacesAreNamed() throws {
    let fixture = try Fixture()
    let (noProc, outcome) = try examine(fixture, prefix: Machine.withoutProc)
    #expect(try noProc.fact("/proc").worth == "weaker")
    #expect(try noProc.fact("/proc").follows.contains("mount -t proc"))
    #expect(try noProc.fact("pid namespace").value == "cannot be told")
    #expect(outcome.ending == .exited(1))
    let (noDev, _) = try examine(
      fixture, prefix: ["unshare", "-m", "sh", "-c", #"mount -t tmpfs none /dev; exec "$@""#, "sh"])
    #expect(try noDev.fact("/dev/null").worth == "ok")
    #expect(try noDev.fact("/dev/shm").worth == "weaker")
  }

  @Test(.enabled(if: Machine.has("unshare", "-U", "true"), "needs a user namespace"))
  func namespacesAndUsersAreTold() throws {
    let fixture = try Fixture()
    try fixture.run(["chmod", "777", fixture.root.path]).expectSuccess()
    let (report, _) = try examine(fixture, prefix: ["unshare", "-U", "-r"])
    #expect(try report.fact("user namespace").value == "another than the initial one")
    #expect(try report.fact("user map").follows.contains("65534"))
    let (nobody, _) = try examine(fixture, prefix: ["unshare", "-U"])
    #expect(try nobody.fact("user map").follows.contains("no number here"))
  }

  @Test func limitsAreThoseOfTheProcess() throws {
    let fixture = try Fixture()
    let (report, outcome) = try examine(
      fixture, prefix: ["sh", "-c", #"ulimit -n 100; ulimit -f 2000; exec "$@""#, "sh"])
    #expect(try report.fact("open files").value == "100")
    #expect(try report.fact("open files").worth == "weaker")
    #expect(try report.fact("size of a file").follows.contains("RLIMIT_FSIZE"))
    #expect(outcome.ending == .exited(1))
  }

  @Test(.enabled(if: ControlGroup.isThere, "needs a memory control group that may be written"))
  func memoryLimitOfTheControlGroupIsTold() throws {
    let fixture = try Fixture()
    let group = try #require(ControlGroup(byteCount: 100 << 20))
    let (report, _) = try examine(
      fixture,
      prefix: ["sh", "-c", #"echo $$ >"$0/cgroup.procs"; exec "$@""#, group.path])
    let fact = try report.fact("control group: memory").value
    #expect(fact.hasPrefix("104,857,600 bytes ("), "\(fact)")
    #expect(fact.contains(group.path.split(separator: "/").last!), "\(fact)")
  }

  @Test(arguments: [
    ("SLUICE_LOG", "9", "weaker"), ("SLUICE_LOG", "2", "ok"),
    ("SLUICE_SOCKET", "/nowhere/socket", "missing"),
    ("SLUICE_SIDECAR", "/nowhere/sluice", "missing"),
    ("SLUICE_LIBRARY", "/nowhere/libsluice.so", "missing"),
    ("SLUICE_CONFINEMENT", "maybe", "missing"), ("SLUICE_DEFAULT", "maybe", "missing"),
    ("SLUICE_DEFAULT", "yes", "ok"), ("SLUICE_LOG_FILE", "stderr", "ok"),
  ])
  func variablesAreJudged(name: String, value: String, worth: String) throws {
    let fixture = try Fixture()
    let outcome = try fixture.run(
      [
        "env", "SLUICE_PRIVATE_MATTER=hunter2", "\(name)=\(value)", Fixture.program, "doctor",
        "--json",
      ],
      ["TOKEN": "hunter2"])
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    #expect(try report.fact(name).value == value)
    #expect(try report.fact(name).worth == worth)
    #expect(try report.fact("SLUICE_PRIVATE_MATTER").value == "set")
    #expect(!outcome.output.contains("hunter2"), "users paste this output")
  }

  @Test func aLibraryOfAnotherReleaseIsNamed() throws {
    let fixture = try Fixture()
    let copy = fixture.scratch.appending(path: "libsluice.so")
    var bytes = try Data(contentsOf: URL(filePath: Fixture.library))
    let mark = try #require(bytes.range(of: Data("sluice-version:".utf8)))
    bytes[mark.upperBound] = UInt8(ascii: "9")
    try bytes.write(to: copy)
    let (report, outcome) = try examine(fixture, ["SLUICE_LIBRARY": copy.path])
    #expect(try report.fact("library").worth == "missing")
    #expect(try report.fact("library").follows.contains("from one release"))
    #expect(outcome.ending == .exited(1))
  }
}

/// The passthrough file system of Tools/fuse, if it is built and can be mounted.
private enum FUSE {
  static let program = URL(filePath: Fixture.program).deletingLastPathComponent()
    .appending(path: "fuse-passthrough").path
  static let isThere =
    Machine.isRoot && FileManager.default.isExecutableFile(atPath: program)
    && FileManager.default.fileExists(atPath: "/dev/fuse")
}

/// A memory control group of version 1 or 2. It is removed with this object.
private final class ControlGroup {
  let path: String

  private static let roots = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"),
  ]

  static var isThere: Bool { ControlGroup(byteCount: 100 << 20) != nil }

  init?(byteCount: Int) {
    for (root, limit) in Self.roots {
      let path = "\(root)/sluice-doctor-\(UUID().uuidString.prefix(8))"
      guard unsafe mkdir(path, 0o755) == 0 else { continue }
      if (try? "\(byteCount)".write(toFile: "\(path)/\(limit)", atomically: false, encoding: .utf8))
        != nil
      {
        self.path = path
        return
      }
      unsafe rmdir(path)
    }
    return nil
  }

  deinit {
    // The kernel takes a moment to notice that the group's last process has ended.
    _ = eventually(within: 5) { unsafe rmdir(self.path) == 0 }
  }
}
