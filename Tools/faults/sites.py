"""The places in the sidecar from which calls are made. The program's symbols name the place of a call;
its machine code gives the list of all places.
"""

import bisect
import collections
import re
import subprocess

# Modules below the sidecar's own. The report names their callers instead.
DEEP = ("SluiceSystem", "SluiceChannel", "C")


def module_of(symbol):
    """The module of a mangled name: SluiceFiles, …, "sluice" for the command, "C" for a function of
    CSluice, None if the name is not ours."""
    if symbol.startswith("sluice_") or symbol in C_FUNCTIONS:
        return "C"
    for count, module in (("11", "SluiceFiles"), ("12", "SluiceServer"), ("12", "SluiceSystem"),
                          ("13", "SluiceChannel"), ("13", "SluiceCommand"), ("12", "SluiceClient"),
                          ("10", "SluiceWire"), ("6", "sluice")):
        if symbol.startswith(f"$s{count}{module}"):
            return module
    # Closures, specialisations and accessors have the module further behind.
    found = re.match(r"\$s.*?(11SluiceFiles|12SluiceServer|12SluiceSystem|13SluiceChannel|12SluiceClient)",
                     symbol)
    return found.group(1)[2:] if found else None


def reason(module, function, name):
    """Why no run shows a sidecar that makes a call at such a place; None if no reason is known."""
    if module in ("SluiceClient", "SluiceWire"):
        return "the client's"
    if module in ("sluice", "SluiceCommand"):
        return "another command's, or that of a private sidecar"
    for words, text in REASONS:
        if any(word in name for word in words):
            return text
    if function in ("close", "munmap"):
        return "cleans up after a failure that the test cannot cause"
    return None


def reason_of_callers(symbol, callers):
    """The same for a copy of a function that the compiler also put into all its callers in the sidecar."""
    seen, waiting = set(), [symbol]
    while waiting:
        known = waiting.pop()
        if module_of(known) in ("SluiceFiles", "SluiceServer"):
            return None
        for caller in callers.get(known, ()):
            if caller not in seen:
                seen.add(caller)
                waiting.append(caller)
    return "a copy that nothing in the sidecar calls"


REASONS = [
    (["spawn", "run_beside", "receive_mapping", "SpawnedProcess", "sluice_become", "become(",
      "sluice_socket_connect", "connect(toSocket", "sluice_map_wiped_on_fork", "ProcessEpoch",
      "sluice_socket_pair", "SocketPair", "receiveWindow", "Life.attach", "attach(",
      "isSealedMemory", "sluice_memfd_is_sealed", "WindowView", "ClientEnd", "sluice_shm_open",
      "openSharedMemoryObject", "MetricsReading", "readMetrics", "sluice_thread_id", "sluice_map_zeros"],
     "the client's"),
    (["sluice_futex_wake"], "wakes, which cannot fail"),
    (["Sidecar.run(", "Server.run("], "when epoll_wait fails, which it does for wrong arguments only"),
    (["sluice_seccomp_enter_sandbox", "sluice_descriptor_is_open"], "another command's"),
]


# Static functions of CSluice.
C_FUNCTIONS = {"ofd_call", "socket_at", "spawn_program", "spawn_middle", "run_beside",
               "receive_mapping"}


class Program:
    def __init__(self, path):
        self.starts, self.symbols = [], []
        for line in run("nm", "--defined-only", "-n", path).splitlines():
            address, kind, symbol = line.split(maxsplit=2)
            if kind in "tTwW":
                self.starts.append(int(address, 16))
                self.symbols.append(symbol)
        self.names = {}
        self.disassembly = run("objdump", "-d", "--no-show-raw-insn", path).splitlines()

    def symbol_of(self, address):
        """The function that contains the call before this return address."""
        return self.symbols[bisect.bisect_right(self.starts, address - 1) - 1]

    def demangle(self, symbols):
        unknown = sorted({symbol for symbol in symbols if symbol not in self.names})
        if unknown:
            said = run("swift", "demangle", "--compact", "--simplified", input="\n".join(unknown))
            self.names.update(zip(unknown, said.splitlines()))

    def caller(self, callers):
        """The function that the report names for the call: the innermost one of the sidecar."""
        symbols = [self.symbol_of(address) for address in callers if address]
        ours = [symbol for symbol in symbols if module_of(symbol)]
        named = [symbol for symbol in ours if module_of(symbol) not in DEEP]
        return (named or ours or symbols)[0]

    def callers(self):
        """For each function, the functions that call it or take its address."""
        callers, symbol = collections.defaultdict(set), None
        for line in self.disassembly:
            if line.endswith(">:"):
                symbol = line.split("<", 1)[1][:-2]
            elif found := re.search(r"(call|jmp|lea)\s.*<([^+>@]+)>", line):
                if found.group(2) != symbol:
                    callers[found.group(2)].add(symbol)
        return callers

    def places(self, calls):
        """Every place in our code that calls one of these functions of libc: (function, symbol, return
        address). The address is None for a jump at the function's end."""
        places, symbol, waiting = [], None, None
        for line in self.disassembly:
            if line.endswith(">:"):
                symbol = line.split("<", 1)[1][:-2]
                waiting = None
                continue
            address, _, instruction = line.partition(":\t")
            if not instruction:
                continue
            if waiting:
                places.append((*waiting, int(address, 16)))
                waiting = None
            found = re.search(r"(call|jmp)\s.*<(\w+)@plt>", instruction)
            if found and found.group(2) in calls and module_of(symbol):
                if found.group(1) == "call":
                    waiting = (found.group(2), symbol)
                else:
                    places.append((found.group(2), symbol, None))
        return places


def run(*words, input=None):
    return subprocess.run(words, input=input, capture_output=True, text=True, check=True).stdout
