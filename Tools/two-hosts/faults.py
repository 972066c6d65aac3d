"""The faults. Each is a method of Breaker: it breaks something, mends it, and returns words for the record.
After each fault the volume becomes whole again, and the databases are checked."""

import random
import time

FAULTS = ["sidecar", "client", "brick", "blink", "cut", "hold", "commit", "cut-sidecar"]
# Longer than both ends of the volume wait: see TIMES.
LONG_CUT_SECONDS = (15, 24)
HEAL_SECONDS_MAX = 180


class Breaker:
    def __init__(self, cluster, peers, arguments, say):
        self.cluster, self.peers, self.say = cluster, peers, say
        self.random = random.Random(arguments.seed)
        self.names = [name for name in arguments.faults
                      if any(peer.has_sidecars for peer in peers)
                      or name not in ("sidecar", "commit", "cut-sidecar")]
        self.counts = {name: 0 for name in self.names}

    @property
    def sidecars(self):
        return [peer for peer in self.peers if peer.has_sidecars]

    def run(self, until):
        bag = []
        time.sleep(2)
        while time.monotonic() < until:
            bag = bag or self.random.sample(self.names, len(self.names))
            name = bag.pop()
            host = self.random.choice(self.cluster.mounting)
            what = getattr(self, name.replace("-", "_"))(host)
            self.counts[name] += 1
            self.await_whole()
            for peer in self.peers:
                peer.check(name)
            self.say(f"{name}: {what}; " + ", ".join(
                f"{peer.name} {len(peer.logs.acknowledged)} acknowledged, "
                f"{sum(peer.logs.errors.values())} errors" for peer in self.peers))
            for peer in self.peers:
                self.await_progress(peer, name)
            time.sleep(self.random.uniform(0, 3))

    def await_whole(self):
        """Waits until all bricks are there and nothing waits to be healed."""
        end = time.monotonic() + HEAL_SECONDS_MAX
        while not self.cluster.is_whole():
            self.cluster.heal()
            # While a file is being written, it is in the list of files that may need healing.
            for peer in self.peers:
                peer.rest(1)
            if time.monotonic() > end:
                self.say(f"the volume is not whole after {HEAL_SECONDS_MAX} s; "
                         f"{self.cluster.split()} entries are in split-brain")
                return
            time.sleep(0.5)

    def await_progress(self, peer, name):
        """Waits until each host gets a transaction through again."""
        end = time.monotonic() + 90
        peer.logs.read()
        start = {host.name: self.progress(peer, host) for host in self.cluster.mounting}
        while any(self.progress(peer, host) == start[host.name] for host in self.cluster.mounting):
            if time.monotonic() > end:
                stuck = [host.name for host in self.cluster.mounting
                         if self.progress(peer, host) == start[host.name]]
                peer.note(f"after {name}: no transaction on host {' and '.join(stuck)} in 90 s")
                return
            time.sleep(0.2)
            peer.logs.read()

    @staticmethod
    def progress(peer, host):
        return sum(row.startswith(host.name + "-") for row in peer.logs.acknowledged)

    # --- faults ---

    def sidecar(self, host):
        for peer in self.sidecars:
            peer.kill_sidecar(host)
        return f"SIGKILL to the sidecar of {host.name}"

    def client(self, host):
        names = [peer.kill_client(host) for peer in self.peers]
        return f"SIGKILL to {' and '.join(names)}"

    def brick(self, host):
        name = self.random.choice(self.cluster.names)
        seconds = self.random.uniform(1, 8)
        self.cluster.kill_brick(name)
        time.sleep(seconds)
        self.cluster.start_brick(name)
        return f"SIGKILL to the brick of {name}, back after {seconds:.1f} s"

    def cut_for(self, host, seconds, meanwhile=lambda: None):
        self.cluster.pull_cable(host.name)
        try:
            half = self.random.uniform(0.2, 0.8) * seconds
            time.sleep(half)
            meanwhile()
            time.sleep(seconds - half)
        finally:
            self.cluster.plug_cable(host.name)

    def blink(self, host):
        """A cut that is shorter than the volume waits: everything stops, and no error appears."""
        seconds = self.random.uniform(0.5, 2.5)
        self.cut_for(host, seconds)
        return f"{host.name} without a network for {seconds:.1f} s"

    def cut(self, host):
        seconds = self.random.uniform(*self.random.choice([(4, 10), LONG_CUT_SECONDS]))
        self.cut_for(host, seconds)
        return f"{host.name} without a network for {seconds:.1f} s"

    def hold(self, host):
        """A writer changes pages in the file and then stops while its host is cut off and joined again.
        Meanwhile the other host may take its locks and roll its journal back. Then the writer commits."""
        seconds = self.random.uniform(*LONG_CUT_SECONDS)
        after = self.random.uniform(2, 6)
        held = [peer.hold(host, seconds + after) for peer in self.peers]
        self.cut_for(host, seconds)
        time.sleep(after + 1)
        names = [peer.name for peer, is_held in zip(self.peers, held) if is_held] or ["none"]
        return (f"{host.name} without a network for {seconds:.1f} s, with a transaction open of "
                + " and ".join(names))

    def commit(self, host):
        """A slow disk makes the steps of a commit so long that the cut falls between two of them."""
        for peer in self.sidecars:
            peer.replace_sidecar(host, "--sync-delay", str(self.random.choice([150, 400])))
        time.sleep(self.random.uniform(1, 3))
        seconds = self.random.uniform(*self.random.choice([(2, 8), LONG_CUT_SECONDS]))
        self.cut_for(host, seconds)
        time.sleep(self.random.uniform(1, 3))
        for peer in self.sidecars:
            peer.replace_sidecar(host)
        return f"{host.name} without a network for {seconds:.1f} s, with slow syncs"

    def cut_sidecar(self, host):
        """Kills the sidecar, or tells it to end, while its host is cut off."""
        seconds = self.random.uniform(6, 20)
        is_told = self.random.random() < 0.5

        def meanwhile():
            for peer in self.sidecars:
                if is_told:
                    peer.replace_sidecar(host)
                else:
                    peer.kill_sidecar(host)
        self.cut_for(host, seconds, meanwhile)
        return (f"{host.name} without a network for {seconds:.1f} s and more, meanwhile "
                f"{'SIGTERM' if is_told else 'SIGKILL'} to its sidecar")
