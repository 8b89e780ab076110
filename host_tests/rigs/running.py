"""A command of ours as a process, its lines as they come."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fieldpost.paths import ROOT


class Running:
    """`fieldpost ARGUMENTS` in `cwd`. `lines`: what it has said so far."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fieldpost", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._new.put(line.rstrip("\n"))

    def says(self, text: str, limit_s: float = 30) -> str:
        """The next line with it."""
        return self.says_line(lambda line: text in line, limit_s, text)

    def says_line(
        self, is_it: Callable[[str], bool], limit_s: float = 30, what: str = "such a line"
    ) -> str:
        """The next line that is meant."""
        end = time.monotonic() + limit_s
        while True:
            try:
                line = self._new.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                said = "\n".join(self.lines)
                raise AssertionError(f"not said: {what}; but:\n{said}") from None
            self.lines.append(line)
            if is_it(line):
                return line

    def ends(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(20)

    def kill(self) -> None:
        """End it, however it is."""
        self._process.kill()
        self._process.wait()
