// Clients and sidecars in different namespaces. The number of a process or user in one namespace
// means nothing in the other.

import Foundation
import Testing

struct NamespaceTests {
  private static let ownPids = ["unshare", "-p", "-f", "--mount-proc", "--kill-child"]
  private static let hasPidNamespaces = Machine.has(
    "unshare", "-p", "-f", "--mount-proc", "--kill-child", "true")
  private static let hasUserNamespaces = Machine.has("unshare", "-U", "true")

  /// A child that the dead client forked still has its socket.
  @Test(
    .enabled(if: hasPidNamespaces, "needs a pid namespace"), arguments: [true, false],
    [true, false])
  func deadClientsLocksAreFreeAcrossPidNamespaces(sidecarApart: Bool, clientApart: Bool) throws {
    let fixture = try Fixture()
    try fixture.startSidecar(prefix: sidecarApart ? Self.ownPids : [])
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let holder = try fixture.startPython(
      """
      holder = os.fork()
      if holder == 0:
          c = proxied("app.db")
          c.execute("BEGIN IMMEDIATE")
          c.execute("INSERT INTO t VALUES (0)")
          if os.fork() == 0:
              print("holds", flush=True)
              time.sleep(300)
          time.sleep(300)
      if ready("forked") == "kill": os.kill(holder, signal.SIGKILL); os.waitpid(holder, 0)
      ready("killed")
      """, prefix: clientApart ? Self.ownPids : [])
    try holder.awaitLine("holds")
    let judge = """
      c = proxied("app.db")
      print(sys.argv[1], eventually(lambda: result(c.execute, "BEGIN IMMEDIATE") == "OK", float(sys.argv[2])))
      if c.in_transaction: print(one(c, "SELECT count(*) FROM t"))
      """
    try fixture.runPython(judge, arguments: ["held:", "0.3"]).expectLines(["held: False"])
    holder.say("kill")
    try holder.awaitLine("killed")
    try fixture.runPython(judge, arguments: ["free:", "20"]).expectLines(["free: True", "10"])
    #expect(holder.isRunning, "its child still has the socket")
    #expect(fixture.sidecar?.errors == "")
  }

