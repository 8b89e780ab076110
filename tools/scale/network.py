"""Machines of a cluster on this one: a network namespace each, so that a link between can be cut.

    hub          swarm, proxy, collectors, store        10.231.1.254
     ├ clients   ─ node 0: 10.231.1.1, node 1: 10.231.1.2, …
     └ peers     ─ node 0: 10.231.2.1, node 1: 10.231.2.2, …

Both are bridges in the hub's namespace. The peers' one has no address there: what runs in the hub
can't reach it, as clients can't reach the network of a cluster's own.
"""

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from fieldpost.errors import CommandError, MissingTool
from fieldpost.processes.started import Started

NETMASK_BITS = 24
_HUB = "10.231.1.254"
_NAMESPACES = Path("/run/netns")
_OWN = Path("/proc/thread-self/ns/net")
_COUNTERS = Path("/proc/thread-self/net/snmp")
_NAME = re.compile(r"fieldpost-(\d+)-\w+$")
_CLONE_NEWNET = 0x40000000
_COMMAND_S = 20.0


class Places(Protocol):
    """Where the nodes of a cluster are: addresses, and how to run a command there."""

    def client_address(self, index: int) -> str:
        """Where node `index` listens for clients."""
        ...

    def peer_address(self, index: int) -> str:
        """Where it listens for the other nodes."""
        ...

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` on the machine of node `index`."""
        ...


class Loopback:
    """All on this machine, each node with addresses of its own. Linux answers to all of 127/8."""

    def client_address(self, index: int) -> str:
        return f"127.231.1.{index + 1}"

    def peer_address(self, index: int) -> str:
        return f"127.231.2.{index + 1}"

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        return list(argv)


def why_not() -> str | None:
    """Why there can be no namespaces here, in a sentence; None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    return None if shutil.which("ip") else "network namespaces need `ip`: apt install iproute2"


class Network(Started):
    """A namespace for clients, the hub, and one for each node, from entering `with` to its end.

    Raises CommandError on entering if they can't be made.
    """

    def __init__(self, nodes: int = 3) -> None:
        self.nodes = nodes
        self._tag = f"fieldpost-{os.getpid()}"
        self._undo = ExitStack()
        self._counters: list[TextIO] = []

    def start(self) -> None:
        why = why_not()
        if why:
            raise MissingTool(why)
        _remove_left_over()
        hub = self._namespace("hub")
        for bridge in ("clients", "peers"):
            _do("ip", "-n", hub, "link", "add", bridge, "type", "bridge")
            _do("ip", "-n", hub, "link", "set", bridge, "up")
        _do("ip", "-n", hub, "address", "add", f"{_HUB}/{NETMASK_BITS}", "dev", "clients")
        for index in range(self.nodes):
            node = self._namespace(f"node{index}")
            with self._inside(node):
                # It goes on telling of the namespace in which it was opened.
                self._counters.append(self._undo.enter_context(_COUNTERS.open()))
            for side, address in (
                ("clients", self.client_address(index)),
                ("peers", self.peer_address(index)),
            ):
                port = f"{side}{index}"
                _do(
                    *("ip", "link", "add", port, "netns", hub),
                    *("type", "veth", "peer", "name", side, "netns", node),
                )
                _do("ip", "-n", hub, "link", "set", port, "master", side, "up")
                _do("ip", "-n", node, "address", "add", f"{address}/{NETMASK_BITS}", "dev", side)
                _do("ip", "-n", node, "link", "set", side, "up")

    def close(self) -> None:
        """Remove all of it. What still runs there keeps its network until it ends."""
        self._undo.close()

    @property
    def hub_address(self) -> str:
        """Where the hub is reached from the nodes."""
        return _HUB

    def client_address(self, index: int) -> str:
        """Where node `index` listens for clients."""
        return f"10.231.1.{index + 1}"

    def peer_address(self, index: int) -> str:
        """Where it listens for the other nodes."""
        return f"10.231.2.{index + 1}"

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` on the machine of node `index`."""
        return ["ip", "netns", "exec", self._name(f"node{index}"), *argv]

    def in_hub(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` where the clients are."""
        return ["ip", "netns", "exec", self._name("hub"), *argv]

    def pids(self, index: int) -> list[int]:
        """The processes that run on the machine of node `index`."""
        told = _do("ip", "netns", "pids", self._name(f"node{index}"))
        return [int(word) for word in told.split()]

    def taken(self) -> int:
        """Connections that the nodes' machines have taken since the start, each other's too."""
        total = 0
        for file in self._counters:
            file.seek(0)
            names, values = [line.split() for line in file if line.startswith("Tcp:")]
            total += int(values[names.index("PassiveOpens")])
        return total

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Within the block, this thread is in the hub: its sockets, its threads, its children."""
        with self._inside(self._name("hub")):
            yield

    @contextmanager
    def _inside(self, name: str) -> Iterator[None]:
        with _OWN.open("rb") as before, (_NAMESPACES / name).open("rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def cut(self, index: int) -> None:
        """Part a node from the other nodes: what they send each other is lost without a word.

        Clients reach all of them as before.
        """
        self._port(index, "nomaster")

    def heal(self, index: int) -> None:
        """Undo `cut`."""
        self._port(index, "master", "peers")

    def _port(self, index: int, *words: str) -> None:
        _do("ip", "-n", self._name("hub"), "link", "set", f"peers{index}", *words)

    def _name(self, place: str) -> str:
        return f"{self._tag}-{place}"

    def _namespace(self, place: str) -> str:
        name = self._name(place)
        _do("ip", "netns", "add", name)
        self._undo.callback(_remove, name)
        _do("ip", "-n", name, "link", "set", "lo", "up")
        return name


def _enter(namespace: int) -> None:
    """By its descriptor. Python has os.setns from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise CommandError(f"can't enter a network namespace: {os.strerror(number)}")


def _remove_left_over() -> None:
    """Those of a process that was killed."""
    for one in list(_NAMESPACES.iterdir()) if _NAMESPACES.is_dir() else []:
        found = _NAME.match(one.name)
        if found and not Path("/proc", found[1]).exists():
            _remove(one.name)


def _remove(name: str) -> None:
    with contextlib.suppress(CommandError):
        _do("ip", "netns", "delete", name)


def _do(*command: str) -> str:
    """What it said. Raises CommandError if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_S)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
