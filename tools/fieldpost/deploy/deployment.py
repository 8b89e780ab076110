"""Makes the files of a board equal to the project's: the old set or the new one runs, no mixture.

docs/deploy.md says how. In short: the new pack of modules is put together in `/.deploy/`, of what
is sent and what the old one has; a journal beside it is the commit, and every file is moved to its
place before anything else runs. Where flash has no room for the new pack beside the old one, that
makes room first, and boot.py starts nothing between.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink
from fieldpost.board.reach import reach
from fieldpost.board.said import json_or_none
from fieldpost.board.screen import Screen
from fieldpost.config import checked, pins
from fieldpost.deploy import bring, heads, pack
from fieldpost.deploy.build import Build, build, check_mpy, find_umqtt
from fieldpost.deploy.plan import Plan, plan, to_hash, to_read
from fieldpost.deploy.survey import Survey, survey
from fieldpost.drivers import folder as own_drivers
from fieldpost.drivers import named
from fieldpost.errors import BadConfig, CommandError
from fieldpost.file_names import CONFIG, SETTINGS, UPDATE_KEYS, on_board
from fieldpost.keys import on_board as on_board_keys
from fieldpost.node_start import tell
from fieldpost.node_start.watch import READING_S, READY, watch
from fieldpost.paths import ROOT

READY_S = 30.0


@dataclass(frozen=True)
class Wish:
    """What to deploy. umqtt: a copy of umqtt.simple to install. drivers: a folder of one's own.
    keys: what /update.keys is to hold; None: what it does.
    start: let the node run then.

    ready_s: how long to wait for it to say that it is ready; 0: not at all. reading_s: the same
    for its first reading, once it is ready; 0: that is not told. wait_s: the same for a
    board that sleeps. follow: called with the board as soon as it has been restarted, in the place
    of that wait.
    """

    root: Path = ROOT
    umqtt: Path | None = None
    start: bool = True
    ready_s: float = READY_S
    reading_s: float = READING_S
    drivers: Path | None = None
    wait_s: float | None = 0.0
    keys: bytes | None = None
    follow: "Callable[[BoardLink, Outcome], None] | None" = None


@dataclass(frozen=True)
class Outcome:
    """What became of one board. sent: bytes sent by path, less than a file where the board had
    some of it. was, now: versions of
    Fieldpost. ready: the node's own line, None if it was not waited for or did not come.
    parts: how many it took, 0 if nothing was to be done. modules: of the pack, that changed.
    code: that of the error, as fieldpost/terminal/result.py lists them."""

    port: str
    ok: bool
    text: str
    was: str | None = None
    now: str | None = None
    sent: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    unchanged: int = 0
    ready: str | None = None
    console: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    parts: int = 0
    modules: int = 0
    code: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


def deploy(port: str, wish: Wish, screen: Screen) -> Outcome:
    """Deploy to the board at this port. Raises nothing: what goes wrong is in the outcome."""
    begin = time.monotonic()
    try:
        outcome = _deploy(port, wish, screen)
    except CommandError as error:
        outcome = Outcome(port, False, str(error), code=error.code)
    return replace(outcome, seconds=round(time.monotonic() - begin, 1))


def _deploy(port: str, wish: Wish, screen: Screen) -> Outcome:
    with reach(port, screen, wish.wait_s) as link:
        port = link.port
        screen.progress(port, "comparing", 0, None)
        found, wanted, todo = compare(link, wish)
        brought = bring.Brought()
        if not todo.is_empty:
            bring.bring(link, found, wanted, todo, screen, brought)
            if brought.is_to_check and all(map(found.has, SETTINGS)):
                checked.renew(link)
        if wish.keys is not None and on_board_keys.bring(link, wish.keys):
            brought.sent[UPDATE_KEYS] = len(wish.keys)
        outcome = Outcome(
            port,
            True,
            "",
            was=found.version,
            now=wanted.version,
            sent=brought.sent,
            modules=brought.modules,
            removed=todo.removals,
            kept=sorted(todo.keep.values()),
            unchanged=len(wanted.files) - len(todo.send),
            warnings=todo.warnings,
            parts=brought.parts,
        )
        outcome = replace(outcome, text=_text(outcome, todo))
        if not wish.start:
            link.close(resume=False)
            return outcome
        if not found.has(CONFIG):
            return replace(
                outcome,
                text=outcome.text + ". It has no config.json yet, so no node was started. Next: "
                f"fieldpost provision --port {port}",
            )
        outcome = replace(outcome, warnings=outcome.warnings + _misfits(link, found))
        if wish.follow:
            link.restart()
            wish.follow(link, outcome)
            link.close(resume=False)
            return outcome
        if not brought.sent and todo.is_empty and link.was_running:
            return outcome  # close() sets it going again
        return _start(link, wish, screen, outcome)


def _misfits(link: BoardLink, found: Survey) -> list[str]:
    """What of the board's configuration its pins cannot do. Other errors the node tells itself."""
    chip = pins.chip_of_machine(found.machine) if found.machine else pins.chip_on(link)
    errors, cautions = pins.of_config(_config_on(link, found), chip)
    return errors + cautions


