"""Makes the files of a board equal to the project's: the old set or the new one runs, no mixture.

docs/deploy.md says how. In short: what changed is sent to `/.deploy/`, a journal put beside it is
the commit, and boot.py moves every file to its place before anything else runs. Where flash has no
room for the new set beside the old one, that is done in parts, and boot.py starts nothing between.
"""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardError, BoardLink, LinkLost, NoAnswer, ProgramError, open_link
from fieldpost.board.ports import port_named
from fieldpost.config import checked, pins
from fieldpost.deploy.build import Build, build, check_mpy, find_umqtt
from fieldpost.deploy.parts import Part, Parts
from fieldpost.deploy.plan import Plan, plan, to_hash, to_read
from fieldpost.deploy.send import WINDOW_UART, WINDOW_USB, send
from fieldpost.deploy.survey import COMMIT, FOLDER, Survey, survey
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

READY_S = 30.0
_COMPLETE_S = 60.0
_CONSOLE_LINES = 20
_READY = "ready: "
# In the name of what boot.py raises when more parts are to come.
_MORE_TO_COME = "repeat `fieldpost deploy`"
# What a node says, over and over, when it can't start.
_REFUSED = "nothing started; Ctrl-C"
# A node without settings has opened its own access point, and says how to get there.
_SET_UP = "set-up: join"

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


class Screen(Protocol):
    """Where the state of affairs is shown; see progress.py."""

    def say(self, where: str, text: str) -> None: ...
    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...


@dataclass(frozen=True)
class Wish:
    """What to deploy. umqtt: a copy of umqtt.simple to install. start: let the node run then.

    ready_s: how long to wait for it to say that it is ready; 0: not at all.
    """

    root: Path = ROOT
    umqtt: Path | None = None
    start: bool = True
    ready_s: float = READY_S


@dataclass(frozen=True)
class Outcome:
    """What became of one board. sent: files by path, with their sizes. was, now: versions of
    Fieldpost. ready: the node's own line, None if it was not waited for or did not come.
    parts: how many it took, 0 if nothing was to be done."""

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

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


def deploy(port: str, wish: Wish, screen: Screen) -> Outcome:
    """Deploy to the board at this port. Raises nothing: what goes wrong is in the outcome."""
    begin = time.monotonic()
    try:
        outcome = _deploy(port, wish, screen)
    except CommandError as error:
        outcome = Outcome(port, False, str(error))
    return replace(outcome, seconds=round(time.monotonic() - begin, 1))


def _deploy(port: str, wish: Wish, screen: Screen) -> Outcome:
    screen.progress(port, "comparing", 0, None)
    with open_link(port) as link:
        found, wanted, todo = compare(link, wish)
        count = 0
        if not todo.is_empty:
            count = _bring(link, found, wanted, todo, screen)
            if found.has("config.json") and found.has("secrets.json"):
                checked.renew(link)
        outcome = Outcome(
            port,
            True,
            "",
            was=found.version,
            now=wanted.version,
            sent={path: len(data) for path, data in todo.send.items() if path not in todo.resumed},
            removed=todo.removals,
            kept=sorted(todo.keep.values()),
            unchanged=len(wanted.files) - len(todo.send),
            warnings=todo.warnings,
            parts=count,
        )
        outcome = replace(outcome, text=_text(outcome, todo))
        if not wish.start:
            link.close(resume=False)
            return outcome
        if not found.has("config.json"):
            return replace(
                outcome,
                text=outcome.text + ". It has no config.json yet, so no node was started. Next: "
                f"fieldpost provision --port {port}",
            )
        outcome = replace(outcome, warnings=outcome.warnings + _misfits(link))
        if todo.is_empty and link.was_running:
            return outcome  # close() sets it going again
        return _start(link, wish, screen, outcome)


def _misfits(link: BoardLink) -> list[str]:
    """What of the board's configuration its pins cannot do. Other errors the node tells itself."""
    try:
        config = json.loads(board_files.read_file(link, "/config.json"))
    except ValueError:
        return []
    errors, cautions = pins.of_config(config, pins.chip_on(link))
    return errors + cautions


def compare(link: BoardLink, wish: Wish) -> tuple[Survey, Build, Plan]:
    """What is on the board, what should be, and what that takes."""
    found = survey(link)
    if found.is_committed:
        # Cut short after its commit, and the board has not booted since: that comes first.
        version = found.version
        _complete(link, (wish.root / "boot.py").read_bytes(), found.is_unfinished)
        found = replace(survey(link), version=version)
    check_mpy(found.mpy, found.micropython)
    umqtt = None
    users = any(
        found.has(path) and path not in found.installed
        for path in ("lib/umqtt/simple.py", "lib/umqtt/simple.mpy")
    )
    if wish.umqtt or not (found.frozen_umqtt or users):
        umqtt = find_umqtt(wish.root, wish.umqtt)
    wanted = build(found.platform, wish.root, umqtt)
    hashes = board_files.hash_files(link, to_hash(found, wanted))
    texts = {path: board_files.read_file(link, path) for path in to_read(found)}
    return found, wanted, plan(found, wanted, hashes, texts)


