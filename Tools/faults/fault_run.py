"""One run: a program works over a sidecar in which a call fails, then everything that must hold is checked.

io-errors plans the runs; Laboratory makes them, one after the other.
"""

import collections
import errno
import faulthandler
import json
import mmap
import os
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import many
import scenarios
from call_errors import ALLOWED, ERRORS
from sidecar import Failure, Sidecar

HERE = os.path.dirname(os.path.abspath(__file__))
CHILD_SECONDS_MAX = 45
SETTLE_SECONDS_MAX = 10
FOR_EVER = 1 << 60
SHORT = 10000
SCENARIOS = {**scenarios.SCENARIOS, "group": many.group}


class Control:
    """The memory shared with the layer: see struct fail_control in layer.h."""
    BYTE_COUNT = 560 + 4096 * 80

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(self.BYTE_COUNT)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), self.BYTE_COUNT)
        with open(os.path.join(HERE, "layer.h")) as file:
            list_of_calls = re.search(r"#define CALLS\(CALL\)(.*?)\n#define", file.read(), re.S)
        self.calls = [None] + re.findall(r"CALL\((\w+)\)", list_of_calls.group(1))
        if set(self.calls[1:]) != set(ERRORS):
            raise Failure("layer.h and ERRORS name different calls")

    def prepare(self, fault):
        self.memory[:] = bytes(self.BYTE_COUNT)
        if fault:
            how = SHORT if fault.error == "SHORT" else getattr(errno, fault.error)
            struct.pack_into("<IIIIQQ", self.memory, 0, 0, self.calls.index(fault.call), how, 0,
                             fault.first, fault.count)

    def arm(self, armed):
        struct.pack_into("<I", self.memory, 0, armed)

    @property
    def failed_count(self):
        return struct.unpack_from("<Q", self.memory, 32)[0]

    def counts(self):
        counts = struct.unpack_from("<64Q", self.memory, 40)
        return {call: counts[i] for i, call in enumerate(self.calls) if call and counts[i]}

    def sites(self):
        """(call, return addresses): how often it was reached, and failed."""
        found = {}
        for row in struct.iter_unpack("<IIQ8Q", self.memory[560:]):
            if row[0]:
                found[self.calls[row[0]], row[3:]] = (row[2], row[1])
        return found


class Fault(collections.namedtuple("Fault", "call error first count")):
    def __str__(self):
        often = "once" if self.count == 1 else "for ever" if self.count == FOR_EVER else \
            f"{self.count} times"
        return f"{self.call} number {self.first} fails {often} with {self.error}"


class Outsider:
    """A stock program that has the databases open, in this process: its locks are its own."""

    def __init__(self, root):
        self.root, self.connections = root, []

    def do(self, what):
        if what == "come":
            for name in ("a.db", "w.db"):
                connection = sqlite3.connect(
                    os.path.join(self.root, name), isolation_level=None, timeout=0)
                self.connections.append(connection)
                try:
                    connection.execute("SELECT count(*) FROM t").fetchall()
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xff != sqlite3.SQLITE_BUSY:
                        raise
        else:
            self.go()

    def go(self):
        for connection in self.connections:
            connection.close()
        self.connections = []


class Laboratory:
    """Makes runs, one after the other, in one directory."""

    def __init__(self, product):
        self.product = product
        self.directory = tempfile.mkdtemp(prefix="sluice-errors-", dir="/dev/shm")
        self.root = os.path.join(self.directory, "root")
        self.socket = os.path.join(self.directory, "socket")
        self.control = Control(os.path.join(self.directory, "control"))
        self.sites = collections.defaultdict(lambda: [0, 0])
        self.descriptor_counts = {}
        loader = sqlite3.connect(":memory:")
        loader.enable_load_extension(True)
        loader.load_extension(product.library)
        self.contents = self.make_template()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def make_template(self):
        record = os.path.join(self.directory, "record")
        os.mkdir(self.root)
        code = ("import os, sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]);"
                "import scenarios; scenarios.make(sys.argv[2], os.open(sys.argv[3],"
                " os.O_WRONLY | os.O_APPEND | os.O_CREAT))")
        subprocess.run(
            [sys.executable, "-c", code, HERE, self.root, record], check=True,
            env={**os.environ, "LD_PRELOAD": self.product.layer, "SLUICE_FAULTS_RECORD": record,
                 "SLUICE_FAULTS_ROOT": self.root})
        contents = scenarios.template(record)
        os.unlink(record)
        return contents

    # --- one run ---

    def run(self, name, fault):
        """Runs a scenario. The result holds the complaints and the codes that the program was told."""
        shutil.rmtree(self.root)
        os.mkdir(self.root)
        scenarios.lay_out(self.contents, self.root)
        self.control.prepare(fault)
        is_start = name == "start"
        if is_start:
            self.control.arm(True)
        sidecar = Sidecar(self.product, self.root, self.socket, scenarios.options(name), {
            "LD_PRELOAD": self.product.layer,
            "SLUICE_FAULTS_FAIL": self.control.path,
            **scenarios.environment(name)})
        try:
            result = Run(self, sidecar, name, fault)
            try:
                result.make()
            except Failure as error:
                result.complain(str(error))
        finally:
            sidecar.kill()
            if os.path.exists(self.socket):
                os.unlink(self.socket)
        for site, (count, failed) in self.control.sites().items():
            self.sites[site][0] += count
            self.sites[site][1] += failed
        return result


