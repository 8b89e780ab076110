"""What an emulated board is to be, as its process is told."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Setup:
    """What a machine is to be. Goes to its process as JSON.

    board: of the engine. image: what it boots. folder: for files of its own. littlefs: an
    image of its file system; None leaves it to the board to make an empty one. ports: which
    ports of the gateway answer, and the loopback port behind each. wired: the emulated
    sensors, as `fieldpost.wired.plan` has them. open_network: it reaches all that this machine
    can. real_time: its clock keeps to the wall clock, where an engine can do otherwise.
    program: the emulator, where that is one. settings: more arguments for it.
    """

    board: str
    image: Path
    folder: Path
    littlefs: Path | None = None
    ports: tuple[tuple[int, int], ...] = ()
    wired: dict[str, Any] | None = None
    open_network: bool = False
    real_time: bool = False
    program: str | None = None
    settings: tuple[str, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        given = json.loads(text)
        for name in ("image", "folder", "littlefs"):
            given[name] = given[name] and Path(given[name])
        given["settings"] = tuple(given["settings"])
        given["ports"] = tuple((gateway, loopback) for gateway, loopback in given["ports"])
        return cls(**given)
