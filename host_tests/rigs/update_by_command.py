"""`fieldpost update` to a board on the bench, watched from both ends; releases to be offered."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rigs.emulated import Bench
from rigs.updated_node import newer_tree, release_of, run_update

from fieldpost.keys.folder import KeyFolder
from fieldpost.release.folder import Release

VERSION = "0.9.0"


def newer(
    keys: KeyFolder, to: Path, platform: str, change: Callable[[Path], None] | None = None
) -> tuple[Release, bytes]:
    """One in which a module is changed, and what the node is given of the keys before it."""
    given = keys.node_file()
    return release_of(newer_tree(to, VERSION, change), keys, platform), given


def update(desk: Bench, node: str, release: Release, *words: str) -> dict[str, Any]:
    """What the command says of the node with --json; prints it, and the console's words on it."""
    begin = time.monotonic()
    ran = run_update(desk.broker.url, node, release, *words)
    (told,) = json.loads(ran.out)["nodes"]
    seconds = time.monotonic() - begin
    print(json.dumps({**told, "status": ran.status, "seconds": round(seconds, 1)}))
    print("\n".join(line for line in desk.console.lines if "update" in line or "ready" in line))
    return told


def slept_before(desk: Bench) -> bool:
    """Whether the node slept before it fetched."""
    before = "\n".join(desk.console.lines).partition("update: fetching")[0]
    return re.search("asleep for", before) is not None


@contextmanager
def powered(desk: Bench, at: str, after_s: float = 1.0) -> Iterator[None]:
    """A cut of power, each time that the console has said `at`: where the board never wakes from
    a deep sleep."""

    def watch(over: threading.Event) -> None:
        seen = 0
        while not over.wait(0.1):
            said = sum(at in line for line in list(desk.console.lines))
            if said > seen and not over.wait(after_s):
                seen = said
                desk.board.power()

    with _beside(watch):
        yield


@contextmanager
def powered_when_silent(desk: Bench, silent_s: float = 5.0) -> Iterator[None]:
    """A cut of power, each time that the console of a node that speaks each second has said
    nothing for so long: the watchdog of a chip whose own is off."""

    def watch(over: threading.Event) -> None:
        said, since = 0, time.monotonic()
        while not over.wait(0.1):
            if said != len(desk.console.lines):
                said, since = len(desk.console.lines), time.monotonic()
            elif time.monotonic() - since > silent_s:
                desk.board.power()
                since = time.monotonic()

    with _beside(watch):
        yield


@contextmanager
def _beside(watch: Callable[[threading.Event], None]) -> Iterator[None]:
    over = threading.Event()
    watching = threading.Thread(target=watch, args=(over,))
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
