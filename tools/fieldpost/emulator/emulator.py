"""An emulated board that boots its genuine image, as a process of our own.

    image = PICO_W.find_image()
    with Emulator(image, files=for_pico_w().files, ports={1883: broker.port}) as board:
        board.console            # a pseudo-terminal, for mpremote or for reading along
        board.stats()            # TCP segments and bytes, as its radio saw them

The engine has the name of its access point and a password; the broker is at `GATEWAY`. See
docs/emulator.md for what is emulated well and what is not.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpost.emulator.addresses import GATEWAY as GATEWAY
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.littlefs import build_image, read_image
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.emulator.setup import Setup
from fieldpost.errors import Ended
from fieldpost.paths import DESK_PATH, PACKAGE
from fieldpost.processes.started import Started

_BOOT_S = 40.0
_ANSWER_S = 10.0
_STOP_S = 5.0


class EmulatorError(Ended):
    """The emulated board did not start, or has stopped."""


class Emulator(Started):
    """One emulated board. Boots on entering `with`, and is gone on leaving it.

    image: a file that `engine` boots (its `find_image`). files: contents by path, which become the
    board's file system; None leaves it to the board to make an empty one. littlefs: an image of a
    whole file system instead. ports: which ports of `GATEWAY` answer, and the loopback port behind
    each.
    wired: sensors at its pins, by a plan of `fieldpost.wired.plan`. What an engine needs in flash
    for that is there besides `files`, but not in a `littlefs` that was given.
    open_network: let the board reach everything that this machine can. real_time: keep a Pico W's
    clock to the wall clock even while no connection is open; else it jumps over its sleeps.
    program, settings: of the engine (`Setup`).
    """

    def __init__(
        self,
        image: Path,
        *,
        files: Mapping[str, bytes] | None = None,
        littlefs: Path | None = None,
        ports: Mapping[int, int] | None = None,
        wired: dict[str, Any] | None = None,
        open_network: bool = False,
        real_time: bool = False,
        engine: Engine = PICO_W,
        program: str | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        self._program = engine.program(program)
        self.engine = engine
        self.image = image
        self.console = ""
        self._files = files
        self._littlefs = littlefs
        self._ports = dict(ports or {})
        self._wired = wired
        self._open_network = open_network
        self._real_time = real_time
        self._settings = tuple(settings)
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-emulator-")
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def start(self) -> None:
        """Switch it on; returns when its console is there, within 40 s or with EmulatorError."""
        folder = Path(self._folder.name)
        self.engine.check(self.image)
        geometry = self.engine.file_system(self.image)
        littlefs = self._littlefs
        files = self._files
        if self._wired and littlefs is None and (more := self.engine.files_for_sensors()):
            files = {**(files or {}), **more}
        if files is not None:
            littlefs = folder / "start.littlefs"
            littlefs.write_bytes(build_image(files, geometry))
        setup = Setup(
            board=self.engine.board,
            image=self.image.resolve(),
            folder=folder,
            littlefs=littlefs and littlefs.resolve(),
            ports=tuple(self._ports.items()),
            wired=self._wired,
            open_network=self._open_network,
            real_time=self._real_time,
            program=self._program,
            settings=self._settings,
        )
        command = [sys.executable, "-m", "fieldpost.emulator.process", setup.as_json()]
        # What the emulator would cache stays with us, and it has no reason to dial out.
        environment = {
            **os.environ,
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join((str(PACKAGE.parent), str(DESK_PATH))),
        }
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        self.console = str(self._read_line(_BOOT_S, "start")["console"])

    @property
    def pid(self) -> int | None:
        """The emulator's process; None when it does not run."""
        return self._process.pid if self._process else None

    def stats(self, forget: bool = False) -> dict[str, Any]:
        """What the radio sent and received since the start, or since the last `forget`.

        `connections`: of each `host`, `port`, and under `sent` and `received` (by the board)
        `segments`, `data_segments` (those with payload), `bytes` of payload, and how many data
        segments were `repeated`. `frames`, `frame_bytes`: of everything, Ethernet header
        included. `refused`: connections to what is out of bounds. `dropped_datagrams`.
        `resets`: by the watchdog or machine.reset(). `board_ms`: the chip's own clock.
        """
        return self._ask({"do": "stats", "forget": forget})

    def set_network(
        self, *, ports: Mapping[int, int] | None = None, silent: bool | None = None
    ) -> None:
        """Change what answers; `silent`: let every frame vanish, in both directions."""
        request: dict[str, Any] = {"do": "network"}
        if ports is not None:
            request["ports"] = dict(ports)
        if silent is not None:
            request["silent"] = silent
        self._ask(request)

    def set_pace(self, real_time: bool) -> None:
        """See `real_time` of the class."""
        self._ask({"do": "pace", "real_time": real_time})

    def drive_pin(self, number: int, level: int) -> None:
        """Put a level to a GPIO from outside."""
        self._ask({"do": "pin", "number": number, "level": level})

    def reset(self) -> None:
        """The reset button. Returns when the console is back."""
        self._ask({"do": "reset"}, _BOOT_S)

    def power(self) -> None:
        """Take an ESP32-C3's power away in the middle of whatever it does, and give it back: flash
        alone is as it was."""
        self._ask({"do": "power"}, _BOOT_S)

    def cut_power(self) -> None:
        """Take it away; `power` gives it back."""
        self._ask({"do": "cut_power"})

    def load(self) -> dict[str, float]:
        """How an ESP32-C3 has spent a second: `busy`, the part in which it kept this machine at
        work, and `silent_s`, since when its console says nothing."""
        return self._ask({"do": "load"})

    def dump(self, target: Path) -> None:
        """Write the board's file system, as it is in flash at this moment, to a file."""
        self._ask({"do": "dump", "path": str(target.resolve())})

    def read_files(self) -> dict[str, bytes]:
        """The files in flash at this moment, by path."""
        target = Path(self._folder.name) / "dump.littlefs"
        self.dump(target)
        return read_image(target.read_bytes(), self.engine.file_system(self.image))

    def stop(self) -> None:
        """Switch it off. Killed if that takes over 5 s."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout
        process.stdin.close()  # the end of the requests is the end of the emulator
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._pending = b""

    def close(self) -> None:
        """Switch it off and remove its files."""
        self.stop()
        self._folder.cleanup()

    # Inside ------------------------------------------------------------------------------------

    def _ask(self, request: dict[str, Any], limit_s: float = _ANSWER_S) -> dict[str, Any]:
        if self._process is None:
            raise EmulatorError("the emulated board is switched off")
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise EmulatorError(self._explain("has stopped")) from None
        answer = self._read_line(limit_s, str(request["do"]))
        if not answer.pop("ok"):
            raise EmulatorError(f"the emulator refused '{request['do']}': {answer['error']}")
        return answer

    def _read_line(self, limit_s: float, what: str) -> dict[str, Any]:
        assert self._process and self._process.stdout
        pipe = self._process.stdout.fileno()
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                left_s = end - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    raise EmulatorError(self._explain(f"did not {what} within {limit_s:g} s"))
                data = os.read(pipe, 65536)
                if not data:
                    raise EmulatorError(self._explain("has stopped"))
                self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def _explain(self, what: str) -> str:
        log = Path(self._folder.name) / "log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        said = f" It said: {lines[-1]}" if lines else ""
        return f"the emulated {self.engine.title} {what}.{said}"
