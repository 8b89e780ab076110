"""What a node has left on its board is fetched and removed with care."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rigs.deploy import Bench, project
from typer.testing import CliRunner

from fieldpost.board import files as board_files
from fieldpost.errors import CommandError
from fieldpost.upkeep import command as board_commands

_LEFT = {
    "outbox/00000000.seg": bytes(range(256)) * 5,
    "crash.txt": b"Traceback",
    "boot.count": b"3",
    "secrets.json": b'{"wifi": [{"ssid": "net", "password": "marker-secret"}]}',
    "mine.txt": b"mine",
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        for name, data in _LEFT.items():
            path = bench.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        config = {"node": "tester", "mqtt": {"host": "h", "password": "marker-misplaced"}}
        (bench.folder / "config.json").write_text(json.dumps(config))
        trial = {"id": "1", "key": "mqtt.host", "old": json.dumps(config)}
        (bench.folder / "trial.json").write_text(json.dumps(trial))
        yield bench


def _run(command: object, *arguments: str, answer: str = "") -> tuple[int, str]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)  # type: ignore[type-var]
    done = CliRunner().invoke(app, list(arguments), input=answer)
    told = str(done.exception) if isinstance(done.exception, CommandError) else ""
    assert done.exception is None or told or isinstance(done.exception, SystemExit), done
    return done.exit_code, done.output + told


def test_pull_fetches_readings_and_crash_report_but_no_secret_and_overwrites_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    before = bench.files()
    target = tmp_path / "pulled"
    arguments = (str(target), "--port", str(bench.port))
    status, said = _run(board_commands.pull, *arguments)
    assert status == 0, said
    names = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert names == {
        *("outbox/00000000.seg", "crash.txt", "boot.count", "config.json", "trial.json")
    }
    assert (target / "outbox/00000000.seg").read_bytes() == _LEFT["outbox/00000000.seg"]
    everything = b"".join(p.read_bytes() for p in target.rglob("*") if p.is_file())
    assert b"marker-" not in everything
    (target / "crash.txt").write_text("another")
    status, said = _run(board_commands.pull, *arguments)
    assert status == 1 and "nothing is overwritten" in said
    # No node ran there.
    assert "started again" not in said
    assert (target / "crash.txt").read_text() == "another"
    assert bench.files() == before


_OUTSIDE = [
    *("/outbox/../../escaped", "/outbox/..", "/outbox/a/../../../escaped", "/outbox//escaped"),
    *("/outbox/\\..\\escaped", "/outbox/C:escaped", "/outbox/a\0b", "/outbox/a\x1b[2J"),
    *("/outbox/NUL", "/outbox/com1.seg", "/outbox/a. ", "/outbox/x\n", "/outbox/a\u202e"),
]


@pytest.mark.parametrize("path", _OUTSIDE)
def test_pull_refuses_a_name_that_would_leave_its_folder_and_copies_the_rest(
    path: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {path: 1, "/outbox/00000000.seg": 1280}
    monkeypatch.setattr(board_files, "list_files", lambda link: listed)
    monkeypatch.setattr(board_files, "read_file", lambda link, path: b"x")
    target = tmp_path / "far" / "below" / "pulled"
    status, said = _run(board_commands.pull, str(target), "--port", str(bench.port))
    assert status == 1 and "1 not copied" in said and repr(path) in said
    assert [p for p in (tmp_path / "far").rglob("*") if p.is_file()] == [
        target / "outbox/00000000.seg"
    ]


@pytest.mark.parametrize("said", [b"[]\n", b'["/a"]\n', b'["/a", "x"]\n', b"\xff\n", b"[" * 5000])
def test_a_list_of_files_in_no_form_known_is_an_error_in_words(said: bytes) -> None:
    class Link:
        port = "COM1"

        def exec(self, code: str, limit_s: float) -> bytes:
            return said

    with pytest.raises(board_files.FileError, match="in no form known"):
        board_files.list_files(Link())  # type: ignore[arg-type]


@pytest.mark.slow
def test_erase_asks_and_removes_what_deploy_put_there_alone(bench: Bench, tmp_path: Path) -> None:
    before = bench.files()
    root = project(tmp_path / "one", "one")
    assert bench.deploy(root, start=False).ok
    port = ("--port", str(bench.port))
    status, said = _run(board_commands.erase, *port)
    assert status == 1 and "--yes" in said
    assert "main.py" in bench.files()
    bench.ran()  # it was set going again
    status, said = _run(board_commands.erase, *port, "--yes")
    assert status == 0, said
    assert bench.files() == before
    assert not (bench.folder / "firmware").exists()


@pytest.mark.slow
def test_erase_all_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    assert bench.deploy(project(tmp_path / "one", "one"), start=False).ok
    status, said = _run(
        board_commands.erase, "--port", str(bench.port), "--all", "--yes", "--json"
    )
    assert status == 0, said
    assert "/secrets.json" in json.loads(said)["removed"]
    assert not bench.files()


def test_reset_presses_the_button(bench: Bench) -> None:
    status, _ = _run(board_commands.reset, "--port", str(bench.port))
    assert status == 0
    end = time.monotonic() + 5
    while bench.board.hard_resets == 0:
        assert time.monotonic() < end, "the board did not restart"
        time.sleep(0.05)
