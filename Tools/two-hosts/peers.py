"""The clients of one database on both hosts, through Sluice or with stock SQLite, and their sidecars."""

import os
import random
import signal
import time

from cluster import Failure, Process
from verdict import Logs, judge
from worker import SCHEMA

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
WRITERS, READERS = 2, 1
# Longer than any cut. A process that has not ended by then hangs.
END_SECONDS_MAX = 120
HOLD_SECONDS_MAX = 60
START_SECONDS_MAX = 60


class Peer:
    """Writers and readers on both hosts, with a database of their own."""

    has_sidecars = False

    def __init__(self, name, cluster, seed):
        self.name, self.cluster = name, cluster
        self.random = random.Random(f"{seed} {name}")
        self.seed = seed
        self.database = os.path.join(cluster.mount, f"{name}.db")
        self.directory = os.path.join(cluster.directory, name)
        os.mkdir(self.directory)
        self.logs = Logs(self.directory)
        self.workers = {host.name: [] for host in cluster.mounting}
        self.count = 0
        self.troubles, self.lost, self.loss_count = [], 0, 0

    def prepare(self):
        """Makes the database, by stock SQLite on the first host."""
        self.cluster.hosts["a"].run(
            PYTHON, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])",
            self.database, SCHEMA)

    def where(self, host):
        """The database's URI, and the other arguments of a worker."""
        return [f"file:{self.database}"]

    def start(self):
        for host in self.cluster.mounting:
            for role in ["writer"] * WRITERS + ["reader"] * READERS:
                self.start_worker(host, role)

    def start_worker(self, host, role):
        self.count += 1
        name = f"{host.name}-{role}-{self.count}"
        uri, *library = self.where(host)
        log = os.path.join(self.directory, f"{name}.log")
        process = Process(
            host, [PYTHON, os.path.join(HERE, "worker.py"), role, name, uri, log, str(self.seed),
                   *library],
            log=os.path.join(self.directory, f"{name}.out"), stdin=-1)
        process.role, process.name, process.path = role, name, log
        self.workers[host.name].append(process)

    def kill_client(self, host):
        """Sends SIGKILL to one writer, and starts another one. Returns its name for the record."""
        victim = self.random.choice([w for w in self.workers[host.name] if w.role == "writer"])
        self.workers[host.name].remove(victim)
        victim.kill()
        self.start_worker(host, "writer")
        return victim.name

    def hold(self, host, seconds):
        """Makes a writer stop within a transaction. Returns whether it did."""
        writer = next(w for w in self.workers[host.name] if w.role == "writer")
        before = self.count_of(writer, " hold ")
        writer.entry.stdin.write(f"hold {seconds:.1f}\n".encode())
        writer.entry.stdin.flush()
        end = time.monotonic() + HOLD_SECONDS_MAX
        while self.count_of(writer, " hold ") == before:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def rest(self, seconds):
        """Makes all clients begin nothing for that long."""
        for workers in self.workers.values():
            for worker in workers:
                try:
                    worker.entry.stdin.write(f"rest {seconds}\n".encode())
                    worker.entry.stdin.flush()
                except BrokenPipeError:
                    pass

    @staticmethod
    def count_of(worker, text):
        try:
            with open(worker.path) as file:
                return file.read().count(text)
        except FileNotFoundError:
            return 0

    def check(self, after):
        """Checks the database from both hosts, and keeps the faults."""
        for host in self.cluster.mounting:
            faults, lost = judge(self.logs, lambda: host.run(
                PYTHON, os.path.join(HERE, "verdict.py"), self.database, seconds=300))
            self.lost = max(self.lost, lost)
            for fault in faults:
                self.note(f"after {after}, on host {host.name}: {fault}")
        for line in self.logs.lost:
            self.note(f"a reader, before the end of {after}: {line}")
        self.loss_count += self.logs.loss_count
        self.logs.lost, self.logs.loss_count = [], 0
        self.look_at_programs(after)

    def note(self, trouble):
        if trouble not in self.troubles:
            self.troubles.append(trouble)
            print(f"  {self.name}: {trouble}", flush=True)

    def look_at_programs(self, after):
        for host in self.cluster.mounting:
            for worker in list(self.workers[host.name]):
                if not worker.is_running:
                    self.workers[host.name].remove(worker)
                    self.note(f"{worker.name} ended by itself, after {after}: exit code "
                              f"{worker.entry.returncode}, {worker.name}.out")

    def end(self):
        self.stop_workers()

    def stop_workers(self):
        """Makes all workers end normally."""
        workers = [worker for list in self.workers.values() for worker in list]
        for worker in workers:
            worker.entry.stdin.close()
        end = time.monotonic() + END_SECONDS_MAX
        for worker in workers:
            if worker.wait(max(0.1, end - time.monotonic())) is None:
                self.note(f"{worker.name} hangs: it was told to end {END_SECONDS_MAX} s ago")
            worker.kill()
        self.workers = {name: [] for name in self.workers}

    def kill_all(self):
        for list in self.workers.values():
            for worker in list:
                worker.kill()


