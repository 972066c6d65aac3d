"""Hosts made of namespaces of this machine, and a GlusterFS volume between them.

A host has its own network, mounts and processes, and no name anywhere. Its first process holds it. When
that process ends, the kernel removes the rest: processes, mounts and network. The first process ends
with the program that started it, in whatever way that program ends. So a crashed run leaves only a
directory, and two runs never meet.

    a ──┐
    b ──┼── switch        Each cable can be pulled at the switch.
    c ──┘                 c holds the arbiter's brick and mounts nothing.
"""

import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from xml.etree import ElementTree

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
STEP_SECONDS_MAX = 120
VOLUME = "v"
PREFIX = "sluice-two-hosts-"
# Turns off all that one host keeps for itself: the options of Gluster's own group `db-workload` and more.
CACHES_OFF = {f"performance.{cache}": "off" for cache in [
    "write-behind", "stat-prefetch", "quick-read", "read-ahead", "io-cache", "readdir-ahead",
    "open-behind"]}
# A host that is cut off notices this before others get its locks, because the client's time to notice
# (ping-timeout) is shorter than the server's (TCP's user timeout and keepalive).
TIMES = {
    "network.ping-timeout": "4", "client.tcp-user-timeout": "4",
    "server.tcp-user-timeout": "12", "server.keepalive-time": "6",
    "server.keepalive-interval": "2", "server.keepalive-count": "3"}
MOUNT_OPTIONS = "attribute-timeout=0,entry-timeout=0,direct-io-mode=enable"
# A descriptor whose locks a server has forgotten fails from then on.
LOCKS = {"client.strict-locks": "on"}
BASE = {**CACHES_OFF, **TIMES, **LOCKS}
NO_EAGER_LOCK = {"cluster.eager-lock": "off", "cluster.post-op-delay-secs": "0"}
CONFIGURATIONS = {
    # name: (hosts with a brick, words of `volume create`, options)
    "arbiter": ("abc", "replica 3 arbiter 1", BASE),
    "arbiter-strict": ("abc", "replica 3 arbiter 1", {**BASE, **NO_EAGER_LOCK}),
    "replica3-strict": ("abc", "replica 3", {**BASE, **NO_EAGER_LOCK}),
    "disperse-eager": ("abc", "disperse 3 redundancy 1", BASE),
    "disperse": ("abc", "disperse 3 redundancy 1", {
        **BASE, "disperse.eager-lock": "off", "disperse.other-eager-lock": "off"}),
    "arbiter-lax": ("abc", "replica 3 arbiter 1", {**CACHES_OFF, **TIMES}),
    "replica2-all": ("ab", "replica 2", {
        **BASE, "cluster.quorum-type": "fixed", "cluster.quorum-count": "2"}),
    "replica2": ("ab", "replica 2", {**BASE, "cluster.quorum-type": "none"}),
    "replica2-quorum": ("ab", "replica 2", {**BASE, "cluster.quorum-type": "auto"}),
}


