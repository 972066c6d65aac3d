// Functions for Python scripts in their own mount namespace: file systems that end with the script,
// and sidecars that see them.

/// Follows the prelude. The script must be started with `inOwnMounts`.
let mountPrelude = """
  import atexit, ctypes
  PROGRAM, PASSTHROUGH = os.environ["SLUICE_PROGRAM"], os.environ["PASSTHROUGH"]

  def with_me():
      "In a child: end with this script."
      ctypes.CDLL(None).prctl(1, signal.SIGKILL)

  def serve(root, socket, *options):
      "A shared sidecar that ends with this script; what it has said stands in `said`."
      p = subprocess.Popen([PROGRAM, "serve", "--root", root, "--socket", socket, *options],
                           stdout=subprocess.PIPE, text=True, preexec_fn=with_me)
      p.said = [p.stdout.readline().strip()]
      assert "serving" in p.said[0]
      p.said.append(p.stdout.readline().strip())
      atexit.register(lambda: (p.kill(), p.wait()))
      return p

  def end(p, how=signal.SIGKILL):
      p.send_signal(how)
      p.wait()

  def mount(*words): subprocess.run(["mount", *words], check=True)
  def unmount(place): subprocess.run(["umount", place], check=True)

  def directory(name):
      path = os.path.join(ROOT, name)
      os.makedirs(path, exist_ok=True)
      return path

  def hosts():
      "Two mounts of one directory, whose kernels and daemons know nothing of each other."
      source = directory("source")
      for place in directory("A"), directory("B"):
          p = subprocess.Popen([PASSTHROUGH, "-o", "nocache", source, place],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               preexec_fn=with_me)
          assert p.stdout.readline() == "ready" + chr(10)
          atexit.register(lambda p=p: (p.terminate(), p.wait()))
      return ROOT + "/A", ROOT + "/B"

  def stock(path, timeout=0):
      return sqlite3.connect(path, isolation_level=None, timeout=timeout, check_same_thread=False)

  def shared(name, socket): return proxied(name, "socket=" + socket)

  def log(uri, sql):
      "What the shell says to SQL on a proxied database, its log beside it."
      done = subprocess.run(["sqlite3", "-batch", "-cmd", ".load " + os.environ["SLUICE_LIB"],
          "-cmd", ".log stderr", "-cmd", f".open '{uri}'", ":memory:", sql],
          capture_output=True, text=True, env={**os.environ, "SLUICE_LOG": "1"})
      return done.stdout.split(), done.stderr
  """

extension Fixture {
  static let passthrough = build.appending(path: "bin/fuse-passthrough").path

  /// Runs a Python script as root in its own mount namespace, after both preludes.
  func runInOwnMounts(
    _ script: String, arguments: [String] = [], within seconds: Double = 90
  ) throws -> Outcome {
    try runPython(
      mountPrelude + "\n" + script,
      ["SLUICE_PROGRAM": Fixture.program, "PASSTHROUGH": Fixture.passthrough],
      arguments: arguments, prefix: ["unshare", "-m"], within: seconds)
  }
}
