// sluice run --sandbox --writable: programs that need a place to write run, and nothing changes
// outside of it.

import Foundation
import Glibc
import Testing

@Suite(.enabled(if: hasLandlock))
struct SandboxWritableTests {
  @Test(arguments: SandboxUser.all)
  func everythingBeneathTheDirectoryMayBeChanged(user: SandboxUser) throws {
    let place = try SandboxPlace(user: user)
    let before = try place.picture()
    try place.runPython(
      """
      a = make("a")
      f = open(a, "r+")
      print(result(os.chmod, a, 0o600), result(os.fchmod, f.fileno(), 0o640), mode(a))
      print(result(os.utime, a, (1, 2)), os.stat(a).st_mtime, result(os.utime, f.fileno(), (3, 4)),
            os.stat(a).st_mtime, result(os.utime, a), time.time() - os.stat(a).st_mtime < 10)
      own = os.getuid(), os.getgid()
      print(result(os.chown, a, *own), result(os.fchown, f.fileno(), *own), result(os.lchown, a, *own))
      os.chdir(W)
      d = os.open(W, os.O_RDONLY)
      print(result(os.chmod, "a", 0o644), result(lambda: os.chmod("a", 0o601, dir_fd=d)), mode(a),
            result(os.chmod, f"/proc/self/fd/{f.fileno()}", 0o604), mode(a))
      os.symlink(a, "link")
      print(result(os.chmod, "link", 0o600), mode(a),
            result(lambda: os.utime("link", (5, 5), follow_symlinks=False)), os.lstat("link").st_mtime)
      # A file that has no name, or no name any more.
      t = os.open(W, os.O_TMPFILE | os.O_RDWR, 0o600)
      g, name = tempfile.mkstemp(dir=W)
      os.unlink(name)
      print(result(os.fchmod, t, 0o640), result(os.fchmod, g, 0o640), result(os.utime, g, (1, 1)))
      print(result(os.makedirs, "d/e"), result(os.rename, "a", "d/b"), result(os.link, "d/b", "a"),
            result(os.mkfifo, "fifo"), result(os.truncate, "a", 0), result(os.unlink, "a"))
      print(result(os.fchmod, 99, 0o600), result(os.chmod, "none", 0o600), result(os.chmod, "", 0o600))
      """
    ).expectLines([
      "OK OK 0o640", "OK 2.0 OK 4.0 OK True", "OK OK OK", "OK OK 0o601 OK 0o604", "OK 0o600 OK 5.0",
      "OK OK OK", "OK OK OK OK OK OK", "EBADF ENOENT ENOENT",
    ])
    #expect(try place.picture() == before)
  }

  @Test(arguments: SandboxUser.all)
  func sharedMemoryIsTheSandboxesOwn(user: SandboxUser) throws {
    let place = try SandboxPlace(user: user)
    let script = place.writable.appending(path: "work.py")
    try """
    import multiprocessing, os, sqlite3
    from multiprocessing import shared_memory
    def square(x): return x * x
    def count(n, lock):
        with lock: n.value += 1
    if __name__ == "__main__":
        with multiprocessing.Pool(2) as pool: print(sum(pool.map(square, range(10))))
        memory = shared_memory.SharedMemory(create=True, size=100)
        memory.buf[0] = 7
        other = shared_memory.SharedMemory(memory.name)
        print(other.buf[0], memory.name in os.listdir("/dev/shm"))
        other.close(); memory.close(); memory.unlink()
        n, lock = multiprocessing.Value("i", 0), multiprocessing.Lock()
        workers = [multiprocessing.Process(target=count, args=(n, lock)) for _ in range(3)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        open("/dev/shm/sluice-test-left", "w").close()
        os.chmod("/dev/shm/sluice-test-left", 0o600)
        c = sqlite3.connect("/app.db")
        c.execute("CREATE TABLE t(x)")
        print(n.value, c.execute("SELECT count(*) FROM t").fetchone()[0])
    """.write(to: script, atomically: false, encoding: .utf8)
    // Without a writable directory, too.
    try place.run([Fixture.pythonProgram, script.path], options: []).expectLines([
      "285", "7 True", "3 0",
    ])
    #expect(!FileManager.default.fileExists(atPath: "/dev/shm/sluice-test-left"))
  }

  @Test(arguments: SandboxUser.all)
  func withoutAWritableDirectoryNothingIs(user: SandboxUser) throws {
    let place = try SandboxPlace(user: user)
    let before = try place.picture()
    try place.runPython(
      """
      f = open(F)
      print(result(os.chmod, F, 0o777), result(os.fchmod, f.fileno(), 0o777), result(os.utime, F, (1, 1)),
            result(os.utime, f.fileno(), (1, 1)), result(os.chown, F, os.getuid(), os.getgid()),
            result(open, W + "/x", "w"), result(os.chmod, W, 0o700), result(os.setxattr, F, "user.x", b"x"))
      """, options: []
    ).expectLines(["EPERM EPERM EPERM EPERM EPERM EACCES EPERM EPERM"])
    #expect(try place.picture() == before)
  }