class Failure(Exception):
    """A fault of the means that the test needs, not of the product."""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program on a host, started by `nsenter`, because only a child is in the host's pid
    namespace."""

    def __init__(self, host, command, log=None, **options):
        self.log = open(log, "ab") if log else subprocess.DEVNULL
        options.setdefault("stdin", subprocess.DEVNULL)
        self.entry = subprocess.Popen(
            host.prefix + command, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent,
            start_new_session=True, **options)
        self.handle = None
        children = f"/proc/{self.entry.pid}/task/{self.entry.pid}/children"
        end = time.monotonic() + 20
        while self.entry.poll() is None and time.monotonic() < end:
            try:
                with open(children) as file:
                    child = file.read().split()
                if child:
                    self.handle = os.pidfd_open(int(child[0]))
                    return
            except OSError:
                pass
            time.sleep(0.002)

    @property
    def is_running(self):
        return self.entry.poll() is None

    def signal(self, number):
        if self.handle is not None:
            try:
                signal.pidfd_send_signal(self.handle, number)
            except ProcessLookupError:
                pass

    def wait(self, seconds):
        """The exit code; None if the program does not end in time."""
        try:
            return self.entry.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.wait(20) is None:
            self.entry.kill()
            self.entry.wait()
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
        if self.log is not subprocess.DEVNULL:
            self.log.close()
        if self.entry.stdin:
            self.entry.stdin.close()


class Host:
    """Namespaces, held by their first process, which also collects the orphans of daemons."""

    HOLD = "echo; while :; do sleep 3600 & wait $!; done"

    def __init__(self, name, parts=("--mount", "--net", "--pid", "--ipc", "--uts")):
        self.name = name
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", self.HOLD],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=die_with_parent,
            start_new_session=True)
        if not select.select([self.holder.stdout], [], [], 20)[0] or not self.holder.stdout.read(1):
            raise Failure("no namespaces can be made here")
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as file:
            self.id = int(file.read().split()[0])
        self.prefix = ["nsenter", "--target", str(self.id), *parts, "--"]

    def run(self, *command, check=True, seconds=STEP_SECONDS_MAX):
        """Runs a command on this host and returns its output."""
        try:
            done = subprocess.run(
                self.prefix + list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"host {self.name}: {' '.join(command)}: not done in {seconds} s") from None
        if check and done.returncode:
            raise Failure(f"host {self.name}: {' '.join(command)}: {done.stdout.strip()}")
        return done.stdout

    def end(self):
        self.holder.kill()
        self.holder.wait()


def lock(directory):
    """Locks a file for as long as this process lives; None if another process has the lock."""
    file = open(os.path.join(directory, "lock"), "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def clear_away():
    """Removes the directories of runs that were killed. Their hosts ended with them."""
    for name in os.listdir(tempfile.gettempdir()):
        directory = os.path.join(tempfile.gettempdir(), name)
        # A directory that another run is just making has no lock yet.
        if name.startswith(PREFIX) and os.path.exists(os.path.join(directory, "lock")):
            held = lock(directory)
            if held:
                shutil.rmtree(directory, ignore_errors=True)
                held.close()


class Cluster:
    """Hosts a and b with the volume mounted at `mount`, and c if the configuration has it."""

    def __init__(self, configuration, extra=()):
        names, self.kind, options = CONFIGURATIONS[configuration]
        self.options = {**options, **dict(option.split("=", 1) for option in extra)}
        clear_away()
        self.directory = tempfile.mkdtemp(prefix=PREFIX)
        self.lock = lock(self.directory)
        self.mount = os.path.join(self.directory, "mnt")
        self.hosts, self.switch, self.names = {}, None, names

    def up(self):
        os.mkdir(self.mount)
        # Its commands see the pids of this machine, to name other hosts by them.
        self.switch = Host("switch", parts=["--net"])
        self.switch.run("ip", "link", "add", "bridge", "type", "bridge")
        self.switch.run("ip", "link", "set", "bridge", "up")
        for number, name in enumerate(self.names, 1):
            self.hosts[name] = self.connect(Host(name), number)
        for host in self.hosts.values():
            self.start_daemon(host)
        first = self.hosts["a"]
        for name in self.names[1:]:
            self.gluster("peer", "probe", self.hosts[name].address)
        self.wait_for("the hosts to know each other", lambda: first.run(
            "gluster", "peer", "status").count("(Connected)") == len(self.names) - 1)
        bricks = [f"{host.address}:{self.brick(host)}" for host in self.hosts.values()]
        self.gluster("volume", "create", VOLUME, *self.kind.split(), *bricks, "force")
        words = [word for option in self.options.items() for word in option]
        self.gluster("volume", "set", VOLUME, *words)
        self.gluster("volume", "start", VOLUME)
        for host in self.mounting:
            host.run("mount", "-t", "glusterfs", "-o", MOUNT_OPTIONS, f"{host.address}:/{VOLUME}",
                     self.mount)
        self.wait_for("all bricks", lambda: self.brick_count() == len(self.names))

    def version(self):
        return subprocess.run(["glusterfs", "--version"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()[0]

    def description(self):
        """The options of the volume, as words."""
        return [f"{key}={value}" for key, value in self.options.items()]

    def connect(self, host, number):
        cable, host.address = f"to-{host.name}", f"10.77.0.{number}"
        host.cable = cable
        self.switch.run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns",
                        str(host.id))
        self.switch.run("ip", "link", "set", cable, "master", "bridge", "up")
        host.run("ip", "addr", "add", f"{host.address}/24", "dev", "eth0")
        for link in ("eth0", "lo"):
            host.run("ip", "link", "set", link, "up")
        return host

    def start_daemon(self, host):
        """Starts glusterd with its own state and log, and its own /run and /dev/shm."""
        host.directory = os.path.join(self.directory, host.name)
        for part in ("lib", "log", "brick"):
            os.makedirs(os.path.join(host.directory, part))
        for mount in [["-t", "tmpfs", "tmpfs", "/run"], ["-t", "tmpfs", "tmpfs", "/dev/shm"],
                      ["--bind", f"{host.directory}/lib", "/var/lib/glusterd"],
                      ["--bind", f"{host.directory}/log", "/var/log/glusterfs"]]:
            host.run("mount", *mount)
        host.run("mkdir", "-p", "/run/gluster")
        host.run("hostname", f"host-{host.name}")
        host.daemon = Process(host, ["glusterd", "-N", "--log-level", "WARNING"],
                              log=os.path.join(host.directory, "glusterd.out"))
        self.wait_for("glusterd", lambda: "Number of Peers" in host.run(
            "gluster", "peer", "status", check=False))

    def brick(self, host):
        return os.path.join(host.directory, "brick/b")

    @property
    def mounting(self):
        return [self.hosts["a"], self.hosts["b"]]

    def gluster(self, *words, host="a"):
        return self.hosts[host].run("gluster", "--mode=script", *words)

    def wait_for(self, what, is_done, seconds=STEP_SECONDS_MAX):
        end = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s for {what}")
            time.sleep(0.2)

    # --- faults ---

    def pull_cable(self, name):
        self.switch.run("ip", "link", "set", self.hosts[name].cable, "down")

    def plug_cable(self, name):
        self.switch.run("ip", "link", "set", self.hosts[name].cable, "up")

    def kill_brick(self, name):
        """SIGKILL to the brick's process."""
        self.hosts[name].run("pkill", "-KILL", "-x", "glusterfsd", check=False)

    def start_brick(self, name):
        self.gluster("volume", "start", VOLUME, "force", host=name)

    def brick_count(self):
        """The number of bricks that are up, as the daemon of the first host knows it."""
        said = self.hosts["a"].run("gluster", "volume", "status", VOLUME, "--xml", check=False)
        try:
            nodes = ElementTree.fromstring(said).iter("node")
        except ElementTree.ParseError:
            return 0
        return sum(node.findtext("path", "").endswith("/brick/b") and node.findtext("status") == "1"
                   for node in nodes)

    def is_whole(self):
        """Whether all bricks are there and connected, and nothing waits to be healed. A file that is being
        written is in the list of possible candidates too, marked as not in need."""
        if self.brick_count() < len(self.names):
            return False
        said = self.hosts["a"].run("gluster", "volume", "heal", VOLUME, "info", check=False)
        counts = [line.split()[-1] for line in said.splitlines()
                  if line.startswith("Number of entries:")]
        return counts == ["0"] * len(self.names)

    def heal(self):
        """Makes the daemons look now, not later, for files to heal."""
        self.hosts["a"].run("gluster", "volume", "heal", VOLUME, check=False)

    def split(self):
        """The number of entries in split-brain."""
        said = self.hosts["a"].run(
            "gluster", "volume", "heal", VOLUME, "info", "split-brain", check=False)
        return sum(int(line.split()[-1]) for line in said.splitlines()
                   if "split-brain:" in line and line.split()[-1].isdigit())

    def down(self):
        """Removes everything. It may be called at any time, and again."""
        for host in [*self.hosts.values(), self.switch]:
            if host:
                host.end()
        self.hosts, self.switch = {}, None
        shutil.rmtree(self.directory, ignore_errors=True)