class Run:
    def __init__(self, laboratory, sidecar, name, fault):
        self.laboratory, self.sidecar, self.name, self.fault = laboratory, sidecar, name, fault
        self.control = laboratory.control
        self.complaints = []
        self.codes = []
        self.acknowledged, self.begun, self.opened = [], [], []

    def complain(self, text):
        self.complaints.append(text)

    def make(self):
        is_start = self.name == "start"
        if not self.sidecar.await_ready():
            self.check_refusal()
            return
        self.control.arm(True)
        outsider = Outsider(self.laboratory.root)
        self.work("session" if is_start else self.name, outsider)
        outsider.go()
        self.check_codes()
        if is_start:
            self.check_end()
            return
        self.control.arm(False)
        if not self.is_alive():
            return
        self.check_descriptors()
        self.check_natively()
        self.check_next_program()
        self.check_sessions()
        self.check_end()

    def is_alive(self):
        if self.sidecar.process.poll() is None:
            return True
        self.complain(f"the sidecar has died ({self.sidecar.process.returncode}):"
                      f" {self.sidecar.errors[-500:]}")
        return False

    # --- the host program ---

    def work(self, name, outsider):
        """Runs the scenario in a process of its own, with a watchdog."""
        said = self.in_child(lambda outside: self.do_scenario(name, outside), outsider)
        if said is None:
            return
        self.codes = [tuple(code) for code in said["codes"]]
        self.acknowledged = [tuple(one) for one in said["acknowledged"]]
        self.begun = [tuple(one) for one in said["begun"]]
        self.opened = sorted(set(said["opened"]))
        for wrong in said["wrong"]:
            self.complain(wrong)

    def do_scenario(self, name, outside):
        host = scenarios.Host(self.laboratory.socket, outside)
        SCENARIOS[name](host)
        return host.report()

    def in_child(self, body, outsider=None):
        """Returns the value of `body`, called in a forked process; None after a complaint."""
        there, here = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            run_child(body, there, here)
        os.close(there[1]), os.close(here[0])
        said, end = b"", time.monotonic() + CHILD_SECONDS_MAX
        try:
            while True:
                rest = end - time.monotonic()
                if rest <= 0 or not select.select([there[0]], [], [], rest)[0]:
                    os.kill(child, signal.SIGKILL)
                    self.complain(f"the program hangs: {self.stacks()}")
                    return None
                part = os.read(there[0], 65536)
                if not part:
                    break
                said += part
                while b"\n" in said:
                    line, said = said.split(b"\n", 1)
                    outsider.do(line.decode())
                    os.write(here[1], b"\n")
        finally:
            os.waitpid(child, 0)
            os.close(there[0]), os.close(here[1])
        try:
            answer = json.loads(said)
        except ValueError:
            self.complain(f"the program died: {said[-500:].decode()}")
            return None
        if "exception" in answer:
            self.complain(answer["exception"])
            return None
        return answer["value"]

    def stacks(self):
        """Where the sidecar's threads wait, as far as the kernel tells."""
        tasks = f"/proc/{self.sidecar.id}/task"
        try:
            return [open(f"{tasks}/{t}/wchan").read() for t in os.listdir(tasks)]
        except OSError:
            return []

    # --- what must hold ---

    def check_refusal(self):
        """A sidecar that could not start has said why."""
        code, errors = self.sidecar.process.returncode, self.sidecar.errors
        if code not in (1, 2) or not re.match(r"sluice: .*: .*\n", errors):
            self.complain(f"it did not start and ended with {code}: {errors!r}")
        if self.fault is None or self.control.failed_count == 0:
            self.complain(f"it did not start, though nothing failed: {errors!r}")

    def check_codes(self):
        has_failed = self.fault and self.control.failed_count
        allowed = ALLOWED.get(self.fault.call, ["CANTOPEN"]) if has_failed else []
        for what, code in self.codes:
            if not code.startswith(tuple(allowed)):
                self.complain(f"{what} gave {code}")

    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self.sidecar.id}/fd"))

    def check_descriptors(self):
        """All that was opened for the program is closed."""
        counts = self.laboratory.descriptor_counts
        if self.fault is None:
            time.sleep(0.2)
            counts[self.name] = self.descriptor_count()
            return
        end = time.monotonic() + SETTLE_SECONDS_MAX
        while self.descriptor_count() > counts[self.name]:
            if time.monotonic() > end:
                names = [os.readlink(f"/proc/{self.sidecar.id}/fd/{fd}")
                         for fd in os.listdir(f"/proc/{self.sidecar.id}/fd")]
                return self.complain(f"descriptors are left: {sorted(names)}")
            time.sleep(0.001)

    def check_natively(self):
        answer = self.in_child(lambda _: check_natively(
            self.laboratory.root, self.opened, self.begun, self.acknowledged))
        for complaint in answer or []:
            self.complain(complaint)

    def check_next_program(self):
        """The next program is served as if nothing had failed."""
        def body(outside):
            host = scenarios.Host(self.laboratory.socket, outside)
            for name in sorted({name for name, _ in self.begun}) or ["a.db"]:
                database = host.open(name)
                if host.run(database, "SELECT count(*) FROM t")[0]:
                    host.transact(database, 9999)
                host.close(database)
            return host.report()
        said = self.in_child(body)
        if said is None:
            return
        codes = [code for _, code in said["codes"]]
        # A database that could not be made is not there.
        if codes and not (self.name == "rollback" and codes == ["ERROR"]):
            self.complain(f"the next program was told {said['codes']}")

    def check_sessions(self):
        end = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            said = subprocess.run(
                [self.laboratory.product.program, "stats", "--json", "--pid", str(self.sidecar.id)],
                capture_output=True, text=True)
            if said.returncode != 0:
                return self.complain(f"stats says: {said.stderr}")
            sessions = json.loads(said.stdout)[0]["sessions"]
            if sessions["opened"] == sessions["closed"]:
                return
            if time.monotonic() > end:
                return self.complain(f"sessions are left: {sessions}")
            time.sleep(0.01)

    def check_end(self):
        if not self.is_alive():
            return
        code = self.sidecar.stop()
        if code != 0 and not (self.name == "start" and code in (1, 2)):
            self.complain(f"it ended with {code}: {self.sidecar.errors[-500:]}")
        if "atal error" in self.sidecar.errors:
            self.complain(self.sidecar.errors[-500:])


