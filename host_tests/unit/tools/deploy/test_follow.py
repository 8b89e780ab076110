"""A board follows the files: what changed is sent, it restarts, and its console is shown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.deploy import Bench, project
from typer.testing import CliRunner

from fieldpost.cli import app
from fieldpost.deploy import follow
from fieldpost.deploy.deployment import Wish
from fieldpost.deploy.follow import Follower
from fieldpost.errors import CommandError


class Following:
    """A Follower in a thread of its own, and what it has told."""

    def __init__(self, bench: Bench, wish: Wish) -> None:
        self.told: list[str] = []
        self._read = 0
        self.follower = Follower(str(bench.port), wish, self.told.append)
        self.is_good: bool | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.is_good = self.follower.run()

    def tells(self, text: str, limit_s: float = 30) -> str:
        """The next line with it."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            while self._read < len(self.told):
                self._read += 1
                if text in self.told[self._read - 1]:
                    return self.told[self._read - 1]
            time.sleep(0.02)
        raise AssertionError(f"not told: {text}; but {self.told}")

    def close(self) -> None:
        self.follower.end.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        yield bench


@pytest.mark.slow
def test_a_change_is_sent_and_the_node_starts_with_it(bench: Bench, tmp_path: Path) -> None:
    root = project(tmp_path / "one", "one")
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    (drivers / "tmp117.py").write_text("MARK = 1\n")
    following = Following(bench, Wish(root, drivers=drivers))
    try:
        following.tells("(there was none)")
        following.tells("ready: tester, boot 1")
        assert bench.ran() == ["one"] * 5
        (root / "lib" / "helper.py").write_text("MARK = 'another'\n")
        following.tells("changed: helper.py")
        assert "1 files sent" in following.tells("with 1 modules")
        following.tells("ready: tester, boot 1")
        assert bench.ran()[4] == "another"
        before = bench.files()["lib/tmp117.mpy"]
        (drivers / "tmp117.py").write_text("MARK = 2\n")
        following.tells("changed: tmp117.py")
        following.tells("ready: tester, boot 1")
        assert bench.files()["lib/tmp117.mpy"] != before
    finally:
        following.close()
    assert following.is_good


@pytest.mark.slow
def test_what_does_not_compile_leaves_the_board_as_it_is_until_it_is_mended(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    following = Following(bench, Wish(root))
    try:
        following.tells("ready: tester, boot 1")
        helper = root / "lib" / "helper.py"
        helper.write_text("MARK = (\n")
        assert "lib/helper.py, line 1 does not compile" in following.tells("failed: ")
        helper.write_text("MARK = 'mended'\n")
        following.tells("with 1 modules")
        following.tells("ready: tester, boot 1")
        assert bench.ran()[4] == "mended"
    finally:
        following.close()
    assert following.is_good


def test_a_driver_that_is_no_python_is_told_with_its_line(bench: Bench, tmp_path: Path) -> None:
    root = project(tmp_path / "one", "one")
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    (drivers / "guva.py").write_text("class Guva:\n    FIELDS = ('uv'\n")
    own = {"type": "driver", "driver": "guva:Guva", "pin": 26}
    (bench.folder / "config.json").write_text(json.dumps({"node": "tester", "sensors": [own]}))
    following = Following(bench, Wish(root, drivers=drivers))
    try:
        assert "guva.py, line 2 is not Python: " in following.tells("sensors[0].driver: ")
    finally:
        following.close()


@pytest.mark.slow
def test_a_board_that_went_away_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    root = project(tmp_path / "one", "one")
    following = Following(bench, Wish(root))
    try:
        following.tells("ready: tester, boot 1")
        bench.board.unplug()
        following.tells("Waiting for it")
        bench.board.plug_in()
        (root / "lib" / "helper.py").write_text("MARK = 'another'\n")
        following.tells("with 1 modules")
        following.tells("ready: tester, boot 1")
    finally:
        following.close()


def test_a_board_without_settings_is_told_of_and_what_to_do(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "config.json").unlink()
    following = Following(bench, Wish(project(tmp_path / "one", "one")))
    try:
        assert "Next: fieldpost provision --port" in following.tells("It has no config.json yet")
    finally:
        following.close()


@pytest.mark.slow
def test_what_changed_while_the_board_was_away_is_sent_when_it_is_back(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_AGAIN_S", 0.2)
    root = project(tmp_path / "one", "one")
    following = Following(bench, Wish(root))
    try:
        following.tells("ready: tester, boot 1")
        bench.board.unplug()
        following.tells("Waiting for it")
        (root / "lib" / "helper.py").write_text("MARK = 'another'\n")
        following.tells("changed: helper.py")
        following.tells("It is tried again until it works")
        time.sleep(1)
        bench.board.plug_in()
        following.tells("with 1 modules")
        following.tells("ready: tester, boot 1")
    finally:
        following.close()
    assert sum("tried again" in line for line in following.told) == 1, following.told


@pytest.mark.parametrize("option", ["--all", "--json", "--no-start"])
def test_it_is_for_one_board_that_runs(option: str) -> None:
    done = CliRunner().invoke(app, ["deploy", "--watch", option])
    assert isinstance(done.exception, CommandError)
    assert "one board" in str(done.exception)
