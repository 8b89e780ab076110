"""A whole node under real MicroPython, with the real boot.py and a pack; and newer firmware.

What is stood in for is what the unix port lacks: a reset, a deep sleep with its cause.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rigs.command_line import Ran, fieldpost
from rigs.port import micropython
from rigs.port_node import SECRETS, configuration
from rigs.update_keys import PASSPHRASE

from fakes.raw_repl import RawReplBoard
from fieldpost.deploy.build import build, find_umqtt
from fieldpost.keys.folder import KeyFolder
from fieldpost.paths import ROOT
from fieldpost.release import folder
from fieldpost.release.folder import Release
from fieldpost.release.make import draft_packs, sign
from firmware.board.unix import EXIT_DEEP_SLEEP

PLATFORM = "linux"
# On a board these end the program's run in hardware. An end by itself comes to a start, too: that
# is the watchdog.
_MAIN = """
import machine, os
if machine.reset_cause() == 4:
    os.putenv("FIELDPOST_UNIX_RESET_CAUSE", "deep sleep")
try:
    from firmware import start
    start()
except SystemExit as ended:
    if ended.args and ended.args[0] == {sleep}:
        machine.deepsleep(1)
    machine.reset()
except BaseException as error:
    import sys
    sys.print_exception(error)
    machine.reset()
"""


def newer_tree(to: Path, version: str, change: Callable[[Path], None] | None = None) -> Path:
    """A checkout with firmware of that version. change: what else is to be changed in it."""
    for name in ("firmware", "lib"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, to / name, ignore=ignored)
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / name, to / name)
    about = to / "firmware" / "__init__.py"
    old = about.read_text()
    about.write_text(old.replace('VERSION = "', f'VERSION = "{version}"  # was "', 1))
    if change:
        change(to)
    return to


def release_of(tree: Path, keys: KeyFolder, platform: str = PLATFORM) -> Release:
    """Signed, with the next counter, beside the keys."""
    draft = draft_packs([platform], keys.history(), root=tree, umqtt=find_umqtt(ROOT, None))
    made = sign(draft, keys.signer("update", PASSPHRASE), keys.folder.parent)
    keys.history().add(draft.entry())
    folder.save(made)
    return made


def does_not_start(tree: Path) -> None:
    """A change after which no part of the firmware works."""
    app = tree / "firmware" / "app.py"
    app.write_text(app.read_text() + "\nraise RuntimeError('no part of it works')\n")


def run_update(broker_url: str, node: str, release: Release, *words: str) -> Ran:
    """`fieldpost update` of one node, with --json."""
    ran = fieldpost(
        *("update", "--release", str(release.folder), "--node", node),
        *("--broker", broker_url, "--json", *words),
        is_terminal=False,
    )
    assert not ran.thrown, ran
    return ran


class UpdatedNode:
    """In `folder`, with the firmware of this checkout. config: more of its keys. `said`: what its
    console has."""

    def __init__(self, folder: Path, keys: bytes, broker_port: int, **config: Any) -> None:
        self.folder = folder
        self.said = ""
        folder.mkdir()
        made = build(PLATFORM, ROOT, find_umqtt(ROOT, None))
        for name, data in made.files.items():
            (folder / name).write_bytes(data)
        (folder / "main.py").write_text(_MAIN.format(sleep=EXIT_DEEP_SLEEP))
        (folder / "config.json").write_text(json.dumps(configuration(broker_port, **config)))
        (folder / "secrets.json").write_text(json.dumps(SECRETS))
        (folder / "update.keys").write_bytes(keys)
        self._port = folder.with_name(folder.name + ".tty")
        self.board = RawReplBoard(
            folder,
            self._port,
            micropython(),
            machine=PLATFORM,
            build="standard",
            platform=PLATFORM,
        )

    def __enter__(self) -> UpdatedNode:
        self.board.plug_in()
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.board.unplug()
        if kind:
            print(self.said[-4000:])

    def record(self) -> dict[str, Any]:
        """Its update.json."""
        return json.loads((self.folder / "update.json").read_text())

    def _listen(self) -> None:
        port = os.open(self._port, os.O_RDWR | os.O_NOCTTY)
        try:
            while data := os.read(port, 4096):
                self.said += data.decode(errors="replace")
        except OSError:
            pass  # The cable is out.
        finally:
            os.close(port)
