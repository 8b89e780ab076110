"""An emulated board of the benchmarks: the node and other clients on it, and nothing that runs."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.parts import metadata_version
from fieldpost.board.link import BoardLink
from fieldpost.config.checked import with_checked
from fieldpost.deploy import pack
from fieldpost.deploy.build import for_emulator
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.errors import CommandError

PORT = 1883
MEASURE_S = 90.0
# What checks a configuration that the host has not checked: not on the board at all here, so that
# a node that wanted it could not start.
CHECKS = ("firmware/config/verify", "firmware/config/check", "firmware/config/keys")
# The emulated ESP32-C3 has no thermometer of its own.
_SENSORS: dict[str, list[dict[str, Any]]] = {
    "rp2": [{"type": "internal"}, {"type": "simulated"}],
    "esp32": [{"type": "simulated"}, {"type": "simulated", "name": "second", "prefix": True}],
}


def configuration(platform: str, **changes: Any) -> dict[str, Any]:
    """The node of the heap figures: two sensors, everything else as it comes."""
    return {
        "node": "bench",
        "boot_window_s": 0,
        "mqtt": {"host": GATEWAY, "port": PORT},
        "sample_s": 1,
        "ntp": {"host": None},
        "sensors": _SENSORS[platform],
        **changes,
    }


@dataclass(frozen=True)
class BenchBoard:
    """engine, image: what is emulated. clients: what else is on it, by path."""

    engine: Engine
    image: Path
    clients: Mapping[str, bytes]

    @property
    def password(self) -> str:
        return self.engine.password

    @property
    def depth(self) -> int:
        """Readings that wait before the node delivers; an ESP32-C3 takes a second for each."""
        return 20 if self.engine.platform == "esp32" else 50

    @property
    def emulator(self) -> str | None:
        """What emulates it, and its version."""
        program = self.engine.program()
        return metadata_version("rp2040py") if program is None else "QEMU"

    @cached_property
    def _firmware(self) -> dict[str, bytes]:
        whole = for_emulator(self.engine.platform)
        modules = {
            path: code for path, code in whole.modules.items() if not path.startswith(CHECKS)
        }
        return whole.files | {pack.PATH: pack.make(modules)}

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Of the node whose heap is measured."""
        return configuration(self.engine.platform, **changes)

    def boot(
        self,
        ports: Mapping[int, int],
        config: Mapping[str, Any] | None = None,
        more: Mapping[str, bytes] | None = None,
    ) -> Emulator:
        """Not yet started. ports: see `Emulator`. more: further files."""
        files = dict(self._firmware)
        files.pop("main.py", None)  # nothing runs by itself
        files["config.json"] = json.dumps(config or self.configuration()).encode()
        networks = [{"ssid": self.engine.ssid, "password": self.password}]
        files["secrets.json"] = json.dumps({"wifi": networks}).encode()
        files = with_checked(files) | dict(self.clients) | dict(more or {})
        return Emulator(self.image, files=files, ports=ports, engine=self.engine)

    def stages(self, link: BoardLink, call: str) -> dict[str, Any]:
        """What `call` of a script on the board said in a fresh interpreter: stage -> figures."""
        link.soft_reset()
        plain = int(link.exec("import gc\ngc.collect()\nprint(gc.mem_free())"))
        first = "import board_outside\n" if self.engine.platform == "esp32" else ""
        told = link.exec(f"{first}import {call.split('.')[0]}\n{call}", MEASURE_S).decode()
        return parse(plain, told)


def parse(plain: int, told: str) -> dict[str, Any]:
    """Stage -> what is free; `wake_ms`: of each wake."""
    stages: dict[str, Any] = {"plain": {"free": plain}}
    for line in told.splitlines():
        value = json.loads(line)
        if "stage" in value:
            stages[value.pop("stage")] = value
        elif "outside" in value:
            stages[value["outside"]]["outside"] = value["free"]
        elif "wake_ms" in value:
            stages.setdefault("wake_ms", []).append(value["wake_ms"])
    return stages


def why(error: CommandError) -> str:
    """An error of a board that nobody can unplug, without its port and that advice."""
    return re.sub(r"the board on \S+", "the board", str(error)).partition(". Unplug")[0]


def set_clock(link: BoardLink) -> None:
    """A certificate is valid at its time only."""
    now = time.gmtime()
    link.exec(
        f"import machine\nmachine.RTC().datetime(({now[0]},{now[1]},{now[2]},0,"
        f"{now[3]},{now[4]},{now[5]},0))"
    )
