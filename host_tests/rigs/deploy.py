"""A small project and a board to deploy it to: what runs on it writes down which set it is of, and
says that it has delivered a reading by the network "desk"."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from rigs.port import micropython

from fakes.raw_repl import RawReplBoard
from fieldpost.deploy.deployment import Outcome, Wish, deploy
from fieldpost.paths import ROOT

_APP = """
import json
import time
import helper
from firmware import VERSION, part
from firmware.board import rp2
from umqtt.simple import MQTTClient

MARK = {mark!r}

def there():
    try:
        with open("/secrets.json") as f:
            return json.load(f)["wifi"][0]["ssid"] == "desk"
    except OSError:
        return False

def run():
    with open("/ran", "w") as f:
        json.dump([VERSION, MARK, part.MARK, rp2.MARK, helper.MARK], f)
    print("       0.1 ready: tester, boot 1")
    print('       0.2 first reading: {{"temperature":21.5}}')
    if there():
        print("       0.3 delivered 1 readings in 1 round trips, 1 segments, 3 ms")
    else:
        print("       0.3 link: no such access point; next try in 0.7 s")
    try:
        while True:
            time.sleep_ms(10)
    except KeyboardInterrupt:
        print("stopped by hand")
"""
_UMQTT = "class MQTTClient:\n    pass\n"
CONFIG = {"node": "tester", "mqtt": {"host": "192.168.1.10"}}


class Quiet:
    """A screen that nobody looks at."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def say(self, where: str, text: str) -> None:
        self.steps.append(text)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        self.steps.append(what)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        self.steps.append(what)

    def finished(self, where: str) -> None:
        self.steps.append("finished")


def project(folder: Path, mark: str) -> Path:
    """A checkout in which every module bears `mark`, with the real boot.py and what it needs."""
    texts = {
        "main.py": "from firmware.app import run\nrun()\n",
        "firmware/__init__.py": f'VERSION = "{mark}"\n',
        "firmware/app.py": _APP.format(mark=mark),
        "firmware/part.py": f"MARK = {mark!r}\nPADDING = {mark * 700!r}\n",
        "firmware/board/__init__.py": "import sys\n",
        "firmware/board/rp2.py": f"MARK = {mark!r}\n",
        "firmware/board/esp32.py": "import esp32\n",
        "lib/helper.py": f"MARK = {mark!r}\n",
        "lib/umqtt/simple.py": _UMQTT,
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("boot.py", "lib/module_pack.py", "lib/pack_trial.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


class Bench:
    """A stand-in board that has been configured, and its cable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "board"
        self.folder.mkdir(parents=True)
        self.port = folder / "tty"
        (self.folder / "config.json").write_text(json.dumps(CONFIG))
        self.board = RawReplBoard(self.folder, self.port, micropython())

    def __enter__(self) -> Bench:
        self.board.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.board.unplug()

    def deploy(
        self, root: Path, *, start: bool = True, ready_s: float = 10, reading_s: float = 10
    ) -> Outcome:
        wish = Wish(root, start=start, ready_s=ready_s, reading_s=reading_s)
        return deploy(str(self.port), wish, Quiet())

    def replug(self) -> None:
        """Pull the cable and put it back in, if it isn't out already."""
        self.board.unplug()
        self.board.plug_in()

    def ran(self, limit_s: float = 10) -> list[str]:
        """The marks of the modules that run, since this was last asked."""
        path = self.folder / "ran"
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if path.exists() and (text := path.read_text()).endswith("]"):
                path.unlink()
                return json.loads(text)
            time.sleep(0.02)
        pytest.fail(f"nothing ran on the board within {limit_s:g} s")

    def files(self) -> dict[str, bytes]:
        """Contents by path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