def _bring(link: BoardLink, found: Survey, wanted: Build, todo: Plan, screen: Screen) -> int:
    """Stage, commit, complete: in how many parts it was."""
    for path in todo.leftovers:
        board_files.remove_file(link, path)
    parts = Parts(found, wanted, todo)
    part = parts.next(board_files.free_bytes(link))
    if FOLDER not in found.files:
        board_files.make_folder(link, FOLDER)
    if todo.keep:
        copies = [("/" + old, "/" + new) for old, new in todo.keep.items()]
        link.exec(_COPY.format(copies=copies), _COMPLETE_S)
    # What is committed is completed by the boot.py that belongs to the journal.
    _bring_part(link, todo, part, todo.send.get("boot.py"), screen, "")
    count = 1
    while not part.is_last:
        count += 1
        try:
            part = parts.next(board_files.free_bytes(link))
            _bring_part(link, todo, part, None, screen, f", part {count}")
        except BoardError as error:
            raise BoardError(
                f"{error} Some of the firmware is replaced, some is not yet: the board starts "
                "nothing until `fieldpost deploy` has been repeated. Readings and settings are "
                "whole."
            ) from None
    return count


def _bring_part(
    link: BoardLink, todo: Plan, part: Part, boot: bytes | None, screen: Screen, where: str
) -> None:
    port = link.port
    fresh = {
        name: todo.send[path] for path, name in part.staged.items() if path not in todo.resumed
    }
    bridge = port_named(port).kind == "bridge"
    try:
        send(
            link,
            fresh,
            window=WINDOW_UART if bridge else WINDOW_USB,
            on_progress=lambda done, total: screen.progress(port, "sending" + where, done, total),
        )
        if boot is not None:
            board_files.write_file(link, "/boot.py", boot)
        screen.progress(port, "committing" + where, 0, None)
        checked.forget(link)
        board_files.write_file(link, COMMIT, part.journal)
    except ProgramError as error:
        raise _explained(port, error) from None
    _complete(link, board_files.read_file(link, "/boot.py"), not part.is_last)


def _complete(link: BoardLink, boot: bytes, is_unfinished: bool) -> None:
    """Run the same boot.py that completes a deployment when the board starts."""
    try:
        link.exec(boot.decode(), _COMPLETE_S)
    except ProgramError as error:
        if is_unfinished and _MORE_TO_COME in error.traceback:
            return
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
    """Restart the board, and wait until the node says that it is ready."""
    link.restart()
    heard = ""
    ready = None
    screen.progress(link.port, "waiting for the node", 0, None)
    try:
        for piece in link.console(wish.ready_s):
            heard += piece.decode(errors="replace")
            lines = heard.splitlines()
            ready = next((line.strip() for line in lines if _READY in line), None)
            # Only a whole line has the number of the boot in it.
            if ready or _SET_UP in heard:
                if heard.endswith("\n"):
                    break
            elif _REFUSED in heard:
                break
    except (LinkLost, NoAnswer):
        pass  # what it said so far says why, or the line below does
    link.close(resume=False)
    if ready or not wish.ready_s:
        what = f". The node is {ready[ready.index(_READY) :]}" if ready else ""
        return replace(outcome, text=outcome.text + what, ready=ready)
    lines = [line.strip() for line in heard.splitlines() if line.strip()][-_CONSOLE_LINES:]
    asks = next((line for line in lines if line.startswith(_SET_UP)), None)
    if asks:
        text = f"{outcome.text}. It has no settings yet: fieldpost provision, or with a phone,"
        return replace(outcome, text=text + asks.removeprefix("set-up:"))
    why = "did not say that it is ready"
    if _REFUSED in heard:
        why = "refuses its configuration"
    return replace(
        outcome,
        ok=False,
        text=f"{outcome.text}, but the node {why} within {wish.ready_s:g} s. What it said:",
        console=lines or ["nothing: see what it does with `fieldpost monitor`"],
    )


def _text(outcome: Outcome, todo: Plan) -> str:
    version = outcome.now or "?"
    if outcome.was and outcome.was != outcome.now:
        version = f"{outcome.was} → {outcome.now}"
    elif not outcome.was:
        version = f"{outcome.now} (there was none)"
    if todo.is_empty:
        return f"Fieldpost {version}: nothing to do, all {outcome.unchanged} files are the same"
    said = [f"{len(outcome.sent)} files sent, {sum(outcome.sent.values())} bytes"]
    if todo.resumed:
        said.append(f"{len(todo.resumed)} had arrived before")
    said.append(f"{outcome.unchanged} unchanged")
    if outcome.removed:
        said.append(f"{len(outcome.removed)} stale ones removed")
    if outcome.kept:
        said.append("kept aside: " + ", ".join(outcome.kept))
    if outcome.parts > 1:
        said.append(f"in {outcome.parts} parts, for there was no room beside the old set")
    return f"Fieldpost {version}: {'; '.join(said)}"
