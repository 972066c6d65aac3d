// What a program of `sluice run` starts uses Sluice too, whatever environment it gets; and the calls
// that libsluice.so interposes for that stay what they are.

import Foundation
import Testing

struct StartedProgramTests {
  private func run(
    _ fixture: Fixture, _ command: [String], _ options: [String] = []
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + options + ["--"] + command,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.outside)
  }

  /// A program that gives up its environment, and starts the shell with none in one of many ways.
  private static let starter = """
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <spawn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    extern char **environ;
    static char path[] = "/usr/bin/sqlite3";
    static char *words[] = {"sqlite3", ":memory:", ".open a.db", "CREATE TABLE IF NOT EXISTS t(x)", ".vfsname", 0};
    static char *none[] = {0};
    #define LIST words[0], words[1], words[2], words[3], words[4], (char *)0
    int main(int count, char **arguments) {
      const char *way = arguments[1];
      pid_t child;
      int status;
      clearenv();
      if (!strcmp(way, "execve")) execve(path, words, none);
      if (!strcmp(way, "execve of NULL")) execve(path, words, 0);
      if (!strcmp(way, "execv")) execv(path, words);
      if (!strcmp(way, "execvp")) execvp("sqlite3", words);
      if (!strcmp(way, "execvpe")) execvpe("sqlite3", words, none);
      if (!strcmp(way, "execl")) execl(path, LIST);
      if (!strcmp(way, "execlp")) execlp("sqlite3", LIST);
      if (!strcmp(way, "execle")) execle(path, LIST, none);
      if (!strcmp(way, "fexecve")) fexecve(open(path, O_RDONLY | O_CLOEXEC), words, none);
      if (!strcmp(way, "execveat")) execveat(open("/usr", O_PATH), "bin/sqlite3", words, none, 0);
      if (!strcmp(way, "posix_spawn") && posix_spawn(&child, path, 0, 0, words, none)) return 3;
      if (!strcmp(way, "posix_spawnp") && posix_spawnp(0, "sqlite3", 0, 0, words, none)) return 3;
      if (!strcmp(way, "vfork") && !vfork()) _exit(execve(path, words, none));
      return wait(&status) < 0 ? 4 : WEXITSTATUS(status);
    }
    """

  @Test func programWithoutAnEnvironmentIsReached() throws {
    let fixture = try Fixture()
    let program = try fixture.compile("starter", StartedProgramTests.starter)
    for way in [
      "execve", "execve of NULL", "execv", "execvp", "execvpe", "execl", "execlp", "execle",
      "fexecve", "execveat", "posix_spawn", "posix_spawnp", "vfork",
    ] {
      let outcome = try run(fixture, [program, way])
      #expect(outcome.ending == .exited(0), "\(way)")
      #expect(outcome.lines == ["sluice"], "\(way): \(outcome.errors)")
    }
  }

  @Test(arguments: [
    [
      "env", "-i", "/usr/bin/sqlite3", "-cmd", ".open a.db", "-cmd", "CREATE TABLE t(x);",
      ":memory:", ".vfsname",
    ],
    [
      Fixture.pythonProgram, "-c",
      """
      import subprocess
      subprocess.run(["/usr/bin/sqlite3", "-cmd", ".open a.db", "-cmd", "CREATE TABLE t(x);",
                      ":memory:", ".vfsname"], env={}, check=True)
      """,
    ],
  ])
  func programsThatUsersKnowReachTheirs(command: [String]) throws {
    let fixture = try Fixture()
    try run(fixture, command).expectLines(["sluice"])
    let rooted = try run(fixture, command, ["--root", fixture.root.path])
    rooted.expectLines(["sluice"])
    #expect(fixture.exists(fixture.inRoot("a.db")))
  }

  @Test func variablesThatAreThereStay() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      [
        "bash", "-c",
        #"""
        [ "$(env | sort)" = "$(env sh -c 'env | sort' | grep -v '^_=')" ] || diff <(env | sort) <(env sh -c 'env | sort')
        SLUICE_DEFAULT=0 SLUICE_TELL= bash -c 'echo "$SLUICE_DEFAULT$SLUICE_TELL"'
        LD_PRELOAD= bash -c '[ "$LD_PRELOAD" = "$0" ] && echo alone' "$LD_PRELOAD"
        LD_PRELOAD=/lib/none.so bash -c '[ "$LD_PRELOAD" = "$0:/lib/none.so" ] && echo front' "$LD_PRELOAD" 2>/dev/null
        env -i A=b "$(command -v env)" | grep -v '^SLUICE_\|^LD_PRELOAD='
        SLUICE_WATCH= bash -c 'env -i "$(command -v env)" | wc -l'
        """#,
      ])
    let lines = outcome.lines.filter { !$0.contains("_=") && !$0.hasPrefix("---") }
    #expect(lines.suffix(5) == ["0", "alone", "front", "A=b", "0"], "\(outcome.output)")
  }

  @Test func environmentThatIsTooLargeFailsAsBefore() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      [
        Fixture.pythonProgram, "-c",
        """
        import subprocess
        def attempt(environment):
            try: return subprocess.run(["/usr/bin/true"], env=environment).returncode
            except OSError as error: return error.errno
        print(attempt({"A": "x" * 200000}), attempt({f"A{i}": "x" for i in range(20000)}))
        """,
      ])
    outcome.expectLines(["7 0"])
  }

  @Test func failuresAreTheKernels() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      [
        Fixture.pythonProgram, "-c",
        """
        import ctypes, errno, os
        libc = ctypes.CDLL(None, use_errno=True)
        words = (ctypes.c_char_p * 2)(b"x", None)
        for path in [b"/none", b"/tmp", b"/etc/passwd", None, b""]:
            for function in [libc.execve, libc.execvpe]:
                ctypes.set_errno(0)
                if path is None and function is libc.execvpe: continue
                result = function(path, words, words)
                print(result, errno.errorcode[ctypes.get_errno()], end=" ")
        ctypes.set_errno(5)
        print(libc.posix_spawn(None, b"/none", None, None, words, words), ctypes.get_errno())
        """,
      ])
    outcome.expectLines([
      "-1 ENOENT -1 ENOENT -1 EACCES -1 EACCES -1 EACCES -1 EACCES -1 EFAULT -1 ENOENT -1 ENOENT 2 2"
    ])
  }

  @Test func fcntlIsTheCLibrarys() throws {
    let fixture = try Fixture()
    let program = try fixture.compile(
      "caller",
      """
      #define _GNU_SOURCE
      #include <errno.h>
      #include <fcntl.h>
      #include <signal.h>
      #include <stdio.h>
      #include <sys/wait.h>
      #include <unistd.h>
      static void nothing(int signal) {}
      int main() {
        struct sigaction action = {.sa_handler = nothing};
        sigaction(SIGALRM, &action, 0);
        int fd = open("file", O_RDWR | O_CREAT, 0600);
        struct flock lock = {.l_type = F_WRLCK, .l_start = 0x40000000, .l_len = 1};
        errno = 77;
        printf("%d %d", fcntl(fd, F_DUPFD, 50), fcntl(fd, F_GETFL) & O_ACCMODE);
        printf(" %d", fcntl(50, F_SETFD, FD_CLOEXEC)); printf(" %d", fcntl(50, F_GETFD));
        printf(" %d", fcntl(fd, F_SETLK, &lock)); printf(" %d", errno);
        printf(" %d", fcntl(fd, F_SETLK, (void *)8)); printf(" %d", errno);
        printf(" %d", fcntl(-1, F_SETLK, &lock)); printf(" %d", errno);
        fflush(stdout);
        if (fork()) return wait(0) < 0;
        printf(" %d", fcntl(fd, F_SETLK, &lock)); printf(" %d", errno == EAGAIN);
        alarm(1);
        printf(" %d", fcntl64(fd, F_SETLKW, &lock)); printf(" %d", errno == EINTR);
        printf(" %d", fcntl(fd, F_GETLK, &lock)); printf(" %d\\n", lock.l_pid == getppid());
      }
      """)
    try run(fixture, [program], ["--quiet"])
      .expectLines(["50 2 0 1 0 77 -1 14 -1 9 -1 1 -1 1 0 1"])
  }
}
