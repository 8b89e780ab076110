"""`fieldpost shell`, `reset`, `erase` and `pull`: thin, and careful with what is on the board."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldpost.board.choose import PortOption, WaitOption, the_port, told_of_restart
from fieldpost.config.masked import without_secrets
from fieldpost.errors import Cancelled, CommandError, FileKept, NoNode, NotWritten
from fieldpost.file_names import CONFIG, DEPLOYMENT, OUTBOX, RECORDS, TRIAL
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.board.link import BoardLink

_FOLDER = f"/{DEPLOYMENT}/"
_READINGS = f"/{OUTBOX}/"
# What is copied beside the readings.
_DATA = (*RECORDS, TRIAL, CONFIG)


def shell(port: PortOption = None, wait: WaitOption = None) -> None:
    """Open the board's REPL; Ctrl-] leaves it.

    What runs there goes on until Ctrl-C, and starts again with Ctrl-D. A board that sleeps, and
    whose port is away meanwhile, is taken at its next wake, and stopped.
    """
    from fieldpost.board.errors import PortUnavailable
    from fieldpost.board.ports import port_named, present_name, why_unusable

    where = the_port(port)
    if wait != 0 and present_name(port_named(where)) is None:
        with _open(where, wait) as link:
            where = link.port
            link.was_running = False  # It would sleep again before anybody has typed a word.
    if why := why_unusable(where):
        raise PortUnavailable(*why)
    command = [sys.executable, "-m", "mpremote", "connect", where, "repl"]
    raise typer.Exit(subprocess.run(command).returncode)


def reset(port: PortOption = None, wait: WaitOption = None, as_json: JsonOption = False) -> None:
    """Restart the board, as its reset button does. A node first writes to flash what it holds."""
    with _open(port, wait) as link:
        link.hard_reset()
    _tell(as_json, {"port": link.port}, f"{link.port}: restarted")


def erase(
    port: PortOption = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Everything: readings, configuration, secrets, your files."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what `fieldpost deploy` put on the board, and nothing else; with --all, every file.

    Removed files can be read back by those who know how, until they are written over: before a
    board is given away, `fieldpost flash --erase` (ESP32) clears its flash.
    """
    from fieldpost.board import files as board_files
    from fieldpost.board.errors import BoardError
    from fieldpost.deploy.survey import COMMIT, INSTALLED, parse_installed

    with _open(port, wait) as link:
        where = link.port
        there = board_files.list_files(link)
        if every:
            doomed = [path for path in there if not path.endswith("/")]
        else:
            # Between two parts of a deployment there are two.
            journals = [one for one in (INSTALLED, COMMIT) if one in there]
            data = b"".join(board_files.read_file(link, one) for one in journals)
            paths = parse_installed(data.decode(errors="replace"))
            ours = list(dict.fromkeys("/" + path for path in paths))
            doomed = [path for path in ours if path in there]
            doomed += [path for path in there if path.startswith(_FOLDER) and path[-1] != "/"]
        what = "every file" if every else "what deploy put there"
        if not doomed:
            hint = "" if every else "; fieldpost erase --all removes every file there is"
            _tell(as_json, {"port": where, "removed": []}, f"{where}: nothing to remove{hint}")
            return
        question = f"Remove {what}, {len(doomed)} files, from the board on {where}?"
        if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
            raise Cancelled("nothing was removed. To remove without being asked: --yes")
        # main.py first: half a program is never started. The record of what is ours last.
        order = sorted(doomed, key=lambda path: (path != "/main.py", path == INSTALLED, path))
        for path in order:
            board_files.remove_file(link, path)
        folders = [
            path
            for path in there
            if path.endswith("/") and (every or any(one.startswith(path) for one in order))
        ]
        for folder in sorted(folders, key=len, reverse=True):
            try:
                link.exec(f"import os\nos.rmdir({folder.rstrip('/')!r})")
            except BoardError:
                continue  # something is left in it
        # What was loaded is gone from its memory, too.
        link.restart()
    _tell(as_json, {"port": where, "removed": order}, f"{where}: {len(order)} files removed")


def pull(
    folder: Annotated[
        Path | None, typer.Argument(help="Made by this; by itself, NODE-DATE-TIME.")
    ] = None,
    port: PortOption = None,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a node's readings, crash report and configuration here; never its secrets.

    Never overwrites a file. The node is stopped for it, writes what it holds, and is started
    again.
    """
    from fieldpost.board import files as board_files

    with _open(port, wait) as link:
        where = link.port
        there = board_files.list_files(link)
        wanted = [
            path
            for path in there
            if (path.startswith(_READINGS) and path[-1] != "/") or path.lstrip("/") in _DATA
        ]
        if not wanted:
            raise NoNode(f"no node has left anything on the board on {where}")
        # What a board lists is a stranger's word: it may name any place on this machine.
        refused = [path for path in wanted if board_files.below(Path(), path) is None]
        files = {
            path.lstrip("/"): board_files.read_file(link, path)
            for path in wanted
            if path not in refused
        }
    config = without_secrets(files.get(CONFIG, b"{}"))
    if CONFIG in files:
        files[CONFIG] = config
    if TRIAL in files:
        files[TRIAL] = without_secrets(files[TRIAL])
    target = folder or Path(f"{_node_name(config)}-{time.strftime('%Y%m%d-%H%M%S')}")
    with told_of_restart(link):
        _save(target, files)
    shown = {"port": where, "folder": str(target), "files": sorted(files), "refused": refused}
    why = (
        f"{len(refused)} not copied, for their names are no names of files here: "
        f"{', '.join(map(repr, refused))}. The board's file system may be damaged."
    )
    failure = ("names_refused", why) if refused else None
    _tell(as_json, shown, f"{where}: {len(files)} files copied to {target}", failure)
    if refused:
        raise CommandError(why, "names_refused")


def _save(target: Path, files: dict[str, bytes]) -> None:
    try:
        taken = [name for name in files if (target / name).exists()]
        if taken:
            raise FileKept(
                f"{target} has {taken[0]} already, and nothing is overwritten: choose another "
                "folder"
            )
        for name, data in files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
    except OSError as error:
        raise NotWritten(f"cannot write to {target}: {error.strerror}") from None


def _node_name(config: bytes) -> str:
    told = json.loads(config)
    name = str(told.get("node", "")) if isinstance(told, dict) else ""
    return name if name and all(c.isalnum() or c in "-_" for c in name) else "node"


def _open(port: str | None, wait_s: float | None) -> "BoardLink":
    from fieldpost.board.choose import the_board
    from fieldpost.terminal.progress import FlashScreen

    with FlashScreen(steps=False) as screen:
        return the_board(port, screen, wait_s)


def _tell(
    as_json: bool, value: dict[str, Any], text: str, failure: tuple[str, str] | None = None
) -> None:
    typer.echo(result(value, failure) if as_json else fit(text, sys.stdout))