def _config_on(link: BoardLink, found: Survey) -> dict[str, Any]:
    """The board's configuration; {} if it has none that can be read: the node tells."""
    path = on_board(CONFIG)
    try:
        text = found.texts[path] if path in found.texts else board_files.read_file(link, path)
    except board_files.FileError:
        return {}
    config = json_or_none(text)
    return config if isinstance(config, dict) else {}


def compare(link: BoardLink, wish: Wish) -> tuple[Survey, Build, Plan]:
    """What is on the board, what should be, and what that takes."""
    with ThreadPoolExecutor(1) as pool:
        # While the board looks through its flash.
        ahead = None if wish.umqtt else pool.submit(build, _platform(link), wish.root)
        return _compare(link, wish, ahead)


def _platform(link: BoardLink) -> str:
    """Of its MicroPython, as `sys.platform` has it."""
    return link.exec("import sys\nprint(sys.platform)").decode(errors="replace").strip()


def _compare(
    link: BoardLink, wish: Wish, ahead: Future[Build] | None
) -> tuple[Survey, Build, Plan]:
    """ahead: what is being built without umqtt.simple, of which no error has been told."""
    found = survey(link)
    if found.is_committed:
        # Cut short after its commit, and the board has not booted since: that comes first.
        version = found.version
        bring.complete(link)
        found = replace(survey(link), version=version)
    check_mpy(found.mpy, found.micropython)
    umqtt = None
    users = any(
        found.has(path) and path not in found.installed
        for path in ("lib/umqtt/simple.py", "lib/umqtt/simple.mpy")
    )
    if wish.umqtt or not (found.frozen_umqtt or users):
        umqtt = find_umqtt(wish.root, wish.umqtt)
    wanted = ahead.result() if ahead and not umqtt else build(found.platform, wish.root, umqtt)
    if wish.drivers:
        drivers = own_drivers.find(wish.drivers, wish.root)
        if errors := named.errors(_config_on(link, found).get("sensors"), drivers):
            raise BadConfig("\n".join(["its configuration does not fit the drivers:", *errors]))
        wanted = replace(wanted, files=wanted.files | drivers.files())
    asked = to_hash(found, wanted)
    whole = wanted.files[pack.PATH]
    if pack.PATH in found.installed and found.head not in ("", heads.digest(whole)):
        # Of the same length it may be, and yet it is another.
        asked = [path for path in asked if path != on_board(pack.PATH)]
    hashes: dict[str, str | None] = {
        path: found.hashes[path] for path in asked if path in found.hashes
    }
    hashes |= board_files.hash_files(link, [path for path in asked if path not in hashes])
    texts = {path: board_files.read_file(link, path) for path in to_read(found)}
    return found, wanted, plan(found, wanted, hashes, texts)


def _start(link: BoardLink, wish: Wish, screen: Screen, outcome: Outcome) -> Outcome:
    """Restart the board, and wait until the node says that it is ready, and what it measures."""
    link.restart()
    screen.progress(link.port, "waiting for the node", 0, None)
    node = watch(link, wish.ready_s, reading_s=wish.reading_s)
    link.close(resume=False)
    if node.ready or not wish.ready_s:
        if not node.ready:
            return outcome
        text = f"{outcome.text}. The node is {node.ready[node.ready.index(READY) :]}"
        if node.reading is not None:
            text += f". Its first reading: {tell.values(node)}"
        # The files are there and run: a sensor without values is no failure of that.
        lacks = tell.lacks(node, link.port) if wish.reading_s else []
        return replace(outcome, text=text, ready=node.ready, warnings=outcome.warnings + lacks)
    if node.set_up:
        text = f"{outcome.text}. It has no settings yet: fieldpost provision, or with a phone,"
        return replace(outcome, text=text + node.set_up)
    return replace(
        outcome,
        ok=False,
        code="not_measuring",
        text=f"{outcome.text}, but the node {node.why} within {wish.ready_s:g} s. What it said:",
        console=node.lines or ["nothing: see what it does with `fieldpost monitor`"],
    )


def _text(outcome: Outcome, todo: Plan) -> str:
    version = outcome.now or "?"
    if outcome.was and outcome.was != outcome.now:
        version = f"{outcome.was} → {outcome.now}"
    elif not outcome.was:
        version = f"{outcome.now} (there was none)"
    keys = ["its keys for updates"] if UPDATE_KEYS in outcome.sent else []
    if todo.is_empty:
        if keys:
            return f"Fieldpost {version}: {keys[0]} were written, all else is the same"
        return f"Fieldpost {version}: nothing to do, all is the same"
    said = [f"{len(outcome.sent)} files sent, {sum(outcome.sent.values())} bytes"]
    if outcome.modules:
        said[0] += f" with {outcome.modules} modules"
    if todo.resumed or todo.begun:
        said.append("the rest had arrived before")
    if outcome.removed:
        said.append(f"{len(outcome.removed)} old files removed")
    if outcome.kept:
        said.append("kept aside: " + ", ".join(outcome.kept))
    if outcome.parts > 1:
        said.append("the old firmware went first, for there was no room beside it")
    return f"Fieldpost {version}: {'; '.join(said)}"
