"""One broker as a process on loopback, with whatever helps it, from `with` to its end."""

import contextlib
import os
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from brokers.accounts import NODE_NAMES, OWNER
from brokers.cache import Installed
from brokers.kinds import Kind, Place
from brokers.probe_client import ProbeClient, Refused
from fieldpost.certs.authority import Authority
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.processes import programs
from fieldpost.processes.started import Started

_SPARE_PORTS = 3
# Whose certificate is a person's is that person only: the owner's session is to stay the owner's.
_STARTER = "starter"
_STOP_S = 20.0


def make_authority(folder: Path) -> Authority:
    """As `fieldpost certs` makes it: for the broker, and for everybody who comes."""
    authority = Authority(folder)
    authority.create("Fieldpost CA")
    authority.issue_server(["localhost", HOST])
    for name in NODE_NAMES.values():
        authority.issue_node(name)
    for name in (OWNER.user, _STARTER):
        authority.issue_person(name)
    return authority


class RunningBroker(Started):
    """Keeps its folder and ports over a stop and a start. Its upper one starts and ends with it.

    upper: of a bridge. authority: of its TLS.
    """

    def __init__(self, kind: Kind, installed: Installed) -> None:
        self.kind = kind
        self._installed = installed
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-broker-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        spare = tuple(free_port() for _ in range(_SPARE_PORTS))
        self.authority = make_authority(self.folder / "certs") if kind.has_tls else None
        self.upper = RunningBroker(kind.upper, installed) if kind.upper else None
        upper_port = self.upper.port if self.upper else None
        self._place = Place(self.folder, self.port, spare, self.authority, upper_port)
        self._processes: list[tuple[subprocess.Popen[bytes], programs.Watchdog]] = []

    def start(self) -> None:
        """Start it and wait until it lets the owner in. Raises CommandError if it does not."""
        if self.upper and not self.upper.running():
            self.upper.start()
        command = self.kind.command(self._installed, self._place)
        environment = {**os.environ, **command.environment}
        if command.helper:
            self._spawn(command.helper, environment)
        self._spawn(command.argv, environment)
        end = time.monotonic() + self.kind.start_s
        while time.monotonic() < end:
            if self._lets_in():
                return
            if self._processes[-1][0].poll() is not None:
                break
            time.sleep(0.05)
        said = self.last_words()
        self.kill()
        raise CommandError(f"{self.kind.title} did not start: {said}")

    def running(self) -> bool:
        """Whether its process lives."""
        return bool(self._processes) and self._processes[-1][0].poll() is None

    def stop(self) -> None:
        """SIGTERM, as a service manager ends it."""
        process = self._processes[-1][0]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to all that it has started."""
        for process, watchdog in reversed(self._processes):
            watchdog.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def close(self) -> None:
        """End it for good, and remove its files."""
        self.kill()
        self._folder.cleanup()
        if self.upper:
            self.upper.close()

    def context(self, person: str) -> ssl.SSLContext | None:
        """With which somebody who is no node comes in; None without TLS."""
        if not self.authority:
            return None
        if not self.kind.by_certificate:
            return ClientFiles(self.authority.broker / "ca.crt").context()
        own = self.authority.folder / "people" / person
        return ClientFiles(own / "ca.crt", own / "client.crt", own / "client.key").context()

    def last_words(self) -> str:
        """The end of its log."""
        log = self.folder / "log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return " / ".join(line for line in lines[-6:] if line.strip()) or "no word"

    def _spawn(self, argv: list[str], environment: dict[str, str]) -> None:
        with (self.folder / "log").open("ab") as log:
            try:
                process = subprocess.Popen(
                    argv,
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # A group of its own, so that all of it can be ended at once.
                    start_new_session=True,
                )
            except OSError as error:
                raise CommandError(f"{self.kind.title} did not start: {error}") from None
        self._processes.append((process, programs.Watchdog(process)))

    def _lets_in(self) -> bool:
        """Some listen before they know who may come in."""
        try:
            with ProbeClient(self.port, self.context(_STARTER)) as client:
                client.open("starter", OWNER)
                client.disconnect()
        except (OSError, Refused):
            return False
        return True
