"""The wake again over real TCP all the way: two network namespaces and a relay that delays frames.

A proxy in user space ends the client's TCP and begins another one to the broker, so Nagle's
algorithm and delayed acknowledgements act on each half alone, where nothing is slow. Here the
broker's kernel speaks to the client's over the whole round trip. Needs root on Linux, ip and
ethtool; everything is made for the run and gone after it.
"""

import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import port
from benchmarks.figures import Row, merge
from benchmarks.parts import Parts
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import find_mosquitto

ROUND_TRIP_MS = 50
READINGS = (1, 9, 10, 50)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fieldpost": ("fieldpost", {}),
    "Fieldpost without its nudge": ("fieldpost", {"no_nudge": True}),
    "umqtt.simple": ("umqtt.simple", {}),
    "umqtt.simple, Nagle off": ("umqtt.simple", {"no_delay": True}),
}
_ROUNDS = 5
_BURST = 50
_PORT = 1883
_NETWORK = "10.213.77"
_START_S = 10.0
_OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h: a frame that we sent ourselves
_EVERY_PROTOCOL = 3  # ETH_P_ALL


def why_not() -> str | None:
    """Why this can't run here, in a sentence; None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    missing = [name for name in ("ip", "ethtool") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


class Relay:
    """Hands Ethernet frames from one interface to the other, each way after `delay_ms`."""

    def __init__(self, interfaces: tuple[str, str], delay_ms: float) -> None:
        self._delay_s = delay_ms / 1000
        self._sockets = []
        for name in interfaces:
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
            raw.bind((name, 0))
            raw.setblocking(False)
            self._sockets.append(raw)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()
        for raw in self._sockets:
            raw.close()

    def _run(self) -> None:
        waiting: deque[tuple[float, socket.socket, bytes]] = deque()
        with selectors.DefaultSelector() as selector:
            for source, target in (self._sockets, reversed(self._sockets)):
                selector.register(source, selectors.EVENT_READ, target)
            while not self._stopping:
                due_s = waiting[0][0] - time.monotonic() if waiting else 0.1
                # select() rounds up to whole milliseconds: it wakes early, and the rest is spun.
                for key, _ in selector.select(max(due_s - 0.001, 0)):
                    assert isinstance(key.fileobj, socket.socket)
                    frame, address = key.fileobj.recvfrom(65536)
                    if address[2] != _OUTGOING:
                        waiting.append((time.monotonic() + self._delay_s, key.data, frame))
                while waiting and waiting[0][0] <= time.monotonic():
                    _, target, frame = waiting.popleft()
                    target.send(frame)


@contextmanager
def network(delay_ms: float) -> Iterator[tuple[str, str]]:
    """(client's namespace, broker's namespace), at addresses .1 and .2, joined by a relay."""
    tag = f"fpb{os.getpid() % 100000}"
    sides = (f"{tag}a", f"{tag}b")
    with ExitStack() as undo:
        for number, side in enumerate(sides, 1):
            _do("ip", "netns", "add", side)
            undo.callback(_do, "ip", "netns", "del", side)
            _do("ip", "link", "add", side, "type", "veth", "peer", "name", "up0", "netns", side)
            inside = ("ip", "netns", "exec", side)
            # Frames as they would be on the air: no segment is cut or joined by the interface.
            for where, name in ((inside, "up0"), ((), side)):
                off = [word for what in ("tx", "gro", "gso", "tso") for word in (what, "off")]
                _do(*where, "ethtool", "-K", name, *off)
            _do(*inside, "ip", "address", "add", f"{_NETWORK}.{number}/24", "dev", "up0")
            _do(*inside, "ip", "link", "set", "up0", "up")
            _do(*inside, "ip", "link", "set", "lo", "up")
            _do("ip", "link", "set", side, "up")
        undo.enter_context(Relay(sides, delay_ms))
        yield sides


@contextmanager
def broker(namespace: str, no_delay: bool) -> Iterator[None]:
    """Mosquitto in a namespace, as it comes or with `set_tcp_nodelay true`."""
    mosquitto = find_mosquitto()
    assert mosquitto
    with tempfile.TemporaryDirectory(prefix="fieldpost-broker-") as folder:
        lines = [
            f"listener {_PORT} {_NETWORK}.2",
            "allow_anonymous true",
            "persistence false",
            "user root",
            f"set_tcp_nodelay {'true' if no_delay else 'false'}",
        ]
        configuration = Path(folder) / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        inside = ("ip", "netns", "exec", namespace)
        process = subprocess.Popen(
            [*inside, mosquitto, "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            probe = f"import socket; socket.create_connection(('{_NETWORK}.2', {_PORT}), 1)"
            end = time.monotonic() + _START_S
            while subprocess.run(
                [*inside, sys.executable, "-c", probe], stderr=subprocess.DEVNULL
            ).returncode:
                if time.monotonic() > end:
                    raise CommandError("Mosquitto did not start in its namespace")
                time.sleep(0.1)
            yield
        finally:
            process.kill()
            process.wait()


def measure(parts: Parts, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each broker, client and number of readings."""
    rows: list[Row] = []
    with network(ROUND_TRIP_MS / 2) as (client_side, broker_side):
        for no_delay in (False, True):
            with broker(broker_side, no_delay):
                for readings in (1, 10) if quick else READINGS:
                    say(f"namespaces: {readings} readings, set_tcp_nodelay {no_delay}")
                    rows += _interleaved(parts, client_side, readings, no_delay, quick)
                rows += _bursts(parts, client_side, no_delay)
    return rows


def _bursts(parts: Parts, namespace: str, no_delay: bool) -> list[Row]:
    """Fifty readings at once on a quiet connection: there the kernel delays acknowledgements."""
    rows: list[Row] = []
    for name, (client, options) in VARIANTS.items():
        if client == "fieldpost":
            asked = {"do": "burst", "host": f"{_NETWORK}.2", "port": _PORT, "bursts": 15}
            inside = ("ip", "netns", "exec", namespace)
            told = port.ask(parts, client, 60, inside, readings=_BURST, **asked, **options)
            row: Row = {"client": name, "burst": _BURST, "broker_no_delay": no_delay}
            row |= {"ms": round(told["ms"], 3), "ms_max": round(told["delivered_ms"], 3)}
            rows.append(row)
    return rows


def _interleaved(
    parts: Parts, namespace: str, readings: int, no_delay: bool, quick: bool
) -> list[Row]:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for turn in range(1 if quick else _ROUNDS):
        for name, (client, options) in VARIANTS.items():
            if client == "umqtt.simple" and readings > 10 and turn:
                continue
            told = port.ask(
                parts,
                client,
                prefix=("ip", "netns", "exec", namespace),
                do="wake",
                host=f"{_NETWORK}.2",
                port=_PORT,
                readings=readings,
                **options,
            )
            runs[name].append({"ms": told["ms"], "delivered_ms": told["delivered_ms"]})
    return [
        {"client": name, "readings": readings, "broker_no_delay": no_delay, **merge(some)}
        for name, some in runs.items()
    ]


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    # ethtool says so, and goes on, where an interface has no such feature.
    if done.returncode and command[-1] != "off":
        raise CommandError(f"{' '.join(command)}: {done.stderr.strip()}")
