"""HAProxy in front of the brokers: a node's broker is one name, and a cluster is several."""

import csv
import io
import os
import re
import shutil
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brokers.cache import Cache, Installed
from fieldpost.errors import CommandError, Ended
from fieldpost.processes.started import Started
from scale.program import Program

# docs/scale.md shows these lines to users: what a cluster was proved with is what they run.
# A node pings within its keepalive of 60 s; a proxy must not end what is quiet for that long.
CONFIGURATION = """\
global
    maxconn {connections}
    stats socket {control} mode 600 level operator

defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    option clitcpka
    option srvtcpka
    option redispatch
    retries 2

listen mqtt
    bind {host}:{port}
    balance leastconn
    default-server check inter 1s fall 3 rise 2 on-marked-down shutdown-sessions
"""
_START_S = 10.0
_LOOK_S = 0.05
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Traffic:
    """Counts since its start. dialled: connections that nodes have begun. open: of those, now.
    reached: connections that were handed to each broker, and that it took."""

    dialled: int
    open: int
    reached: tuple[int, ...]


class Proxy(Started):
    """One listener, handing each connection to the broker with the fewest.

    brokers: where MQTT clients are taken. connections: how many at once.
    """

    def __init__(
        self,
        cache: Cache,
        brokers: Sequence[tuple[str, int]],
        host: str,
        port: int,
        folder: Path,
        connections: int,
    ) -> None:
        self.host, self.port = host, port
        self._count = len(brokers)
        self._control = folder / "haproxy.sock"
        program, environment = _found(cache)
        servers = [f"    server node{n} {at}:{to}" for n, (at, to) in enumerate(brokers)]
        text = CONFIGURATION.format(
            connections=connections, control=self._control, host=host, port=port
        )
        file = folder / "haproxy.cfg"
        file.write_text(text + "\n".join(servers) + "\n")
        argv = [program, "-db", "-f", str(file)]
        self._program = Program("HAProxy", argv, folder / "haproxy.log", environment)

    @property
    def pid(self) -> int:
        return self._program.pid

    def start(self) -> None:
        """Until it answers. Raises CommandError."""
        self._program.start()
        end = time.monotonic() + _START_S
        while True:
            try:
                self.traffic()
                return
            except CommandError:
                self._program.require()
                if time.monotonic() > end:
                    raise
            time.sleep(_LOOK_S)

    def close(self) -> None:
        self._program.close()

    def traffic(self) -> Traffic:
        """As of now. Raises Ended if it does not answer."""
        try:
            told = self._ask("show stat")
        except OSError as error:
            raise Ended(f"HAProxy does not answer: {error}") from None
        rows = {row["svname"]: row for row in csv.DictReader(io.StringIO(told.lstrip("# ")))}
        front = rows["FRONTEND"]
        servers = [rows[f"node{number}"] for number in range(self._count)]
        reached = tuple(max(int(row["stot"]) - int(row["econ"] or 0), 0) for row in servers)
        return Traffic(int(front["stot"]), int(front["scur"]), reached)

    def version(self) -> str:
        """Of one that runs."""
        (version,) = re.findall(r"^Version: (.*)$", self._ask("show info"), re.MULTILINE)
        return str(version)

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(_ANSWER_S)
            control.connect(str(self._control))
            control.sendall(command.encode() + b"\n")
            told = b""
            while part := control.recv(65536):
                told += part
        return told.decode()


def _found(cache: Cache) -> tuple[str, dict[str, str]]:
    """(program, environment): this machine's own, else one out of Debian's packages."""
    here = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if here:
        return here, {}
    installed: Installed = cache.debian("haproxy")
    libraries = ":".join(str(one) for one in sorted(installed.folder.glob("usr/lib/*-linux-gnu")))
    program = installed.folder / "usr" / "sbin" / "haproxy"
    return str(program), {"LD_LIBRARY_PATH": libraries}