def run_child(body, there, here):
    """In the forked process: writes the value of `body` to the parent, and ends."""
    os.close(there[0]), os.close(here[1])

    def outside(what):
        os.write(there[1], what.encode() + b"\n")
        os.read(here[0], 1)
    faulthandler.dump_traceback_later(CHILD_SECONDS_MAX - 1)
    try:
        answer = {"value": body(outside)}
    except BaseException:
        answer = {"exception": traceback.format_exc()}
    data = json.dumps(answer).encode()
    while data:
        data = data[os.write(there[1], data):]
    os._exit(0)


def check_natively(root, names, begun, acknowledged):
    """Checks that stock SQLite locks the databases for itself and finds every acknowledged transaction."""
    complaints = []
    for name in names:
        path = os.path.join(root, name)
        if not os.path.exists(path):
            continue
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            for line, in connection.execute("PRAGMA integrity_check"):
                if line != "ok":
                    complaints.append(f"{name}: {line}")
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'u'").fetchone():
                connection.execute("COMMIT")
                continue
            found = [[n for n, in connection.execute(
                f"SELECT n FROM {table} WHERE n >= {scenarios.FIRST_NUMBER} ORDER BY n")]
                for table in "tu"]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            complaints.append(f"{name}: stock SQLite says: {error}")
            continue
        finally:
            connection.close()
        if found[0] != found[1]:
            complaints.append(f"{name}: half a transaction is there: {found}")
        for one, number in acknowledged:
            if one == name and number not in found[0]:
                complaints.append(f"{name}: transaction {number} was acknowledged and is lost")
        for number in found[0]:
            if (name, number) not in begun:
                complaints.append(f"{name}: {number} is there, but no program wrote it")
    return complaints