class Stock(Peer):
    pass


class Sluice(Peer):
    """The same through a sidecar on each host."""

    has_sidecars = True

    def __init__(self, name, cluster, seed, build):
        super().__init__(name, cluster, seed)
        self.program = os.path.join(build, "bin/sluice")
        self.library = os.path.join(build, "lib/libsluice.so")
        self.sidecars, self.options = {}, {}
        for host in cluster.mounting:
            self.start_sidecar(host)

    def where(self, host):
        return [f"file:{self.name}.db?vfs=sluice&socket={self.socket(host)}", self.library]

    def socket(self, host):
        return os.path.join(self.directory, f"socket-{host.name}")

    def start_sidecar(self, host, *options):
        """Starts a sidecar. While the host is cut off and it cannot open its root, tries again and again."""
        log = os.path.join(self.directory, f"sidecar-{host.name}.out")
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            said = os.path.getsize(log) if os.path.exists(log) else 0
            sidecar = Process(host, [self.program, "serve", "--root", self.cluster.mount, "--socket",
                                     self.socket(host), *options], log=log)
            while sidecar.is_running and time.monotonic() < end:
                with open(log) as file:
                    file.seek(said)
                    if "serving" in file.read():
                        self.sidecars[host.name], self.options[host.name] = sidecar, options
                        return
                time.sleep(0.01)
            sidecar.kill()
            time.sleep(0.5)
        raise Failure(f"the sidecar of host {host.name} does not serve: {log}")

    def kill_sidecar(self, host, *options):
        self.sidecars.pop(host.name).kill()
        self.start_sidecar(host, *options)

    def replace_sidecar(self, host, *options):
        """Replaces the sidecar as an operator does: SIGTERM, then the next one."""
        sidecar = self.sidecars.pop(host.name)
        sidecar.signal(signal.SIGTERM)
        if sidecar.wait(30) is None:
            self.note(f"the sidecar of host {host.name} does not end when it is told to")
        sidecar.kill()
        self.start_sidecar(host, *options)

    def look_at_programs(self, after):
        super().look_at_programs(after)
        for name, sidecar in self.sidecars.items():
            if not sidecar.is_running:
                self.note(f"the sidecar of host {name} ended by itself, after {after}: exit code "
                          f"{sidecar.entry.returncode}")
                self.start_sidecar(self.cluster.hosts[name])

    def end(self):
        super().end()
        for name in list(self.sidecars):
            sidecar = self.sidecars.pop(name)
            sidecar.signal(signal.SIGTERM)
            if sidecar.wait(30) is None:
                self.note(f"the sidecar of host {name} does not end when it is told to")
            sidecar.kill()

    def kill_all(self):
        super().kill_all()
        for sidecar in self.sidecars.values():
            sidecar.kill()
