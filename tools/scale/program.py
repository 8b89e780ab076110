"""A program of the rig, in a session of its own: a kill takes all that it has started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from fieldpost.errors import Ended
from fieldpost.processes import programs
from fieldpost.processes.started import Started

_STOP_S = 20.0


class Program(Started):
    """`argv`, from entering `with` until leaving it. It may be ended and started again.

    title: what people call it. log: where its output goes, appended. folder: where it runs.
    """

    def __init__(
        self,
        title: str,
        argv: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.title = title
        self._argv = list(argv)
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: programs.Watchdog | None = None

    @property
    def pid(self) -> int:
        """Of a program that has been started."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Raises Ended if it can't be started; does not wait until it is of use."""
        with self._log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._argv,
                    env=self._environment,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise Ended(f"{self.title} did not start: {error}") from None
        self._watchdog = programs.Watchdog(self._process)

    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def require(self) -> None:
        """Raises Ended with its last words if it does not run."""
        if not self.running():
            raise Ended(f"{self.title} has ended: {self.last_words()}")

    def signal(self, number: int) -> None:
        """To it and to all of its group: SIGSTOP makes it silent, SIGCONT goes on."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self, limit_s: float = _STOP_S) -> None:
        """SIGTERM, as a service manager ends it, and SIGKILL if that does not help."""
        if self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(limit_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it, and to all that it has started, as a power cut would."""
        if self._watchdog:
            self._watchdog.close()
            self._watchdog = None
        if self._process:
            kill_tree(self._process)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()

    def last_words(self) -> str:
        """The end of its log."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        lines = [line for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-6:])[-600:] or "no word"


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to a process, its group and its children, also those with a group of their own."""
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    psutil.wait_procs(children, timeout=5)