  @Test(.enabled(if: hasPidNamespaces, "needs a pid namespace"))
  func privateSidecarEndsWithItsClientInAnotherPidNamespace() throws {
    let fixture = try Fixture()
    let client = try fixture.startPython(
      """
      holder = os.fork()
      if holder == 0:
          c = proxied("app.db")
          c.execute("CREATE TABLE t(x)")
          c.execute("BEGIN EXCLUSIVE")
          if os.fork() == 0: time.sleep(300)
          print("holds", flush=True)
          time.sleep(300)
      ready("forked")
      os.kill(holder, signal.SIGKILL)
      ready("killed")
      """, prefix: Self.ownPids)
    try client.awaitLine("holds")
    client.say("kill")
    try client.awaitLine("killed")
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "0")
  }

  /// One process connects and dies. Its child has the socket and sends the hello.
  @Test(arguments: [true, false])
  func whoConnectedAndDiedHasNoSession(saysHello: Bool) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      import socket, struct
      told, tell = os.pipe()
      if os.fork() == 0:
          s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
          s.connect(SOCKET)
          parent = os.getpid()
          if os.fork() == 0:
              eventually(lambda: os.getppid() != parent)
              if sys.argv[1] == "true":
                  s.send(b"SLUICE01" + struct.pack("=IHH", 1, 1, 0) + bytes(16))
              s.settimeout(20)
              try:
                  while s.recv(4096): pass
                  os.write(tell, b"end of file")
              except OSError as error: os.write(tell, repr(error).encode())
          os._exit(0)
      os.wait()
      print(os.read(told, 100).decode())
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print(one(c, "SELECT count(*) FROM t"))
      """, arguments: ["\(saysHello)"])
    outcome.expectLines(["end of file", "0"])
    #expect(fixture.sidecar?.isRunning == true)
  }

  /// Before Linux 6.5 the sidecar has only the number in the hello. A filter simulates such a
  /// kernel.
  @Test(
    .enabled(if: hasPidNamespaces, "needs a pid namespace"), arguments: [true, false])
  func withoutTheKernelsWordTheNumberServesAndItsLackIsToldOnce(isApart: Bool) throws {
    let fixture = try Fixture()
    let older = """
      import ctypes, os, struct, sys
      code = struct.pack("=HBBI", 0x20, 0, 0, 0)
      code += struct.pack("=HBBI", 0x15, 0, 3, 55 if os.uname().machine == "x86_64" else 209)
      code += struct.pack("=HBBI", 0x20, 0, 0, 16 + 8 * 2)
      code += struct.pack("=HBBI", 0x15, 0, 1, 77) + struct.pack("=HBBI", 0x06, 0, 0, 0x50000 | 92)
      code += struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000)
      room = ctypes.create_string_buffer(code, len(code))
      program = struct.pack("@HP", len(code) // 8, ctypes.addressof(room))
      libc = ctypes.CDLL(None)
      assert libc.prctl(38, 1, 0, 0, 0) == 0
      assert libc.prctl(22, 2, ctypes.create_string_buffer(program, len(program))) == 0
      os.execv(sys.argv[1], sys.argv[1:])
      """
    let sidecar = try fixture.startSidecar(
      prefix: (isApart ? Self.ownPids : []) + [Fixture.pythonProgram, "-c", older])
    let outcome = try fixture.runPython(
      """
      told, tell = os.pipe()
      holder = os.fork()
      if holder == 0:
          c = proxied("app.db")
          c.execute("CREATE TABLE t(x)")
          c.execute("BEGIN IMMEDIATE")
          if os.fork() == 0: time.sleep(300)
          os.write(tell, b"holds")
          time.sleep(300)
      os.read(told, 5)
      os.kill(holder, signal.SIGKILL)
      os.waitpid(holder, 0)
      c = proxied("app.db")
      print(eventually(lambda: result(c.execute, "BEGIN IMMEDIATE") == "OK", float(sys.argv[1])))
      """, arguments: [isApart ? "0.5" : "20"])
    outcome.expectLines([isApart ? "False" : "True"])
    let lines = sidecar.errors.split(separator: "\n").filter { $0.contains("SO_PEERPIDFD") }
    #expect(lines.count == (isApart ? 1 : 0), "\(sidecar.errors)")
  }

  /// The sidecars share /dev/shm, and each is process 1.
  @Test(.enabled(if: hasPidNamespaces, "needs a pid namespace"))
  func sidecarsOfOtherPidNamespacesAreShownByStats() throws {
    let fixture = try Fixture()
    let sidecars = try ["one", "two"].map { name in
      try fixture.start(
        Self.ownPids + [
          Fixture.program, "serve", "--root", fixture.root.path, "--socket",
          fixture.directory.appending(path: name).path,
        ])
    }
    for sidecar in sidecars { #expect(eventually { sidecar.output.contains("serving") }) }
    try fixture.startSidecar()
    for name in ["one", "two", "socket"] {
      let path = fixture.directory.appending(path: name).path
      let outcome = try fixture.run([Fixture.program, "stats", "--socket", path])
      #expect(outcome.ending == .exited(0), "\(name): \(outcome.errors)")
      #expect(outcome.output.contains(path))
    }
    // A dead sidecar is not shown.
    try sidecars[0].killNow()
    let path = fixture.directory.appending(path: "one").path
    #expect(
      eventually {
        (try? fixture.run([Fixture.program, "stats", "--socket", path]).ending) == .exited(1)
      })
  }

  /// In `unshare -U` a user has no number, and the kernel lets no process name one.
  @Test(
    .enabled(if: hasUserNamespaces, "needs a user namespace"),
    arguments: ["shared", "private"], [["-U"], ["-U", "-r"]])
  func clientConnectsFromAUserNamespace(kind: String, options: [String]) throws {
    let fixture = try Fixture(sidecar: kind == "shared")
    try fixture.run(["chmod", "-R", "777", fixture.root.path]).expectSuccess()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (7)")
      print(one(c, "SELECT x FROM t"))
      """, prefix: ["unshare"] + options)
    outcome.expectLines(["7"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT x FROM t") == "7")
  }

  @Test(.enabled(if: Machine.hasOtherUsers && hasUserNamespaces, "needs root and a user namespace"))
  func userWithoutANumberIsStillTheUserWhoIsServedOrNot() throws {
    let fixture = try Fixture()
    let script =
      "print(result(lambda: proxied('app.db').execute('CREATE TABLE IF NOT EXISTS t(x)')))"
    let prefix = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "unshare", "-U"]
    try fixture.startSidecar(["--allow-user", "4242"])
    try fixture.runPython(script, prefix: prefix).expectLines(["OK"])
    try fixture.startSidecar(["--allow-user", "4243"])
    try fixture.runPython(script, prefix: prefix).expectLines(["SQLITE_PERM"])
  }
}
