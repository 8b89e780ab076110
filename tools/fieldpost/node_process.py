"""A node as a process on this machine: the firmware in MicroPython's unix port.

Where nobody packages MicroPython, CPython runs the same files.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from fieldpost import umqtt
from fieldpost.board_json import for_board
from fieldpost.errors import MissingTool
from fieldpost.file_names import CONFIG, SECRETS
from fieldpost.paths import CPYTHON_SHIMS, LIB, ROOT
from fieldpost.processes import programs

Interpreter = Literal["micropython", "cpython"]
# A Pico W's heap is 192 KiB of 32-bit words. In a 64-bit process each word is twice as wide, so
# that twice the bytes hold the same number of objects.
HEAP_KIB = 384
_STOP_S = 5.0
_WAITS_S = 1.0


def find_micropython() -> str | None:
    """The path of MicroPython's unix port, beside this Python or on the PATH."""
    return shutil.which("micropython", path=Path(sys.executable).parent) or shutil.which(
        "micropython"
    )


def send_ctrl_c(process: "subprocess.Popen[Any]") -> None:
    """SIGINT, once the node waits for something.

    MicroPython's unix port takes Ctrl-C at once, wherever it is: one that comes within a
    collection leaves the heap locked, and every allocation after it fails. A board's port takes
    it between two bytecodes.
    """
    import psutil

    end = time.monotonic() + _WAITS_S
    try:
        while psutil.Process(process.pid).status() != psutil.STATUS_SLEEPING:
            if time.monotonic() > end:
                break
            time.sleep(0.001)
    except psutil.Error:
        pass  # It has ended.
    process.send_signal(signal.SIGINT)


class NodeProcess:
    """Runs our main.py in `folder`, which is the node's file system, until this process ends.

    on_line: called, from a thread, with each line of the node's console.
    interpreter: None takes MicroPython if there is one.
    main: in the place of main.py. path: where it finds more modules, after the firmware's own.
    environment: variables for it, besides those that are there. heap_kib: of MicroPython.
    """

    def __init__(
        self,
        folder: Path,
        on_line: Callable[[str], None],
        interpreter: Interpreter | None = None,
        *,
        main: Path | None = None,
        path: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        heap_kib: int = HEAP_KIB,
    ) -> None:
        self._main = main
        self._heap_kib = heap_kib
        self._path = tuple(path)
        self._environment = dict(environment or {})
        self._micropython = None if interpreter == "cpython" else find_micropython()
        if interpreter == "micropython" and not self._micropython:
            raise MissingTool("no MicroPython is packaged for this platform: use cpython")
        self.interpreter: Interpreter = "micropython" if self._micropython else "cpython"
        self._folder = folder
        self._on_line = on_line
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._watchdog: programs.Watchdog | None = None

    def write_files(self, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        """Put config.json and secrets.json into the node's file system."""
        (self._folder / CONFIG).write_bytes(for_board(config))
        secret = self._folder / SECRETS
        secret.touch(mode=0o600)
        secret.write_bytes(for_board(secrets))

    def start(self) -> None:
        """Power it up."""
        command, environment = self._command()
        self._process = subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, **self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # In a session of its own, so that Ctrl-C in the terminal ends it when we say so.
            start_new_session=True,
        )
        self._watchdog = programs.Watchdog(self._process)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """It stands still within the block: nothing of it is on its way to anybody."""
        import psutil

        assert self._process
        process = psutil.Process(self._process.pid)
        with suppress(psutil.Error):  # It has ended.
            process.suspend()
        try:
            yield
        finally:
            with suppress(psutil.Error):
                process.resume()

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else None

    def interrupt(self) -> int | None:
        """Ctrl-C at its console: it keeps what it has and ends. Killed if it takes over 5 s."""
        if self._process and self._process.poll() is None:
            send_ctrl_c(self._process)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                pass  # kill() is next
        return self.kill()

    def kill(self) -> int | None:
        """Cut its power."""
        if self._process is None:
            return None
        if self._watchdog:
            self._watchdog.close()
            self._watchdog = None
        self._process.kill()
        status = self._process.wait()
        if self._reader:
            self._reader.join(_STOP_S)
        return status

    def _command(self) -> tuple[list[str], dict[str, str]]:
        main = str(self._main or ROOT / "main.py")
        folders = [ROOT, LIB, umqtt.TARGET.parents[1], *(one.resolve() for one in self._path)]
        if self._micropython:
            path = ":".join([*map(str, folders), ".frozen"])
            return [self._micropython, "-X", f"heapsize={self._heap_kib}K", main], {
                "MICROPYPATH": path
            }
        path = os.pathsep.join(map(str, (*folders, CPYTHON_SHIMS)))
        return [sys.executable, "-u", main], {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def _read(self) -> None:
        assert self._process and self._process.stdout
        for line in self._process.stdout:
            self._on_line(line.rstrip("\n"))