  @Test(.enabled(if: Machine.has("gunicorn", "--version") && Machine.hasFlask))
  func gunicornServesFlaskWithTwoWorkers() throws {
    let place = try SandboxPlace()
    try """
    import os, sqlite3, flask
    app = flask.Flask(__name__)
    @app.route("/")
    def insert():
        c = sqlite3.connect("/web.db", timeout=20)
        c.execute("CREATE TABLE IF NOT EXISTS t(x)")
        with c: c.execute("INSERT INTO t VALUES (1)")
        return f"{c.execute('SELECT count(*) FROM t').fetchone()[0]} {os.getpid()}"
    """.write(
      to: place.writable.appending(path: "app.py"), atomically: false, encoding: .utf8)
    let web = place.writable.appending(path: "web").path
    let server = try place.start([
      "gunicorn", "-w", "2", "-b", "unix:" + web, "--worker-tmp-dir", "/dev/shm", "--chdir",
      place.writable.path, "app:app",
    ])
    let requests = try place.fixture.runPython(
      """
      import http.client, socket
      def ask(_=None):
          c = http.client.HTTPConnection("sluice")
          c.sock = socket.socket(socket.AF_UNIX)
          c.sock.settimeout(20)
          c.sock.connect(sys.argv[1])
          c.request("GET", "/")
          return c.getresponse().read().decode().split()
      eventually(lambda: os.path.exists(sys.argv[1]))
      from concurrent.futures import ThreadPoolExecutor
      with ThreadPoolExecutor(8) as pool: answers = list(pool.map(ask, range(40)))
      say(max(int(words[0]) for words in answers), len({words[1] for words in answers}))
      """, arguments: [web])
    requests.expectLines(["40 2"])
    // To the process that the operator knows. gunicorn ends with exit code 0.
    server.send(SIGTERM)
    let outcome = try server.wait()
    #expect(outcome.ending == .exited(0), "\(outcome.errors)")
    #expect(outcome.errors.contains("Handling signal: term"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("the sandbox refused"), "\(outcome.errors)")
    #expect(
      try place.fixture.nativeAnswer(place.fixture.inRoot("web.db"), "SELECT count(*) FROM t")
        == "40")
  }

  @Test func programsThatOutliveTheCommandStaySupervised() throws {
    let place = try SandboxPlace()
    let outcome = try place.runPython(
      """
      make("a")
      if os.fork() == 0:
          os.setsid()
          for fd in 0, 1, 2: os.close(fd)
          time.sleep(0.5)
          words = [result(os.chmod, W + "/a", 0o640), result(open, F, "w"), result(os.chmod, F, 0o777)]
          with open(W + "/done.new", "w") as f: f.write(" ".join(words))
          os.rename(W + "/done.new", W + "/done")
          os._exit(0)
      """)
    outcome.expectSuccess()
    let done = place.writable.appending(path: "done")
    #expect(eventually { place.fixture.exists(done) })
    #expect(try String(contentsOf: done, encoding: .utf8) == "OK EACCES EPERM")
  }

  // MARK: Words

  @Test func writableDirectoryMustBeThere() throws {
    let place = try SandboxPlace()
    for name in ["none", "outside/file"] {
      let path = place.fixture.directory.appending(path: name).path
      let outcome = try place.run(["echo", "started"], options: ["--writable", path])
      #expect(outcome.ending == .exited(2))
      #expect(outcome.output == "")
      #expect(
        outcome.errors.hasPrefix("sluice: run: --writable \(path): No"), "\(outcome.errors)")
    }
  }

  @Test func writableNeedsTheSandbox() throws {
    let place = try SandboxPlace()
    let outcome = try place.fixture.run([
      Fixture.program, "run", "--root", place.fixture.root.path, "--writable", "/tmp", "true",
    ])
    #expect(outcome.ending == .exited(64))
    #expect(outcome.errors.contains("--writable needs --sandbox"), "\(outcome.errors)")
  }

  @Test(arguments: SandboxUser.all)
  func reportNamesWhatWasRefusedOnce(user: SandboxUser) throws {
    let place = try SandboxPlace(user: user)
    let outside = place.fixture.outside.path
    let script = """
      for i in range(3):
          result(open, O + "/new", "w"); result(os.chmod, F, 0o777)
      result(open, F, "r"); result(open, O + "/none", "r+"); result(os.unlink, O + "/none")
      result(open, "/dev/null", "w"); make("a")
      result(os.link, F, W + "/b")
      """
    let outcome = try place.runPython(script)
    outcome.expectSuccess()
    let lines = outcome.errors.split(separator: "\n").map {
      $0.replacing(/\(process \d+\)/, with: "(process N)")
    }
    #expect(
      lines
        == [
          "open for writing \(outside)/new", "change the mode of \(outside)/file",
          "link \(outside)/file",
        ].map {
          "sluice: run: the sandbox refused python3 (process N): \($0); allow it with --writable \(outside)"
        })
    let quiet = try place.runPython(
      script, options: ["--quiet", "--writable", place.writable.path])
    quiet.expectSuccess()
    #expect(quiet.errors == "")
  }

  @Test func reportIsShortAndPrintable() throws {
    let place = try SandboxPlace()
    let outcome = try place.runPython(
      #"""
      for i in range(12):
          os.mkdir(f"{W}/{i}")
      for i in range(12):
          result(open, O + "/\x1b[2J\n", "w")
          libc.prctl(15, f"program {i}".encode(), 0, 0, 0)
      result(os.mkdir, O + "/__pycache__")
      """#)
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 12, "\(outcome.errors)")
    #expect(!outcome.errors.contains("\u{1b}"))
    #expect(lines.first?.contains("/?[2J?; allow it") == true, "\(outcome.errors)")
    #expect(lines.dropFirst(10).first?.contains("refused 2 more changes") == true)
    #expect(lines.last?.contains("Python's __pycache__ in 1 directories") == true)
  }
}
