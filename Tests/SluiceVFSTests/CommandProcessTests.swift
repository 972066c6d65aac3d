// The command of `sluice run` as a child: from outside it is as if `sluice run` were the command.

import Foundation
import Glibc
import Testing

@Suite(.enabled(if: hasLandlock))
struct CommandProcessTests {
  /// Starts commands as `sluice run --sandbox` does. `started()` runs one in its own process group
  /// that counts the signals which it gets, and gives the front, the command and the keeper.
  private static let prelude = """
    import pty
    RUN = [os.environ["PROGRAM"], "run", "--sandbox", "--root", ROOT, "--"]
    COUNTS = '''
    import os, signal, sys, time
    n = {}
    def count(number, frame): n[int(number)] = n.get(int(number), 0) + 1
    for s in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1: signal.signal(s, count)
    signal.signal(signal.SIGUSR2, lambda s, f: (print(sorted(n.items()), flush=True), os._exit(3)))
    print("ready", os.getpid(), os.getppid(), flush=True)
    while True: time.sleep(0.01)
    '''
    def started():
        p = subprocess.Popen(RUN + [sys.executable, "-c", COUNTS], stdout=subprocess.PIPE, text=True,
                             preexec_fn=lambda: os.setpgid(0, 0))
        word, command, keeper = p.stdout.readline().split()
        return p, int(command), int(keeper)
    def counted(p, command):
        "What the command has counted, once everything has been passed on."
        time.sleep(0.3)
        os.kill(command, signal.SIGUSR2)
        return p.stdout.read().strip(), p.wait()
    def is_gone(process):
        try: state = open(f"/proc/{process}/stat").read().split(") ")[1][0]
        except OSError: return True
        return state == "Z"
    """

  private func run(_ script: String) throws -> Outcome {
    let fixture = try Fixture()
    return try fixture.runPython(
      CommandProcessTests.prelude + "\n" + script,
      [
        "PROGRAM": Fixture.program, "SLUICE_LIBRARY": Fixture.library,
        "TMPDIR": fixture.scratch.path,
      ])
  }

  @Test func signalReachesTheCommandOnceHoweverItIsSent() throws {
    try run(
      """
      p, command, keeper = started()
      os.kill(p.pid, signal.SIGTERM); os.kill(p.pid, signal.SIGUSR1)
      say("front", *counted(p, command))
      p, command, keeper = started()
      os.killpg(p.pid, signal.SIGTERM); os.killpg(p.pid, signal.SIGINT)
      say("group", *counted(p, command))
      p, command, keeper = started()
      for process in p.pid, keeper, command: os.kill(process, signal.SIGTERM)
      say("each", *counted(p, command))
      """
    ).expectLines(["front [(10, 1), (15, 1)] 3", "group [(2, 1), (15, 1)] 3", "each [(15, 1)] 3"])
  }

  @Test func controlCReachesTheCommandOnce() throws {
    try run(
      """
      process, terminal = pty.fork()
      if process == 0: os.execv(RUN[0], RUN + [sys.executable, "-c", COUNTS])
      def read(until):
          text = b""
          while until not in text: text += os.read(terminal, 1000)
          return text
      command = int(read(chr(10).encode()).split()[1])
      os.write(terminal, bytes([3]))
      time.sleep(0.3)
      os.kill(command, signal.SIGUSR2)
      say(read(b"]").decode().split("^C")[1].strip())
      say(wait(process))
      """
    ).expectLines(["[(2, 1)]", "3"])
  }

  @Test func frontStopsAndGoesOnWithTheCommand() throws {
    try run(
      """
      for target, how in (1, signal.SIGSTOP), (0, signal.SIGTSTP):
          p, command, keeper = started()
          os.kill((p.pid, command)[target], how)
          status = os.waitpid(p.pid, os.WUNTRACED)[1]
          say(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == how)
          os.kill((p.pid, command)[1 - target], signal.SIGCONT)
          say(os.WIFCONTINUED(os.waitpid(p.pid, os.WCONTINUED)[1]))
          say(*counted(p, command))
      """
    ).expectLines(["True", "True", "[] 3", "True", "True", "[] 3"])
  }

  @Test func noneOfThemOutlivesTheOthersWhenItIsKilled() throws {
    try run(
      """
      p, command, keeper = started()
      p.kill(); p.wait()
      say(eventually(lambda: is_gone(command) and is_gone(keeper)))
      p, command, keeper = started()
      os.kill(keeper, signal.SIGKILL)
      say(p.wait(), eventually(lambda: is_gone(command)))
      """
    ).expectLines(["True", "-9 True"])
  }

  @Test func readersSeeWhatTheCommandCloses() throws {
    try run(
      """
      end = "import os, sys; os.close(1); os.close(int(sys.argv[1])); sys.stdin.readline()"
      r, w = os.pipe()
      p = subprocess.Popen(RUN + [sys.executable, "-c", end, str(w)], pass_fds=[w],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
      os.close(w)
      say(p.stdout.read(), os.read(r, 1), p.poll())
      p.stdin.close()
      say(p.wait())
      """
    ).expectLines(["b'' b'' None", "0"])
  }

  /// The command has the handling and the mask that `sluice run` was started with. `sluice run` learns
  /// how the command ended even if SIGCHLD was ignored.
  @Test func handlingOfSignalsIsInherited() throws {
    try run(
      """
      def change():
          signal.signal(signal.SIGCHLD, signal.SIG_IGN)
          signal.signal(signal.SIGHUP, signal.SIG_IGN)
          signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
      done = subprocess.run(RUN + ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"],
                            stdout=subprocess.PIPE, text=True, preexec_fn=change)
      words = done.stdout.split()
      blocked, ignored = int(words[1], 16), int(words[3], 16)
      say(ignored >> 16 & 1, ignored & 1, blocked, done.returncode)
      """
    ).expectLines(["1 1 512 0"])
  }
}
