"""An emulated Pico W that boots the genuine board image, as a process of our own.

    with Emulator(find_image(), files=for_pico_w().files, ports={1883: broker.port}) as board:
        board.console            # a pseudo-terminal, for mpremote or for reading along
        board.stats()            # TCP segments and bytes, as its radio saw them

Its access point is `SSID`, with any password of eight characters; the broker is at `GATEWAY`. See
docs/emulator.md for what is emulated well and what is not.
"""

import importlib.util
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpost.advice import install_command
from fieldpost.emulator.littlefs import build_image, read_image
from fieldpost.errors import BadFile, Ended, MissingTool, Usage
from fieldpost.paths import PACKAGE, cache_folder
from fieldpost.started import Started

SSID = "RP2040PY-GUEST"
GATEWAY = "10.0.0.1"
_BOOT_S = 40.0
_ANSWER_S = 10.0
_STOP_S = 5.0
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)")


class EmulatorError(Ended):
    """The emulated board did not start, or has stopped."""


def find_image(wanted: str | None = None) -> Path:
    """The Pico W image to boot: a path, a version such as 1.25.0, or the newest there is.

    Looked for in the cache folder's `images/`. Raises CommandError if there is none.
    """
    if wanted and ("/" in wanted or wanted.endswith(".uf2")):
        if Path(wanted).is_file():
            return Path(wanted)
        raise BadFile(f"there is no image {wanted}")
    folder = cache_folder() / "images"
    found = {
        tuple(map(int, version[1].split("."))): path
        for path in folder.glob("RPI_PICO_W-*.uf2")
        if (version := re.search(r"-v(\d+(?:\.\d+)*)\.uf2$", path.name))
    }
    if wanted:
        version = _VERSION.fullmatch(wanted)
        if not version:
            raise Usage(f"{wanted} is neither an image's path nor a version, as 1.25.0 is")
        asked = tuple(map(int, version[1].split(".")))
        found = {key: path for key, path in found.items() if key[: len(asked)] == asked}
    if not found:
        what = f"Pico W image of MicroPython {wanted}" if wanted else "Pico W image"
        raise BadFile(
            f"there is no {what} in {folder}. Download RPI_PICO_W-…-vX.Y.Z.uf2 from "
            "https://micropython.org/download/RPI_PICO_W/ into that folder, or give its path "
            "with --image."
        )
    return found[max(found)]


def require_package() -> None:
    """Raises CommandError, with what to do, if the emulator is not installed or can't run here."""
    if os.name == "nt":
        raise MissingTool("the emulated Pico W needs pseudo-terminals, which Windows has not")
    if importlib.util.find_spec("rp2040py") is None:
        raise MissingTool(
            f"the emulated Pico W needs the package rp2040py: `{install_command('rp2040py')}`"
        )


class Emulator(Started):
    """One emulated Pico W. Boots on entering `with`, and is gone on leaving it.

    image: a uf2 file (`find_image`). files: contents by path, which become the board's file
    system; None leaves it to the board to make an empty one. littlefs: an image of a whole file
    system instead. ports: which ports of `GATEWAY` answer, and the loopback port behind each.
    i2c: sensors on its pins, as `emulator_i2c.parse` takes them.
    open_network: let the board reach everything that this machine can. real_time: keep the chip's
    clock to the wall clock even while no connection is open; else it jumps over its sleeps.
    """

    def __init__(
        self,
        image: Path,
        *,
        files: Mapping[str, bytes] | None = None,
        littlefs: Path | None = None,
        ports: Mapping[int, int] | None = None,
        i2c: Sequence[str] = (),
        open_network: bool = False,
        real_time: bool = False,
    ) -> None:
        require_package()
        self.image = image
        self.console = ""
        self._files = files
        self._littlefs = littlefs
        self._ports = dict(ports or {})
        self._i2c = tuple(i2c)
        self._options = ["--open-network"] * open_network + ["--real-time"] * real_time
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-emulator-")
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def start(self) -> None:
        """Switch it on; returns when its console is there, within 40 s or with EmulatorError."""
        folder = Path(self._folder.name)
        littlefs = self._littlefs
        if self._files is not None:
            littlefs = folder / "start.littlefs"
            littlefs.write_bytes(build_image(self._files))
        command = [sys.executable, "-m", "fieldpost.emulator.process", "--image", str(self.image)]
        command += ["--littlefs", str(littlefs)] if littlefs else []
        for gateway, loopback in self._ports.items():
            command += ["--port", f"{gateway}:{loopback}"]
        for device in self._i2c:
            command += ["--i2c", device]
        # What the emulator would cache stays with us, and it has no reason to dial out.
        environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(PACKAGE.parent)}
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command + self._options,
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

    def dump(self, target: Path) -> None:
        """Write the board's file system, as it is in flash at this moment, to a file."""
        self._ask({"do": "dump", "path": str(target.resolve())})

    def read_files(self) -> dict[str, bytes]:
        """The files in flash at this moment, by path."""
        target = Path(self._folder.name) / "dump.littlefs"
        self.dump(target)
        return read_image(target.read_bytes())

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
        return f"the emulated Pico W {what}.{said}"
