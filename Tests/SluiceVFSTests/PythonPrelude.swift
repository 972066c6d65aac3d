// What every Python script of these tests may use.

let pythonPrelude = """
  import os, signal, sqlite3, sys, threading, time
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
              with open(f"/proc/{name}/cmdline") as f: words = f.read().split(chr(0))
              with open(f"/proc/{name}/environ") as f: settings = f.read().split(chr(0))
          except OSError: continue
          if words[1:3] == ["serve", "--private"] and "ROOT=" + ROOT in settings:
              found.append(int(name))
      return found
  """
