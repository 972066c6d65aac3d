"""The common parts of power-loss and io-errors: the product, a sidecar under the layer, and the lines of
progress."""

import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY_SECONDS_MAX = 20


class Failure(Exception):
    """A fault of the product, or of the means to test it."""


class Product:
    """The paths of the parts. SLUICE_BUILD names another build directory, as in the tests."""

    def __init__(self, arguments):
        build = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
        self.program = arguments.program or os.path.join(build, "bin/sluice")
        self.library = arguments.library or os.path.join(build, "lib/libsluice.so")
        self.layer = arguments.layer or os.path.join(build, "lib/libfaults.so")
        self.help = None
        for path, how in [(self.program, "Tools/build"), (self.library, "Tools/build"),
                          (self.layer, "Tools/faults/build")]:
            if not os.path.exists(path):
                print(f"sluice: faults: {path}: not there; run {how}", file=sys.stderr)
                sys.exit(2)

    def has_options(self, words):
        """Whether `serve` knows these options."""
        if self.help is None:
            self.help = subprocess.run(
                [self.program, "serve", "--help"], capture_output=True, text=True).stdout
        return all(word in self.help for word in words if word.startswith("--"))

    @staticmethod
    def add_options(parser):
        for name in ("program", "library", "layer"):
            parser.add_argument(f"--{name}")


class Sidecar:
    """A shared sidecar under the layer. `layer` is the layer's part of the environment."""

    def __init__(self, product, root, socket, options, layer):
        self.errors_path = socket + ".errors"
        self.errors_file = open(self.errors_path, "w+")
        self.process = subprocess.Popen(
            [product.program, "serve", "--root", root, "--socket", socket] + options,
            env={**os.environ, **layer}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors_file, start_new_session=True)
        self.id = self.process.pid
        self.is_ready = False

    def await_ready(self):
        """Waits until the sidecar serves. False if it has ended instead."""
        os.set_blocking(self.process.stdout.fileno(), False)
        end, said = time.monotonic() + READY_SECONDS_MAX, b""
        while time.monotonic() < end:
            said += self.process.stdout.read() or b""
            if b"serving" in said:
                self.is_ready = True
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.0005)
        raise Failure("the sidecar neither serves nor ends")

    @property
    def errors(self):
        with open(self.errors_path) as file:
            return file.read()

    def stop(self):
        """Makes the sidecar end normally. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            raise Failure("the sidecar does not end when told to") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors_file.close()
        try:
            os.unlink(f"/dev/shm/sluice-{self.id}")
        except FileNotFoundError:
            pass


class Progress:
    """Progress on standard output: lines, on a terminal one line that changes, with --json nothing."""

    def __init__(self, is_json):
        self.is_silent = is_json
        self.is_terminal = sys.stdout.isatty()
        self.last = time.monotonic()

    def say(self, text):
        if not self.is_silent:
            print(text, flush=True)

    def show(self, text):
        if self.is_silent or time.monotonic() - self.last < (0.2 if self.is_terminal else 10):
            return
        self.last = time.monotonic()
        print(f"\r\033[K{text}" if self.is_terminal else text, end="" if self.is_terminal else "\n",
              flush=True)

    def end(self):
        if self.is_terminal and not self.is_silent:
            print("\r\033[K", end="")


def stop_on_signals():
    """Makes SIGTERM and SIGHUP end the program as Ctrl-C does, so that everything is cleaned up."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def parse_arguments(parser):
    """Returns the arguments, or ends with exit code 64."""
    def refuse(message):
        print(f"sluice: {message}; {parser.prog} --help", file=sys.stderr)
        sys.exit(64)
    parser.error = refuse
    return parser.parse_args()


def run(main):
    """Ends the program with the value of `main`. After a signal it cleans everything up first."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Failure as error:
        print(f"sluice: faults: {error}", file=sys.stderr)
        sys.exit(2)
