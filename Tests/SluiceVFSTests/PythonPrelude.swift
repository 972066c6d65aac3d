// The functions that every Python script of these tests may use.

let pythonPrelude = """
  import json, os, signal, sqlite3, subprocess, sys, threading, time
  from sqlite3 import Error

  ROOT, OUTSIDE, SOCKET = os.environ["ROOT"], os.environ["OUTSIDE"], os.environ["SOCKET"]
  LOADER = sqlite3.connect(":memory:")
  LOADER.enable_load_extension(True)
  LOADER.load_extension(os.environ["SLUICE_LIB"])

  def proxied(name, parameters=""):
      "A connection through the sidecar; no statement begins a transaction by itself."
      uri = f"file:{name}?vfs=sluice" + ("&" + parameters if parameters else "")
      return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0,
                             check_same_thread=False)

  def native(name):
      "A connection of stock SQLite to a file below the root."
      return sqlite3.connect(os.path.join(ROOT, name), isolation_level=None, timeout=0,
                             check_same_thread=False)

  class Peer:
      "A connection in a process of its own: called with SQL it gives rows or an error's name."
      def __init__(self, kind, name, parameters="", **settings):
          self.process = subprocess.Popen(
              [sys.executable, "-c", "from prelude import *; answer_peer()", kind, name, parameters],
              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
              env={**os.environ, **settings})
          self.opened = self.hear()
      def hear(self): return json.loads(self.process.stdout.readline())
      def tell(self, sql):
          self.process.stdin.write(json.dumps(sql) + chr(10))
          self.process.stdin.flush()
      def __call__(self, sql):
          self.tell(sql)
          return self.hear()
      def close(self):
          self.process.stdin.close()
          return self.process.wait()
      def kill(self):
          self.process.kill()
          self.process.wait()

  def answer_peer():
      kind, name, parameters = sys.argv[1:4]
      try:
          if kind == "native":
              uri = "file:" + os.path.join(ROOT, name) + ("?" + parameters if parameters else "")
              c = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
          else: c = proxied(name, parameters)
          print('"OK"', flush=True)
      except Error as error:
          print(json.dumps(error.sqlite_errorname), flush=True)
          return
      for line in sys.stdin:
          try: said = c.execute(json.loads(line)).fetchall()
          except Error as error: said = getattr(error, "sqlite_errorname", None) or repr(error)
          print(json.dumps(said), flush=True)
      c.close()

  def leases(name):
      "How many leases the system has on a file below the root."
      inode = ":" + str(os.stat(os.path.join(ROOT, name)).st_ino)
      with open("/proc/locks") as f: lines = [line.split() for line in f]
      return sum("LEASE" in words and any(w.endswith(inode) for w in words) for words in lines)

  def maps(name):
      "Whether this process has a mapping of a file below the root."
      with open("/proc/self/maps") as f:
          return any(line.split()[-1] == os.path.join(ROOT, name) for line in f)

  def has_window():
      "Whether this process has a read window mapped."
      with open("/proc/self/maps") as f: return "/memfd:sluice-window" in f.read()

  def open_at_once(name):
      "Opens a file in another process; busy if that would have to wait for a lease."
      code = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)"
      done = subprocess.run([sys.executable, "-c", code, os.path.join(ROOT, name)],
                            capture_output=True, text=True)
      return "OK" if done.returncode == 0 else done.stderr.split(chr(10))[-2]

  def result(body, *words):
      "OK, or the extended result code of the error."
      try:
          value = body(*words)
          if isinstance(value, sqlite3.Cursor): value.fetchall()
          return "OK"
      except Error as error:
          return getattr(error, "sqlite_errorname", None) or repr(error)

  def one(connection, sql):
      return connection.execute(sql).fetchone()[0]

  def eventually(condition, seconds=20):
      "Waits until the condition holds; False when the time is up first."
      end = time.monotonic() + seconds
      while not condition():
          if time.monotonic() > end: return False
          time.sleep(0.002)
      return True

  def wait(process, seconds=20):
      "The exit code of a forked child, or minus its signal; a child that hangs is killed."
      end = time.monotonic() + seconds
      while time.monotonic() < end:
          done, status = os.waitpid(process, os.WNOHANG)
          if done: return os.waitstatus_to_exitcode(status)
          time.sleep(0.002)
      os.kill(process, signal.SIGKILL)
      os.waitpid(process, 0)
      return "hung"

  def ready(text="ready"):
      "Tells the test where the script is, and waits for its next word."
      print(text, flush=True)
      return sys.stdin.readline().strip()

  def say(*words): print(*words, flush=True)

  def sidecars():
      "The private sidecars that this test's programs have started: they inherit ROOT."
      found = []
      for name in os.listdir("/proc"):
          if not name.isdigit(): continue
          try:
              with open(f"/proc/{name}/cmdline", errors="replace") as f: words = f.read().split(chr(0))
              with open(f"/proc/{name}/environ", errors="replace") as f: settings = f.read().split(chr(0))
          except OSError: continue
          if words[1:3] == ["serve", "--private"] and "ROOT=" + ROOT in settings:
              found.append(int(name))
      return found
  """
