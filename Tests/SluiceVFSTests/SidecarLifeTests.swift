// How a shared sidecar starts and ends, and what it leaves behind: nothing.

import Foundation
import Testing

struct SidecarLifeTests {
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func signalEndsItWithoutATrace(signal: Int32) throws {
    let fixture = try Fixture(sidecar: true)
    let sidecar = try #require(fixture.sidecar)
    let metrics = URL(filePath: "/dev/shm/sluice-\(sidecar.id)")
    #expect(fixture.exists(metrics))
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN IMMEDIATE")
      ready()
      print(result(c.execute, "COMMIT")[:12])
      """)
    try client.awaitLine("ready")
    sidecar.send(signal)
    #expect(try sidecar.wait().ending == .exited(0))
    #expect(!fixture.exists(fixture.socket))
    #expect(!fixture.exists(metrics))
    client.say("go on")
    try client.wait().expectLines(["ready", "SQLITE_IOERR"])
    _ = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT 1")
  }

  @Test func secondOneOnALiveSocketIsRefused() throws {
    let fixture = try Fixture(sidecar: true)
    let second = try fixture.run(serve(fixture))
    #expect(second.ending == .exited(2))
    #expect(second.errors.contains("another sidecar is serving it"))
    #expect(second.errors.contains(fixture.socket.path))
    try fixture.runPython("print(result(proxied('app.db').execute, 'CREATE TABLE t(x)'))")
      .expectLines(["OK"])
  }

  @Test func socketOfADeadOneIsReplaced() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.killSidecar()
    #expect(fixture.exists(fixture.socket))
    try fixture.startSidecar()
    try fixture.runPython("print(result(proxied('app.db').execute, 'CREATE TABLE t(x)'))")
      .expectLines(["OK"])
  }

  /// Tests run on a local file system.
  @Test func whatItsRootIsOnIsSaidAtTheStart() throws {
    let fixture = try Fixture(sidecar: true)
    let lines = try #require(fixture.sidecar).output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.last?.hasPrefix("sluice: \(fixture.root.path) is on ") == true)
    #expect(lines.last?.hasSuffix(": leases, the read window and WAL mode are used") == true)
  }

  /// The user has removed the socket's file and started another sidecar there. The new socket may
  /// have the inode number of the first.
  @Test func socketOfAnotherSidecarIsLeftAlone() throws {
    let fixture = try Fixture(sidecar: true)
    let first = try #require(fixture.sidecar)
    try FileManager.default.removeItem(at: fixture.socket)
    let second = try fixture.start(serve(fixture))
    #expect(eventually { second.output.contains("serving") })
    first.send(SIGTERM)
    #expect(try first.wait().ending == .exited(0))
    #expect(fixture.exists(fixture.socket))
    try fixture.runPython("print(result(proxied('app.db').execute, 'CREATE TABLE t(x)'))")
      .expectLines(["OK"])
    second.send(SIGTERM)
    #expect(try second.wait().ending == .exited(0))
    #expect(!fixture.exists(fixture.socket))
  }

  /// Another process has the number of a dead sidecar by now.
  @Test func countersOfADeadSidecarAreNotTakenForThoseOfALivingProcess() throws {
    let fixture = try Fixture(sidecar: true)
    let sidecar = try #require(fixture.sidecar)
    func shown(_ process: pid_t) throws -> Ending {
      try fixture.run([Fixture.program, "stats", "--pid", "\(process)"]).ending
    }
    #expect(try shown(sidecar.id) == .exited(0))
    let object = URL(filePath: "/dev/shm/sluice-\(sidecar.id)")
    try fixture.killSidecar()
    #expect(try shown(sidecar.id) == .exited(1))
    let other = try fixture.start(["sleep", "60"])
    let taken = URL(filePath: "/dev/shm/sluice-\(other.id)")
    defer { try? FileManager.default.removeItem(at: taken) }
    var bytes = try Data(contentsOf: object)
    unsafe withUnsafeBytes(of: other.id) { unsafe bytes.replaceSubrange(12..<16, with: $0) }
    try bytes.write(to: taken)
    #expect(try shown(other.id) == .exited(1))
    // The number may belong to a sidecar in another pid namespace.
    try fixture.startSidecar()
    #expect(fixture.exists(taken))
  }

  @Test func ofSeveralThatStartAtOnceOneServes() throws {
    let fixture = try Fixture()
    let started = try (0..<5).map { _ in try fixture.start(serve(fixture)) }
    let isDecided = eventually {
      started.filter { !$0.isRunning }.count == 4
        && started.contains { $0.output.contains("serving") }
    }
    #expect(isDecided)
    #expect(started.filter { $0.ending == .exited(2) }.count == 4)
  }

  @Test func fileThatIsNoSocketIsLeftAlone() throws {
    let fixture = try Fixture()
    try "precious".write(to: fixture.socket, atomically: true, encoding: .utf8)
    let outcome = try fixture.run(serve(fixture))
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("is taken by something that is no socket"))
    #expect(try String(contentsOf: fixture.socket, encoding: .utf8) == "precious")
  }

  @Test func missingRootIsAClearError() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run([
      Fixture.program, "serve", "--root", fixture.inRoot("none").path, "--socket",
      fixture.socket.path,
    ])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("none: No such file or directory"))
    #expect(!fixture.exists(fixture.socket))
  }

  @Test func socketIsForItsOwnerAlone() throws {
    let fixture = try Fixture(sidecar: true)
    let attributes = try FileManager.default.attributesOfItem(atPath: fixture.socket.path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  private func serve(_ fixture: Fixture) -> [String] {
    [Fixture.program, "serve", "--root", fixture.root.path, "--socket", fixture.socket.path]
  }
}
