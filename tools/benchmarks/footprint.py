"""Benchmark 3: what each client takes of a genuine Pico W image, and what its radio sends."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Row
from benchmarks.parts import CLIENTS, Parts, metadata_version
from fieldpost.board.link import BoardLink, open_link
from fieldpost.config.checked import with_checked
from fieldpost.deploy.build import for_pico_w
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.pico_w import SSID
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT

PORT = 1883
# On one connection the emulator's network stops after some 200 small segments: 40 readings of the
# other clients.
READINGS = (1, 20)
# The node of the heap figures: two sensors, everything else as it comes.
CONFIG: dict[str, Any] = {
    "node": "bench",
    "boot_window_s": 0,
    "mqtt": {"host": GATEWAY, "port": PORT},
    "sample_s": 1,
    "ntp": {"host": None},
    "sensors": [{"type": "internal"}, {"type": "simulated"}],
}
_SECRETS = {"wifi": [{"ssid": SSID, "password": "fieldpost"}]}
_DELIVERIES: dict[str, tuple[str, str]] = {
    "Fieldpost": ("fieldpost", ""),
    "umqtt.simple": ("umqtt", ""),
    "mqtt_as, one by one": ("mqtt_as", ", False"),
    "mqtt_as, gathered": ("mqtt_as", ", True"),
}
_MEASURE_S = 90.0
_TRIES = 2
# What checks a configuration that the host has not checked: not on the board at all here, so that
# a node that wanted it could not start.
CHECKS = ("firmware/config/verify", "firmware/config/check", "firmware/config/keys")


def measure(
    parts: Parts, broker: Broker, image: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """`mpy_bytes` by file, `heap` by client and stage, `loaded` files, `segments` rows."""
    say("footprint: compiling")
    built = for_pico_w(without=CHECKS)
    files = dict(built.files)
    sizes = {name: len(data) for name, data in sorted(for_pico_w().modules.items())}
    files.pop("main.py", None)  # nothing runs by itself
    for script in ("measure", "measure_clients"):
        path = ROOT / f"host_tests/board/{script}.py"
        files[f"{script}.mpy"] = compile_module(path, path.name)
    script = CLIENTS / "board_deliver.py"
    files["board_deliver.mpy"] = compile_module(script, script.name)
    if "mqtt_as" not in parts.missing:
        files["mqtt_as.mpy"] = compile_module(parts.folder / "mqtt_as.py", "mqtt_as.py")
        sizes["mqtt_as.mpy"] = len(files["mqtt_as.mpy"])
    files["config.json"] = json.dumps(CONFIG).encode()
    files["secrets.json"] = json.dumps(_SECRETS).encode()
    files = with_checked(files)
    found: dict[str, Any] = {"image": image.stem, "emulator": metadata_version("rp2040py")}
    found["mpy_bytes"] = sizes

    def boot() -> Emulator:
        return Emulator(image, files=files, ports={PORT: broker.port})

    with boot() as board, open_link(board.console, 30) as link:
        found["heap"] = _heap(parts, link, say)
        said = link.exec("import sys\nprint('\\n'.join(sys.modules))").decode().split()
        found["loaded"] = sorted(files_of(said, sizes))
    found["segments"] = _segments(parts, boot, say)
    return found


def _heap(parts: Parts, link: BoardLink, say: Callable[[str], None]) -> dict[str, Any]:
    network = f"{SSID!r}, {GATEWAY!r}, {PORT}"
    calls = {
        "umqtt.simple": f"measure_clients.measure_umqtt({network})",
        "mqtt_as": f"measure_clients.measure_mqtt_as({network})",
        "Fieldpost's client": f"measure_clients.measure_client({network})",
        "Fieldpost's whole node": "measure.measure_node(50)",
    }
    heap = {}
    for name, call in calls.items():
        if name in parts.missing:
            continue
        say(f"footprint: heap of {name}")
        link.soft_reset()
        plain = int(link.exec("import gc\ngc.collect()\nprint(gc.mem_free())"))
        told = link.exec(f"import {call.split('.')[0]}\n{call}", _MEASURE_S).decode()
        stages: dict[str, Any] = {"plain": {"free": plain}}
        for line in told.splitlines():
            value = json.loads(line)
            if "stage" in value:
                stages[value.pop("stage")] = value
        heap[name] = stages
    return heap


def files_of(modules: Iterable[str], sizes: Mapping[str, int]) -> set[str]:
    """The files behind names of `sys.modules`."""
    found = set()
    for name in modules:
        path = name.replace(".", "/")
        for file in (f"{path}.mpy", f"{path}/__init__.mpy", f"lib/{path}.mpy"):
            if file in sizes:
                found.add(file)
    return found


def _segments(parts: Parts, boot: Callable[[], Emulator], say: Callable[[str], None]) -> list[Row]:
    """Each on a board of its own: lwIP's memory outlives a soft reset."""
    rows: list[Row] = []
    for readings in READINGS:
        for name, (client, options) in _DELIVERIES.items():
            row: Row = {"client": name, "readings": readings}
            rows.append(row)
            if client in parts.missing:
                row["not_run"] = parts.missing[client]
                continue
            call = f"run({client!r}, {SSID!r}, {GATEWAY!r}, {PORT}, {readings}{options})"
            for attempt in range(_TRIES):
                say(f"footprint: segments of {name}, {readings}")
                row.pop("not_run", None)
                try:
                    row |= _deliver(boot, call)
                    break
                except CommandError as error:
                    row["not_run"] = f"{error} ({attempt + 1} tries)"
    return rows


def _deliver(boot: Callable[[], Emulator], call: str) -> Row:
    with boot() as board, open_link(board.console, 30) as link:
        board.stats(forget=True)
        told = link.exec(f"import board_deliver\nboard_deliver.{call}", _MEASURE_S)
        used = [one for one in board.stats()["connections"] if one["sent"]["bytes"]]
    row: Row = {"ms": int(told)}
    for way in ("sent", "received"):
        for what in ("segments", "data_segments", "bytes"):
            row[f"{way}_{what}"] = sum(one[way][what] for one in used)
    return row
