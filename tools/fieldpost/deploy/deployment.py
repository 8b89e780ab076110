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
from fieldpost.board.link import BoardError, BoardLink, ProgramError
from fieldpost.board.ports import port_named
from fieldpost.board.reach import reach
from fieldpost.board.said import json_or_none
from fieldpost.board.screen import Screen
from fieldpost.board.script import compact
from fieldpost.config import checked, pins
from fieldpost.deploy import heads, pack
from fieldpost.deploy.build import Build, build, check_mpy, find_umqtt, sha256
from fieldpost.deploy.parts import Part, Parts
from fieldpost.deploy.plan import Plan, plan, to_hash, to_read
from fieldpost.deploy.send import WINDOW_UART, WINDOW_USB, send
from fieldpost.deploy.survey import COMMIT, COMPLETE, FOLDER, Survey, survey
from fieldpost.drivers import folder as own_drivers
from fieldpost.drivers import named
from fieldpost.errors import BadConfig, CommandError
from fieldpost.file_names import CHECKED, CONFIG, SETTINGS, UPDATE_KEYS, on_board
from fieldpost.keys import on_board as on_board_keys
from fieldpost.node_start import tell
from fieldpost.node_start.watch import READING_S, READY, watch
from fieldpost.paths import ROOT

READY_S = 30.0
_COMPLETE_S = 60.0

# What boot.py runs of a deployment that was committed.
COMPLETING = compact((Path(__file__).parent / "complete.py").read_text(encoding="utf-8"))
# How it comes to its place, and is run there by us, as by boot.py.
_PLACE = """
def _place(name, path):
    import os
    try:
        os.rename(name, path)
    except OSError:
        os.remove(path)
        os.rename(name, path)
_place({name!r}, {path!r})
del _place
"""
_COMPLETING_STAGED = sha256(COMPLETING.encode())[:16]
_RUN = "with open({path!r}) as _f: _f = _f.read()\nexec(_f, {{}})\ndel _f"

_COPY = """
def _copy(old, new):
    block = bytearray(512)
    view = memoryview(block)
    with open(old, "rb") as f, open("/.deploy/part", "wb") as g:
        while True:
            n = f.readinto(block)
            if not n:
                break
            g.write(view[:n])
    import os
    os.rename("/.deploy/part", new)
for _old, _new in {copies!r}:
    _copy(_old, _new)
del _copy
"""


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
        brought = _Brought()
        if not todo.is_empty:
            _bring(link, found, wanted, todo, screen, brought)
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
        _complete(link)
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


@dataclass
class _Brought:
    """What a deployment has done so far: as in Outcome. is_to_check: what the board took as
    checked is gone, for the new firmware may see it otherwise."""

    parts: int = 0
    modules: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    is_to_check: bool = True


def _bring(
    link: BoardLink, found: Survey, wanted: Build, todo: Plan, screen: Screen, brought: _Brought
) -> None:
    """Stage, commit, complete."""
    for path in todo.leftovers:
        board_files.remove_file(link, path)
    parts = Parts(found, wanted, todo)
    part = parts.next(_free(link, None if todo.leftovers else found.free))
    if FOLDER not in found.files:
        board_files.make_folder(link, FOLDER)
    if todo.keep:
        copies = [("/" + old, "/" + new) for old, new in todo.keep.items()]
        link.exec(_COPY.format(copies=copies), _COMPLETE_S)
    # What is committed is completed by the boot.py that belongs to the journal.
    boot = todo.send.get("boot.py")
    window = window_of(link.port, found.platform)
    brought.is_to_check = not _stays_checked(found)
    _bring_part(link, found, todo, part, boot, window, screen, brought)
    if boot is not None:
        brought.sent["boot.py"] = len(boot)
    while not part.is_last:
        try:
            part = parts.next(_free(link))
            _bring_part(link, found, todo, part, None, window, screen, brought)
        except BoardError as error:
            raise BoardError(
                f"{error} The old firmware has made room, the new one is not there yet: the board "
                "starts nothing until `fieldpost deploy` has been repeated. Readings and settings "
                "are whole."
            ) from None


def _free(link: BoardLink, told: int | None = None) -> int:
    """Bytes of its flash. told: what the board has said already."""
    return board_files.free_bytes(link) if told is None else told


def _stays_checked(found: Survey) -> bool:
    """Whether the schema of the firmware that comes makes of the settings what the board has."""
    digest = found.hashes.get(on_board(CHECKED))
    texts = [found.texts.get(on_board(name)) for name in SETTINGS]
    config, secrets = texts
    if digest is None or config is None or secrets is None:
        return False
    return checked.holds(config, secrets, digest)


def window_of(port: str, platform: str) -> int:
    """Bytes that a board takes at once. An ESP32 is taken to be at a serial line unless the port
    is known to be its own: an adapter that nobody has listed, or one in the network, has no flow
    control either, and a lost byte would have both ends wait for each other."""
    kind = port_named(port).kind
    is_its_own = kind in ("espressif", "micropython")
    is_line = kind == "bridge" or (platform == "esp32" and not is_its_own)
    return WINDOW_UART if is_line else WINDOW_USB


def _bring_part(
    link: BoardLink,
    found: Survey,
    todo: Plan,
    part: Part,
    boot: bytes | None,
    window: int,
    screen: Screen,
    brought: _Brought,
) -> None:
    port = link.port
    try:
        fresh = {}
        for path, name in part.staged.items():
            if path in todo.resumed:
                continue
            is_pack = path == pack.PATH
            # What boot.py starts nothing without has gone in the first part.
            head = heads.of_board(link, found.head) if is_pack and not brought.parts else b""
            whole = pack.pieces(todo.send[path], head, found.files.get("/" + path, 0))
            fresh[name] = pack.without_start(whole, todo.begun.get(path, 0))
            brought.sent[path] = sum(len(one) for one in fresh[name] if isinstance(one, bytes))
            if is_pack:
                brought.modules = pack.changed(todo.send[path], head)
                heads.keep(todo.send[path])
        fresh[_COMPLETING_STAGED] = [COMPLETING.encode()]
        send(
            link,
            fresh,
            begun=frozenset(part.staged[path] for path in todo.begun if path in part.staged),
            window=window,
            on_progress=lambda done, total: screen.progress(port, "sending", done, total),
        )
        link.exec(compact(_PLACE).format(name=FOLDER + _COMPLETING_STAGED, path=COMPLETE))
        if boot is not None:
            board_files.write_file(link, "/boot.py", boot)
        screen.progress(port, "committing", 0, None)
        if brought.is_to_check:
            checked.forget(link)
        board_files.write_file(link, COMMIT, part.journal)
    except ProgramError as error:
        raise _explained(port, error) from None
    _complete(link, _RUN.format(path=COMPLETE))
    brought.parts += 1


def _complete(link: BoardLink, code: str = COMPLETING) -> None:
    """What boot.py would do when the board starts."""
    try:
        link.exec(code, _COMPLETE_S)
    except ProgramError as error:
        raise BoardError(
            f"the files arrived on {link.port}, but could not be put in their places: "
            f"{error}. Press its reset button, and repeat the command."
        ) from None


def _explained(port: str, error: ProgramError) -> BoardError:
    if "ENOSPC" in error.traceback or "Errno 28" in error.traceback:
        return BoardError(
            f"the flash of the board on {port} is full. Fetch what you want to keep with "
            "fieldpost pull, remove files, and repeat the command."
        )
    return error


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
