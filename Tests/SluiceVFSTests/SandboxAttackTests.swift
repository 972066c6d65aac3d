// A hostile program in a sandbox with a writable directory. It has a directory in which everything
// is allowed, a supervisor that makes changes for it, and all the time that it wants.

import Foundation
import Glibc
import Testing

@Suite(.enabled(if: hasLandlock))
struct SandboxAttackTests {
  /// Runs the script, and checks that the file outside is as before.
  private func attack(
    _ script: String, user: SandboxUser = .own, prefix: [String] = []
  ) throws -> Outcome {
    let place = try SandboxPlace(user: user)
    let before = try place.picture()
    let outcome = try place.runPython(script, prefix: prefix)
    #expect(try place.picture() == before)
    return outcome
  }

  @Test(arguments: SandboxUser.all)
  func detoursLeadToNoOtherFile(user: SandboxUser) throws {
    try attack(
      """
      os.chdir(W)
      os.symlink(F, "link"); os.symlink(O, "directory"); os.symlink("..", "up")
      f = os.open(F, os.O_RDONLY)
      d = os.open(O, os.O_RDONLY)
      for path in "link", "directory/file", "up/outside/file", "../outside/file", f"/proc/self/fd/{f}", \\
          f"/dev/fd/{f}", f"/proc/thread-self/fd/{f}", f"/proc/self/cwd/link", f"/proc/self/root{F}":
          print(result(os.chmod, path, 0o777), result(os.utime, path, (1, 1)))
      print(result(os.fchmod, f, 0o777), result(lambda: os.chmod("file", 0o777, dir_fd=d)),
            result(os.chmod, O, 0o777), call(260, f, b"", os.getuid(), os.getgid(), 0x1000))
      print(result(os.link, F, "hard"), result(os.rename, F, "moved"), result(os.rename, "link", F))
      """, user: user
    ).expectLines(
      [String](repeating: "EPERM EPERM", count: 9) + [
        "EPERM EPERM EPERM EPERM", "EXDEV EACCES EACCES",
      ])
  }

  /// While one thread asks, others put another file in the place of what it names. The file inside
  /// changes, so the supervisor was asked; the file outside does not.
  @Test func swapsDuringACallReachNothingElse() throws {
    try attack(
      """
      a = make("a")
      os.chdir(W)
      inside, outside, fd = os.open(a, os.O_RDONLY), os.open(F, os.O_RDONLY), 99
      os.symlink(a, "in"); os.symlink(F, "out"); os.mkdir("d"); make("d/file")
      def swap_descriptor(): os.dup2(inside, fd); os.dup2(outside, fd)
      def swap_link():
          for target in a, F:
              os.symlink(target, "new"); os.rename("new", "path")
      def swap_directory():
          for target in W + "/d", O:
              os.symlink(target, "newd"); os.rename("newd", "way")
      buffer = ctypes.create_string_buffer(500)
      def swap_memory():
          ctypes.memmove(buffer, a.encode() + bytes(1), len(a) + 1)
          ctypes.memmove(buffer, F.encode() + bytes(1), len(F) + 1)
      def change(body, *words):
          def work(): body(*words, 0o777); body(*words, 0o700)
          return work
      swap_descriptor(); swap_link(); swap_directory(); swap_memory()
      at_once(swap_descriptor, swap_link, swap_directory, swap_memory, change(os.fchmod, fd),
              change(os.chmod, "path"), change(os.chmod, "way/file"), change(libc.chmod, buffer),
              lambda: os.chmod(a, 0o600))
      print(mode(F) == oct(0o644), mode(a) in (oct(0o777), oct(0o700), oct(0o600)))
      """
    ).expectLines(["True True"])
  }

  @Test func otherWaysToTheKernelAreClosed() throws {
    try attack(
      """
      # A ring; a call of another ABI (getpid, by int 0x80 and as x32); a second supervisor, whose
      # answers would count; a file by its handle; a device of one's own.
      print(call(425, 1, bytes(120)))
      code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
      code.write(bytes.fromhex("b814000000 cd80 c3".replace(" ", "")))
      address = ctypes.addressof(ctypes.c_char.from_buffer(code))
      print(ctypes.CFUNCTYPE(ctypes.c_int)(address)() == -errno.ENOSYS, call(0x40000000 + 39))
      program = (ctypes.c_uint64 * 1)(0x7fff000000000006)
      class Filter(ctypes.Structure): _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]
      filter = Filter(1, ctypes.addressof(program))
      print(call(317, 1, 8, ctypes.byref(filter)), call(317, 1, 0, ctypes.byref(filter)))
      print(result(os.mknod, W + "/disk", 0o60600, os.makedev(8, 0)))
      # Root's ways around the kernel's checks: modules, ports, another kernel; and input for the
      # shell behind the terminal.
      print(call(175, 0, 0, b""), call(313, 0, b"", 0), call(172, 3), call(246, 0, 0, 0, 0), call(321, 0, 0, 0),
            result(fcntl.ioctl, 0, 0x5412, b"x"))
      # Mounts, in this namespace and in others.
      libc.unshare(0x10000000 | 0x20000)
      print(libc.mount(O.encode(), W.encode(), None, 4096, None), libc.umount2(b"/dev/shm", 2))
      print(result(os.chmod, F, 0o777), result(open, F, "r+"))
      """
    ).expectLines([
      "EPERM", "True ENOSYS", "EBUSY OK", "EACCES", "EPERM EPERM EPERM EPERM EPERM EPERM", "-1 -1",
      "EPERM EACCES",
    ])
  }

