// A listener on the socket that is no sidecar for this client; and a peer of the sidecar that is no
// client.

import Foundation
import Testing

struct BadServerTests {
  /// A server whose behaviour is `body`. It can use `connection` and the parts of a message.
  private func startServer(_ fixture: Fixture, _ body: String) throws -> ChildProcess {
    let lines = body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    let server = try fixture.startPython(
      """
      import socket, struct
      MAGIC = int.from_bytes(sys.argv[1].encode(), "little") if len(sys.argv) > 1 else 0
      listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
      listener.bind(SOCKET)
      listener.listen()
      say("serving")
      while True:
          connection = listener.accept()[0]
          hello = connection.recv(4096)
          magic, version = struct.unpack_from("<QI", hello)
      \(lines)
      """)
    try server.awaitLine("serving")
    return server
  }

  private func connect(_ fixture: Fixture) throws -> Outcome {
    try fixture.runSQLite(
      "file:app.db?vfs=sluice", "SELECT 1", ["SLUICE_SOCKET": fixture.socket.path])
  }

  @Test func nobodyListens() throws {
    let fixture = try Fixture()
    let outcome = try connect(fixture)
    #expect(outcome.errors.contains("(14) sluice: full pathname app.db: "))
    #expect(outcome.errors.contains("no sidecar can be reached on the socket: No such file"))
  }

  @Test func socketOfTheURIIsTheOneThatCounts() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runSQLite(
      "file:app.db?vfs=sluice&socket=\(fixture.directory.path)/none", "SELECT 1")
    #expect(outcome.errors.contains("no sidecar can be reached on the socket"))
    try fixture.runSQLite(
      "file:app.db?vfs=sluice&socket=\(fixture.socket.path)", "SELECT 1",
      ["SLUICE_SOCKET": "/none"]
    ).expectLines(["1"])
  }

  @Test func garbageIsNoSidecar() throws {
    let fixture = try Fixture()
    let answers = ["b'x'", "b'HTTP/1.1 400 Bad Request' * 10", "bytes(16)", "bytes(300)", "hello"]
    for answer in answers {
      let server = try startServer(fixture, "connection.send(\(answer))")
      let outcome = try connect(fixture)
      #expect(
        outcome.errors.contains("no sluice sidecar of this protocol version")
          || outcome.errors.contains("the session cannot be set up"), "\(answer): \(outcome.errors)"
      )
      #expect(outcome.errors.contains("(14) sluice: "))
      try server.killNow()
      _ = unsafe unlink(fixture.socket.path)
    }
  }

  @Test func welcomeWithoutRegionsOrWithWrongOnesIsNoWelcome() throws {
    let fixture = try Fixture()
    let welcomes = [
      "connection.send(welcome)",
      "socket.send_fds(connection, [welcome], [0])",
      "socket.send_fds(connection, [welcome], [0, 1])",
      "socket.send_fds(connection, [welcome], [os.memfd_create('a'), os.memfd_create('b')])",
    ]
    for welcome in welcomes {
      let server = try startServer(
        fixture, "welcome = struct.pack('<QIHHQII', magic, version, 2, 0, 1, 0, 0)\n\(welcome)")
      let outcome = try connect(fixture)
      #expect(
        outcome.errors.contains("no sluice sidecar of this protocol version"),
        "\(welcome): \(outcome.errors)")
      try server.killNow()
      _ = unsafe unlink(fixture.socket.path)
    }
  }

  @Test func otherProtocolVersionIsNamed() throws {
    let fixture = try Fixture()
    let refusal = try startServer(
      fixture,
      """
      connection.send(struct.pack("<QIHH240s", magic, version + 1, 3, 40, b"too old"))
      """)
    let refused = try connect(fixture)
    #expect(refused.errors.contains("(15) sluice: full pathname app.db: "))
    #expect(refused.errors.contains("the sidecar speaks another protocol version"))
    try refusal.killNow()
    _ = unsafe unlink(fixture.socket.path)

    let welcome = try startServer(
      fixture, "connection.send(struct.pack('<QIHHQII', magic, version + 1, 2, 0, 1, 0, 0))")
    let mismatched = try connect(fixture)
    #expect(mismatched.errors.contains("(15) sluice: "))
    #expect(mismatched.errors.contains("the sidecar speaks another protocol version"))
    try welcome.killNow()
  }

  @Test func serverThatHangsUpIsNamed() throws {
    let fixture = try Fixture()
    let server = try startServer(fixture, "connection.close()")
    let outcome = try connect(fixture)
    #expect(outcome.errors.contains("the sidecar ended before it answered"))
    #expect(server.isRunning)
  }

  @Test(.enabled(if: Machine.runsLongTests, "takes ten seconds; set SLUICE_LONG_TESTS=1"))
  func serverThatNeverAnswersIsGivenUp() throws {
    let fixture = try Fixture()
    let server = try startServer(fixture, "globals().setdefault('kept', []).append(connection)")
    let outcome = try connect(fixture)
    #expect(outcome.errors.contains("the sidecar does not answer"))
    #expect(server.isRunning)
  }

  /// The sidecar's side: a stranger gets the reason for its refusal, and disturbs no client.
  @Test func clientsThatAreNoneAreRefused() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      import socket, struct
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      # The magic number, taken from a refusal.
      def ask(message):
          s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
          s.settimeout(20)
          s.connect(SOCKET)
          s.send(message)
          answer = s.recv(4096)
          magic, version, kind, status = struct.unpack_from("<QIHH", answer)
          return magic, version, (kind, status, answer[16:].split(bytes(1))[0].decode())
      magic, version, said = ask(b"GET / HTTP/1.1")
      print(said)
      for message in [bytes(16), bytes(4000), struct.pack("<QIHHQQ", magic, version, 9, 0, 0, 0),
                      struct.pack("<QIHHQ", magic, version, 1, 0, 0)]:
          print(ask(message)[2][:2])
      said = ask(struct.pack("<QIHHQQ", magic, version + 7, 1, 0, 0, 0))[2]
      print(said[:2], f"version {version + 7}" in said[2], f"version {version};" in said[2])
      silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]
      for s in silent: s.connect(SOCKET)
      print(result(c.execute, "INSERT INTO t VALUES (1)"), result(proxied("app.db").execute, "SELECT * FROM t"))
      """)
    outcome.expectLines([
      "(3, 42, 'this is no sluice hello')", "(3, 42)", "(3, 42)", "(3, 42)", "(3, 42)",
      "(3, 40) True True", "OK OK",
    ])
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"))
  func refusedUserIsToldSo() throws {
    let fixture = try Fixture()
    for place in [fixture.directory, fixture.root] { _ = unsafe chmod(place.path, 0o777) }
    let nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    try #require(
      try fixture.run(nobody + [Fixture.program, "--version"]).ending == .exited(0),
      "nobody cannot run \(Fixture.program)")
    try fixture.startSidecar(prefix: nobody)
    let refused = try connect(fixture)
    #expect(refused.errors.contains("(3) sluice: full pathname app.db: "))
    #expect(refused.errors.contains("the sidecar does not serve this user: Permission denied"))
    #expect(fixture.sidecar?.errors.contains("user 0 is not allowed") == true)

    try fixture.startSidecar(["--allow-user", "0"], prefix: nobody)
    try connect(fixture).expectLines(["1"])
    // The sidecar serves only the users that it was given. Only by default its own user is among
    // them.
    #expect(try fixture.run(nobody + ["test", "-w", fixture.socket.path]).ending == .exited(0))
  }
}
