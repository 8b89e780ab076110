"""Benchmark 7: where a wake's time goes, on emulated boards, beside the code of an older commit.

clients/board_wake.py times a node's wakes on the board. Its clock there counts what the chip does
and nothing of this machine: cycles on the Pico W, instructions on the ESP32-C3.
"""

import base64
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.bench_board import PORT, configuration
from benchmarks.figures import Row, pick
from benchmarks.footprint import files_of
from benchmarks.parts import CLIENTS
from fieldpost import umqtt
from fieldpost.board.link import open_link
from fieldpost.deploy.compile import compile_module, compile_source
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT

# The last commit with a tree of modules on the board, before one file held them.
BEFORE_COMMIT = "ec6174cf83c1a9973f7c99b9b0760a65baea70e3"
NOW, BEFORE = "now", "before"
READS, DELIVERS, EARLY = "only reads", "delivers", "too early"
# Each begins with one of these marks of board_wake.py.
_PHASES = {
    "boot.py": ("boot.py",),
    "application loaded": ("main.py",),
    "settings": ("read_settings",),
    "node built": ("read_settings done", "build"),
    "reading": ("build done", "loop", "measure"),
    "joining": ("radio",),
    "connecting": ("joined",),
    "delivering": ("CONNECT",),
    "radio off": ("closed",),
}
PHASES = tuple(_PHASES)
_PHASE_OF = {mark: phase for phase, marks in _PHASES.items() for mark in marks}
# What the node does itself before CONNECT leaves.
TO_CONNECT = PHASES[: PHASES.index("delivering")]
# After each of these the board is reset: a cold start, wakes until a batch is complete, and one
# that a sleep's end came too early for.
_PLAN = ("first", "wake", "wake", "wake", "early")
_CONFIG: dict[str, Any] = {
    "node": "bench",
    "boot_window_s": 0,
    "mode": "duty_cycle",
    "mqtt": {"host": GATEWAY, "port": PORT},
    "sample_s": 60,
    "deliver_every": 3,
    "ntp": {"host": None},
    # An emulated ESP32-C3 has no other that works.
    "sensors": [
        {"type": "simulated"},
        {"type": "simulated", "name": "second", "prefix": "second_"},
    ],
}
# An instruction takes 8 ns of the emulated chip's clock, and nothing else moves it but waits.
_COUNTED = ("-icount", "shift=3,sleep=on")
_WAKES_S = 150.0
_MEASURE_S = 90.0
_TREE_S = 120.0
_TRIES = 2

# Without the search for the largest piece: one that it made can seem to be in use for ever after.
_MEASURE = """
import gc, json, measure
def say(stage):
    gc.collect()
    gc.collect()
    print(json.dumps({"stage": stage, "free": gc.mem_free()}))
measure.say = say
measure.measure_node(50)
"""

Say = Callable[[str], None]