  /// The supervisor's rights are not for a program that has given up some of its own.
  @Test(.enabled(if: Machine.isRoot))
  func supervisorLendsItsRightsToNobody() throws {
    try attack(
      """
      a = make("a")
      os.chown(a, 1, 1)
      def in_child(change):
          r, w = os.pipe()
          if os.fork() == 0:
              change()
              os.write(w, (result(os.chmod, a, 0o666) + " " + result(os.chown, a, 0, 0)).encode())
              os._exit(0)
          os.close(w)
          print(os.read(r, 100).decode(), mode(a))
      def drop_user(): os.setgroups([]); os.setgid(65534); os.setuid(65534)
      def drop_capabilities():
          header = (ctypes.c_uint32 * 2)(0x20080522, 0)
          libc.capset(header, (ctypes.c_uint32 * 6)())
      def drop_and_become_root_elsewhere():
          drop_capabilities()
          libc.unshare(0x10000000)
      in_child(drop_user)
      in_child(drop_capabilities)
      in_child(drop_and_become_root_elsewhere)
      in_child(lambda: (os.chroot(W), os.chdir("/")))
      in_child(lambda: None)
      """
    ).expectLines([
      "EPERM EPERM 0o644", "EPERM EPERM 0o644", "EPERM EPERM 0o644", "EPERM EPERM 0o644",
      "OK OK 0o666",
    ])
  }

  /// Descriptors from outside: inherited ones, and those that the sidecar gives its clients.
  @Test func descriptorsFromOutsideChangeNoAttributes() throws {
    try attack(
      """
      print(result(os.fchmod, 9, 0o777), result(os.utime, 9, (1, 1)), result(os.chmod, "/proc/self/fd/9", 0o777))
      c = sqlite3.connect("/app.db")
      c.execute("PRAGMA journal_mode = WAL"); c.execute("CREATE TABLE t(x)"); c.execute("SELECT * FROM t")
      maps = [int(n) for n in os.listdir("/proc/self/fd") if int(n) > 9]
      print({result(os.fchmod, n, 0) for n in maps} <= {"EPERM", "EBADF"})
      """, prefix: ["sh", "-c", #"exec 9<>"$O/file"; exec "$@""#, "sh"]
    ).expectLines(["EPERM EPERM EPERM", "True"])
  }

  /// A supervisor that is killed leaves the sandbox closed, and hangs nobody.
  @Test func withoutItsSupervisorNothingMoreIsChanged() throws {
    let place = try SandboxPlace()
    let before = try place.picture()
    let command = try place.start([
      Fixture.pythonProgram, "-c",
      """
      import ctypes, errno, os, sys, time
      W, O = os.environ["W"], os.environ["O"]
      r, w = os.pipe()
      log = os.open(W + "/log", os.O_CREAT | os.O_WRONLY)
      def result(body, *words):
          try: body(*words)
          except OSError as error: return errno.errorcode[error.errno]
          return "OK"
      if os.fork() == 0:
          os.setsid()
          keeper = int(os.read(r, 20))
          while os.path.exists(f"/proc/{keeper}/root/"): time.sleep(0.01)
          time.sleep(0.2)
          os.write(log, " ".join([result(os.chmod, W + "/log", 0o600), result(open, O + "/file", "r+"),
                                  result(open, O + "/file")]).encode())
          os.write(log, bytes([10]))
          os._exit(0)
      os.write(w, str(os.getppid()).encode())
      print("keeper", os.getppid(), flush=True)
      time.sleep(60)
      """,
    ])
    #expect(eventually { command.output.hasSuffix("\n") })
    let keeper = try #require(pid_t(command.output.dropFirst(7).dropLast()))
    kill(keeper, SIGKILL)
    #expect(try command.wait().ending == .killed(SIGKILL))
    let log = place.writable.appending(path: "log")
    #expect(eventually { (try? String(contentsOf: log, encoding: .utf8))?.hasSuffix("\n") == true })
    #expect(try String(contentsOf: log, encoding: .utf8) == "ENOSYS ENOSYS OK\n")
    #expect(try place.picture() == before)
  }
}
