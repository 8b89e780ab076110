"""A node for the desk, made of a folder: its files, its sensors' stand-ins, its drivers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost import node_source
from fieldpost.board_json import for_board
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.provision import node_files
from fieldpost.wired.plan import plan

# Beside config.json: what is wired to the desk besides the built-in sensors.
WIRING = "desk.py"
PLAN = "desk.plan"
_SSID, _PASSWORD = "desk", "no-password"
_EXAMPLE = {"sample_s": 2, "sensors": [{"type": "bme280", "scl": 5, "sda": 4}]}


@dataclass(frozen=True)
class Source:
    """Where a node comes from. folder: with config.json; None: an example. drivers: None: those
    beside config.json. sample_s: in the place of the configuration's."""

    folder: Path | None = None
    drivers: Path | None = None
    settings: Sequence[str] = ()
    table: Path | None = None
    sample_s: int | None = None

    def places(self) -> list[Path]:
        """What a change of which makes another node of it."""
        found = (self.folder, self.drivers, self.table)
        return [one for one in found if one is not None]


@dataclass(frozen=True)
class DeskNode:
    """files: of the node, by name. path: folders of its own modules. topic: what it publishes
    under. wiring: the module that wires more."""

    name: str
    topic: str
    sensors: list[str]
    files: dict[str, bytes] = field(repr=False)
    path: tuple[Path, ...]
    wiring: str | None


def make(source: Source, broker: str, tls: ClientFiles) -> DeskNode:
    """Raises CommandError with all that is wrong with the configuration, or with what was told."""
    # What is no Python yet the node itself tells, with the line.
    node = node_source.read(
        source.folder, source.drivers, _EXAMPLE, name="desk", host="desk", unfinished=True
    )
    settings = node.settings
    sample_s = node.config.get("sample_s", settings["sample_s"])
    wired = plan(settings["sensors"], source.sample_s or sample_s, source.settings, source.table)
    config = _for_desk(node.config, source.sample_s)
    answers = node_files.Answers(_SSID, _PASSWORD, broker, settings["node"])
    files = node_files.make(answers, tls, config)
    contents = {name: data for name, data in files.contents().items() if name != PLAN}
    contents[PLAN] = for_board(wired, None)
    beside = source.folder if source.folder and source.folder.is_dir() else None
    is_wired = beside is not None and (beside / WIRING).is_file()
    drivers = node.drivers.folder if node.drivers else None
    path = [one for one in (drivers, beside if is_wired else None) if one]
    return DeskNode(
        name=settings["node"],
        topic=f"{settings['mqtt']['base']}/{settings['node']}",
        sensors=[f"{one['name']} ({one['type']})" for one in settings["sensors"]],
        files=contents,
        path=tuple(dict.fromkeys(path)),
        wiring=Path(WIRING).stem if is_wired else None,
    )


def _for_desk(given: dict[str, Any], sample_s: int | None) -> dict[str, Any]:
    """With what is another on a desk: the network, the time, and that nobody interrupts it."""
    config = node_source.moved(
        given,
        ntp={"host": None},
        boot_window_s=0,
        setup_pin=None,
        # Where in a driver a sensor failed is told at this level alone.
        log_level=given.get("log_level", "debug"),
    )
    if sample_s is not None:
        config["sample_s"] = sample_s
    return config