class Tree:
    """The files of a checkout for one board, by of_tree.py."""

    def __init__(self, root: Path, engine: Engine, config: dict[str, Any]) -> None:
        password = "fieldpost" if engine is PICO_W else engine.password
        wifi = [{"ssid": engine.ssid, "password": password}]
        asked = {"platform": engine.platform, "config": config, "secrets": {"wifi": wifi}}
        script = Path(__file__).with_name("of_tree.py")
        done = subprocess.run(
            [sys.executable, str(script), str(root)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_TREE_S,
        )
        if done.returncode:
            raise CommandError(f"the firmware of {root.name}: {done.stderr.splitlines()[-1]}")
        told = json.loads(done.stdout)
        self.files = {path: base64.b64decode(data) for path, data in told["files"].items()}
        self.mpy_bytes: dict[str, int] = told["mpy_bytes"]


def measure(broker: Broker, image: Path | None, quick: bool, say: Say) -> dict[str, Any]:
    """`wakes`: a row for each board, code and kind of wake. `modules`: what each takes to import.
    `outbox_ms`: by board, to find what is on flash. `heap`, `mpy`: of the whole node that is
    always on, by code. `not_run`: what, and why.

    image: of the Pico W. quick: the Pico W's wakes alone.
    """
    found: dict[str, Any] = {"wakes": [], "modules": [], "outbox_ms": {}, "heap": {}, "mpy": {}}
    found["not_run"] = {}
    with tempfile.TemporaryDirectory(prefix="fieldpost-bench-") as folder:
        roots = {NOW: ROOT}
        if why := _unpack(Path(folder)):
            found["not_run"]["a wake of the code before"] = why
        else:
            roots[BEFORE] = Path(folder)
        for engine in (PICO_W,) if quick else (PICO_W, ESP32_C3):
            try:
                _measure_board(engine, image, roots, broker, quick, found, say)
            except CommandError as error:
                # The rest of a long run is not to be lost for it.
                found["not_run"][f"wakes of the {engine.title}"] = str(error).splitlines()[0]
        if image and not quick:
            for code, root in roots.items():
                say(f"phases: heap of the whole node, {code}")
                found["heap"][code], found["mpy"][code] = _whole_node(root, image, broker)
    return found


def _measure_board(
    engine: Engine,
    image: Path | None,
    roots: dict[str, Path],
    broker: Broker,
    quick: bool,
    found: dict[str, Any],
    say: Say,
) -> None:
    """One board's part of `found`. Raises CommandError for what keeps it from being measured."""
    engine.require()
    if engine is not PICO_W:
        # The oldest that joins: docs/emulator.md says why.
        image = engine.find_image("1.24")
    if image is None:
        raise CommandError("no image for it")
    found.setdefault("images", []).append(image.stem)
    for code, root in roots.items():
        say(f"phases: wakes of the {engine.title}, {code}")
        tree = Tree(root, engine, _CONFIG)
        wakes = _wakes(engine, image, tree, broker, False)
        found["wakes"] += rows_of(wakes, engine.title, code)
        if code == NOW and not quick:
            say(f"phases: imports on the {engine.title}")
            wakes = _wakes(engine, image, tree, broker, True)
            found["modules"] += modules_of(wakes, engine.title)
            found["outbox_ms"][engine.title] = outbox_ms(wakes)


def rows_of(wakes: Iterable[dict[str, Any]], board: str, code: str) -> list[Row]:
    """A row for each kind of wake, the last of each: `phases`, of which each has what the
    processor did for the node (`cpu_ms`), what it waited, and what the radio's driver took.

    wakes: as board_wake.py tells of them, in order.
    """
    rows: dict[str, Row] = {}
    for wake in wakes:
        marks = wake["marks"]
        names = [mark[0] for mark in marks]
        if wake["kind"] == "first":
            continue
        kind = EARLY if wake["kind"] == "early" else DELIVERS if "CONNECT" in names else READS
        phases: dict[str, Row] = {}
        before = ("boot.py", 0, 0, 0)
        for mark in marks:
            phase = _PHASE_OF[before[0]]
            if phase == "joining" and "joined" not in names:
                phase = "radio off"
            elif phase == "node built" and "build" not in names:
                phase = "reading"
            took = phases.setdefault(phase, {"cpu_ms": 0.0, "waited_ms": 0.0, "radio_ms": 0.0})
            whole, waited, radio = ((mark[n] - before[n]) / 1000 for n in (1, 2, 3))
            took["cpu_ms"] += whole - waited - radio
            took["waited_ms"] += waited
            took["radio_ms"] += radio
            before = mark
        for took in phases.values():
            took.update({name: round(value, 1) for name, value in took.items()})
        row: Row = {"board": board, "code": code, "wake": kind, "phases": phases}
        row["free"] = wake["free"]
        rows[kind] = row
    return list(rows.values())


def modules_of(wakes: Iterable[dict[str, Any]], board: str) -> list[Row]:
    """What each module of the last wake that delivers takes to import, without those that it
    imports itself; the longest first."""
    last = _delivering(wakes)
    by_name: dict[str, float] = {}
    for name, took_us in last["modules"]:
        by_name[name] = by_name.get(name, 0) + took_us / 1000
    rows = [{"board": board, "module": name, "ms": round(ms, 1)} for name, ms in by_name.items()]
    return sorted(rows, key=lambda row: -row["ms"])


def outbox_ms(wakes: Iterable[dict[str, Any]]) -> float | None:
    """What the last wake that delivers takes to find what waits on flash."""
    when = {mark[0]: mark[1] for mark in _delivering(wakes)["marks"]}
    if "outbox" not in when:
        return None
    return round((when["outbox done"] - when["outbox"]) / 1000, 1)


def cpu_ms(row: Row | None, phases: Iterable[str] = PHASES) -> float | None:
    """What the processor did for the node in these phases; None without a row."""
    if row is None:
        return None
    return sum(row["phases"][name]["cpu_ms"] for name in phases if name in row["phases"])


def total(row: Row, figure: str) -> float:
    """Of all its phases."""
    return sum(phase[figure] for phase in row["phases"].values())


def to_connect(rows: Iterable[Row], board: str, code: str) -> float | None:
    """Milliseconds of the processor until CONNECT of a wake that delivers."""
    return cpu_ms(pick(rows, board=board, code=code, wake=DELIVERS), TO_CONNECT)


def told(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The wakes that board_wake.py has told of. Raises CommandError for one that failed."""
    wakes: list[dict[str, Any]] = []
    for line in lines:
        word, _, text = line.partition(" ")
        if word == "WAKE" and text.startswith("{"):
            wakes.append(json.loads(text) | {"marks": [], "modules": []})
            if wakes[-1]["failure"]:
                raise CommandError(f"a wake ended in a {wakes[-1]['failure']}")
        elif word in ("MARK", "MODULE") and wakes:
            try:
                wakes[-1]["marks" if word == "MARK" else "modules"].append(json.loads(text))
            except ValueError:
                raise CommandError(f"the console lost a part of: {line}") from None
    return wakes


def _delivering(wakes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The last wake that delivers."""
    last: dict[str, Any] = {"modules": [], "marks": []}
    for wake in wakes:
        if wake["kind"] == "wake" and any(mark[0] == "CONNECT" for mark in wake["marks"]):
            last = wake
    return last


def _wakes(
    engine: Engine, image: Path, tree: Tree, broker: Broker, with_modules: bool
) -> list[dict[str, Any]]:
    files = dict(tree.files)
    for name in ("board_wake", "board_slept"):
        script = CLIENTS / f"{name}.py"
        # Each file in the root makes it longer to find another there.
        files[f"wake/{name}.mpy"] = compile_module(script, script.name)
    files["wake/plan"] = json.dumps(_PLAN).encode()
    # By this name it is not looked for on flash first.
    begin = "import wake.board_slept\nimport utime as time\nbegan_us = time.ticks_us()\n"
    files["boot.py"] = begin.encode() + files["boot.py"]
    begin = "main_us = time.ticks_us()\nfrom wake import board_wake\n"
    begin += f"board_wake.begin(began_us, main_us, {with_modules})\n"
    files["main.py"] = begin.encode() + files["main.py"]
    settings = _COUNTED if engine is ESP32_C3 else ()
    for attempt in range(_TRIES):
        try:
            with (
                Emulator(
                    image,
                    files=files,
                    ports={PORT: broker.port},
                    engine=engine,
                    settings=settings,
                ) as board,
                Console(board.console) as console,
            ):
                console.wait_for("WAKES OVER", _WAKES_S)
                return told(list(console.lines))
        except CommandError:
            # The emulated ESP32-C3 loses an interrupt now and then (docs/emulator.md).
            if attempt + 1 == _TRIES:
                raise
    raise AssertionError("no try was made")


def _whole_node(root: Path, image: Path, broker: Broker) -> tuple[int, int]:
    """(heap that it leaves, bytes of bytecode that it has loaded), as in the footprint."""
    tree = Tree(root, PICO_W, configuration("rp2"))
    files = dict(tree.files)
    files.pop("main.py")
    script = ROOT / "host_tests/board/measure.py"
    files["measure.mpy"] = compile_module(script, script.name)
    if "firmware/app.mpy" in files:
        # The code before has nothing of this name, by which the measured node is stopped.
        files["firmware/compose.mpy"] = compile_source(b"def stop(node):\n pass\n", "compose.py")
    with (
        Emulator(image, files=files, ports={PORT: broker.port}) as board,
        open_link(board.console, 30) as link,
    ):
        link.soft_reset()
        said = link.exec(_MEASURE, _MEASURE_S).decode()
        steady = next(json.loads(line) for line in said.splitlines() if '"steady"' in line)
        names = link.exec("import sys\nprint('\\n'.join(sys.modules))").decode().split()
    loaded = files_of(names, tree.mpy_bytes)
    return steady["free"], sum(tree.mpy_bytes[path] for path in loaded)


def _unpack(folder: Path) -> str | None:
    """Put the tree of the code before into `folder`; why not, if the history is not here."""
    git = ["git", "-C", str(ROOT), "archive", BEFORE_COMMIT]
    try:
        done = subprocess.run(git, capture_output=True, timeout=_TREE_S)
    except OSError:
        return "there is no git"
    if done.returncode:
        return f"this checkout's history does not reach back to commit {BEFORE_COMMIT[:10]}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    target = folder / umqtt.TARGET.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(umqtt.TARGET, target)
    return None
