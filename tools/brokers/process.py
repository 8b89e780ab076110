"""One broker as a process on loopback, with whatever helps it, from `with` to its end."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from brokers.accounts import OWNER
from brokers.cache import Installed
from brokers.kinds import Kind, Place
from brokers.probe_client import ProbeClient, Refused
from fieldpost import programs
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import free_port
from fieldpost.started import Started

_SPARE_PORTS = 3
_STOP_S = 20.0


class RunningBroker(Started):
    """Keeps its folder and ports over a stop and a start."""

    def __init__(self, kind: Kind, installed: Installed) -> None:
        self.kind = kind
        self._installed = installed
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-broker-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        spare = tuple(free_port() for _ in range(_SPARE_PORTS))
        self._place = Place(self.folder, self.port, spare)
        self._processes: list[tuple[subprocess.Popen[bytes], programs.Watchdog]] = []

    def start(self) -> None:
        """Start it and wait until it lets the owner in. Raises CommandError if it does not."""
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
            with ProbeClient(self.port) as client:
                client.open("starter", OWNER)
                client.disconnect()
        except (OSError, Refused):
            return False
        return True
