"""Benchmark 3: what each client takes of a genuine image, and what its board's radio sends."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import footprint_tls
from benchmarks.bench_board import PORT, BenchBoard, why
from benchmarks.figures import Row
from benchmarks.packages import CHUMICRO
from benchmarks.parts import CLIENTS, Parts
from fieldpost.board.link import open_link
from fieldpost.deploy.build import for_emulator
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT

# On one connection the emulator's network stops after some 200 small segments: 40 readings of most
# other clients.
READINGS = (1, 20, 50)
_MOST_SEGMENTS = 200
# client -> of board_deliver.py, its further arguments, segments for each reading.
_DELIVERIES: dict[str, tuple[str, str, str, int]] = {
    "Fieldpost": ("fieldpost", "fieldpost", "", 1),
    "umqtt.simple": ("umqtt.simple", "umqtt", "", 5),
    "umqtt.robust2": ("umqtt.robust2", "robust2", "", 5),
    "chumicro-mqtt": ("chumicro-mqtt", "chumicro", "", 1),
    "mqtt_as, one by one": ("mqtt_as", "mqtt_as", ", False", 5),
    "mqtt_as, gathered": ("mqtt_as", "mqtt_as", ", True", 5),
}
_HEAPS = {
    "umqtt.simple": "measure_clients.measure_umqtt",
    "umqtt.robust2": "board_heap.robust2",
    "chumicro-mqtt": "board_heap.chumicro",
    "mqtt_as": "measure_clients.measure_mqtt_as",
    "Fieldpost's client": "measure_clients.measure_client",
}
NODE = "Fieldpost's whole node"
_QUICK = ("Fieldpost", "umqtt.simple", "Fieldpost's client", NODE)
_TRIES = 2
_DELIVERY_S = 25.0


def measure(
    parts: Parts,
    broker: Broker,
    engine: Engine,
    image: Path,
    folder: Path,
    quick: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """`mpy_bytes` by file, `heap` by client and stage, `loaded` files, `segments` and `tls`."""
    say(f"footprint, {engine.title}: compiling")
    sizes = {name: len(data) for name, data in for_emulator(engine.platform).modules.items()}
    clients = clients_for_board(parts)
    others = {name: len(data) for name, data in clients.items()}
    board = BenchBoard(engine, image, clients)
    found: dict[str, Any] = {"board": engine.title, "image": image.stem}
    found |= {"emulator": board.emulator, "mpy_bytes": dict(sorted((sizes | others).items()))}

    def boot() -> Emulator:
        return board.boot({PORT: broker.port})

    found["heap"], modules = _heap(parts, board, boot, quick, say)
    found["loaded"] = sorted(files_of(modules, sizes))
    found["segments"] = _segments(parts, board, boot, quick, say)
    if not quick:
        found["tls"] = footprint_tls.measure(board, folder, say)
    return found


def clients_for_board(parts: Parts) -> dict[str, bytes]:
    """Other clients as bytecode, by path on the board; umqtt.simple is there by other means."""
    wanted: dict[str, str] = {}
    if "mqtt_as" not in parts.missing:
        wanted["mqtt_as.py"] = "mqtt_as.py"
    if "chumicro-mqtt" not in parts.missing:
        wanted |= {path: path for package in CHUMICRO for path in package.inside}
    if "umqtt.robust2" not in parts.missing:
        # A second folder of the name umqtt would hide the first.
        wanted |= {f"umqtt2/{one}.py": f"umqtt/{one}.py" for one in ("robust2", "simple2")}
    made = {}
    for path, source in wanted.items():
        name = path.removesuffix(".py") + ".mpy"
        made[name] = compile_module(parts.folder / source, path)
    for script in ("measure", "measure_clients"):
        made[f"{script}.mpy"] = compile_module(ROOT / f"host_tests/board/{script}.py", script)
    for script in ("board_deliver", "board_heap", "board_outside", "board_tls"):
        made[f"{script}.mpy"] = compile_module(CLIENTS / f"{script}.py", script)
    return made


def _heap(
    parts: Parts,
    board: BenchBoard,
    boot: Callable[[], Emulator],
    quick: bool,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], list[str]]:
    """(client -> stage -> bytes, or why not; the modules that a Pico W's node has loaded)."""
    heap: dict[str, Any] = {}
    arguments = f"{board.engine.ssid!r}, {GATEWAY!r}, {PORT}, {board.password!r}"
    calls = {name: f"{call}({arguments})" for name, call in _HEAPS.items()}
    calls[NODE] = f"measure.measure_node({board.depth})"
    modules: list[str] = []
    for name, call in calls.items():
        if name in parts.missing or (quick and name not in _QUICK):
            continue
        for _ in range(_TRIES):
            say(f"footprint, {board.engine.title}: heap of {name}")
            try:
                with boot() as emulator, open_link(emulator.console, 30) as link:
                    heap[name] = board.stages(link, call)
                    # An ESP32's watchdog outlives the node, and begins the board anew.
                    if name == NODE and board.engine.platform != "esp32":
                        told = link.exec("import sys\nprint('\\n'.join(sys.modules))")
                        modules = told.decode().split()
                break
            except CommandError as error:
                heap[name] = {"not_run": why(error)}
    return heap, modules


def files_of(modules: Iterable[str], sizes: Mapping[str, int]) -> set[str]:
    """The files behind names of `sys.modules`."""
    found = set()
    for name in modules:
        path = name.replace(".", "/")
        for file in (f"{path}.mpy", f"{path}/__init__.mpy", f"lib/{path}.mpy"):
            if file in sizes:
                found.add(file)
    return found


def _segments(
    parts: Parts,
    board: BenchBoard,
    boot: Callable[[], Emulator],
    quick: bool,
    say: Callable[[str], None],
) -> list[Row]:
    """Each on a board of its own: lwIP's memory outlives a soft reset."""
    rows: list[Row] = []
    where = f"{board.engine.ssid!r}, {board.password!r}, {GATEWAY!r}, {PORT}"
    # The emulated ESP32-C3 loses an interrupt now and then; what a Pico W does it does again.
    tries = _TRIES if board.engine.platform == "esp32" else 1
    counts = READINGS[:2] if board.engine.platform == "esp32" else READINGS
    for readings in counts[:1] if quick else counts:
        for name, (client, script, options, each) in _DELIVERIES.items():
            row: Row = {"client": name, "readings": readings}
            rows.append(row)
            if quick and name not in _QUICK:
                row["not_run"] = "not in a quick run"
                continue
            if client in parts.missing:
                row["not_run"] = parts.missing[client]
                continue
            if readings * each > _MOST_SEGMENTS:
                row["not_run"] = "more small segments than the emulator's network takes"
                continue
            call = f"run({script!r}, {where}, {readings}{options})"
            for attempt in range(tries):
                say(f"footprint, {board.engine.title}: segments of {name}, {readings}")
                row.pop("not_run", None)
                try:
                    row |= _deliver(boot, call)
                    break
                except CommandError as error:
                    row["not_run"] = f"{why(error)} ({attempt + 1} tries)"
    return rows


def _deliver(boot: Callable[[], Emulator], call: str) -> Row:
    with boot() as board, open_link(board.console, 30) as link:
        # Whoever comes while boot.py is at work stops it, and then there is no firmware to import.
        link.soft_reset()
        board.stats(forget=True)
        told = link.exec(f"import board_deliver\nboard_deliver.{call}", _DELIVERY_S)
        used = [one for one in board.stats()["connections"] if one["sent"]["bytes"]]
    row: Row = {"ms": int(told)}
    for way in ("sent", "received"):
        for what in ("segments", "data_segments", "bytes"):
            row[f"{way}_{what}"] = sum(one[way][what] for one in used)
    return row
