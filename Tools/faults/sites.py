"""From where in the sidecar a call is made: by the program's symbols, and by its machine code the
list of all places where such a call stands.
"""

import bisect
import collections
import re
import subprocess

# Modules that serve the proxy, of whose callers the reader wants to be told.
DEEP = ("SluiceSystem", "SluiceChannel", "C")


def module_of(symbol):
    """The module of a mangled name: SluiceFiles, …, "sluice" for the command, "C" for a function of
    CSluice, None for what is not ours."""
    if symbol.startswith("sluice_") or symbol in C_FUNCTIONS:
        return "C"
    for count, module in (("11", "SluiceFiles"), ("12", "SluiceSystem"), ("13", "SluiceChannel"),
                          ("12", "SluiceClient"), ("10", "SluiceWire"), ("6", "sluice")):
        if symbol.startswith(f"$s{count}{module}"):
            return module
    # Closures, specialisations and accessors have it further behind.
    found = re.match(r"\$s.*?(11SluiceFiles|12SluiceSystem|13SluiceChannel|12SluiceClient)", symbol)
    return found.group(1)[2:] if found else None


def reason(module, function, name):
    """Why no sidecar is seen to make a call at such a place; None where that is not known."""
    if module in ("SluiceClient", "SluiceWire"):
        return "the client's"
    if module == "sluice":
        return "another command's, or that of a private sidecar"
    for words, text in REASONS:
        if any(word in name for word in words):
            return text
    if function in ("close", "munmap"):
        return "gives back what was had when something fails that cannot be made to fail"
    return None


def reason_of_callers(symbol, callers):
    """The same for a copy of a function that was compiled into all its callers in the sidecar too."""
    seen, waiting = set(), [symbol]
    while waiting:
        known = waiting.pop()
        if module_of(known) == "SluiceFiles":
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
      "openSharedMemoryObject", "MetricsReading", "sluice_thread_id", "sluice_map_zeros"],
     "the client's"),
    (["sluice_futex_wake"], "wakes, which cannot fail"),
    (["Sidecar.run("], "when epoll_wait fails, which it does for wrong arguments only"),
    (["sluice_seccomp_enter_sandbox", "sluice_descriptor_is_open"], "another command's"),
]


# Those of CSluice that are static.
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
        """The function in which the call before this return address stands."""
        return self.symbols[bisect.bisect_right(self.starts, address - 1) - 1]

    def demangle(self, symbols):
        unknown = sorted({symbol for symbol in symbols if symbol not in self.names})
        if unknown:
            said = run("swift", "demangle", "--compact", "--simplified", input="\n".join(unknown))
            self.names.update(zip(unknown, said.splitlines()))

    def caller(self, callers):
        """The function by which a reader knows the call: the innermost of the proxy."""
        symbols = [self.symbol_of(address) for address in callers if address]
        ours = [symbol for symbol in symbols if module_of(symbol)]
        named = [symbol for symbol in ours if module_of(symbol) not in DEEP]
        return (named or ours or symbols)[0]

    def callers(self):
        """By function: those that call it or know its address."""
        callers, symbol = collections.defaultdict(set), None
        for line in self.disassembly:
            if line.endswith(">:"):
                symbol = line.split("<", 1)[1][:-2]
            elif found := re.search(r"(call|jmp|lea)\s.*<([^+>@]+)>", line):
                if found.group(2) != symbol:
                    callers[found.group(2)].add(symbol)
        return callers

    def places(self, calls):
        """Every place in our code where one of these functions of libc is called: (function, symbol,
        return address, or None for a jump at the function's end)."""
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
