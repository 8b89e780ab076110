"""docs/desk.md's walk, word by word: each file is written, each command typed, each line said."""

import re
import shlex
from pathlib import Path

import pytest
from rigs.port import micropython
from rigs.running import Running

from fieldpost.paths import ROOT

_HEADING = "## A driver from an empty file to its payload\n"
_FILE = re.compile(r"`(cellar/[a-z.0-9]+)`")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
# What differs from run to run: the seconds on the console, the time of a reading.
_MOMENT = re.compile(r"^ +\d+\.\d (?=\S)|(?<=\"ts\":)\d+")


def plain(line: str, folder: Path) -> str:
    return _MOMENT.sub("", line.replace(f"{folder.resolve()}/", ""))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_driver_comes_from_an_empty_file_to_its_payload_as_the_page_tells(
    tmp_path: Path,
) -> None:
    micropython()  # Else it skips.
    page = (ROOT / "docs" / "desk.md").read_text(encoding="utf-8")
    walk = page[page.index(_HEADING) :].partition("`fieldpost deploy --drivers")[0]
    running: Running | None = None
    done = {"json": 0, "python": 0, "": 0}
    before = 0
    (tmp_path / "cellar").mkdir()
    try:
        for block in _BLOCK.finditer(walk):
            kind, text = block.groups()
            done[kind] += 1
            told = walk[before : block.start()]
            if kind:
                (tmp_path / _FILE.findall(told)[-1]).write_text(text)
            else:
                lines = text.splitlines()
                if lines[0].startswith("$ "):
                    if "is an empty file" in told:
                        (tmp_path / _FILE.findall(told)[-1]).write_text("")
                    if running:
                        assert running.ends() == 0
                    command = shlex.split(lines.pop(0))
                    assert command[:2] == ["$", "fieldpost"]
                    running = Running(*command[2:], cwd=tmp_path)
                assert running
                # The console and the broker are two ways: which is first is not told.
                wanted = {plain(line, tmp_path) for line in lines}
                while wanted:
                    line = running.says_line(
                        lambda one, wanted=wanted: plain(one, tmp_path) in wanted
                    )
                    wanted.remove(plain(line, tmp_path))
            before = block.end()
    finally:
        if running:
            running.kill()
    assert done == {"json": 1, "python": 2, "": 4}
