"""What comes from outside cannot drive the terminal, and no encoding ends a command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.live import Live
from rich.panel import Panel
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text
from typer.main import get_command

from fieldpost import cli
from fieldpost.board import files as board_files
from fieldpost.board.errors import ProgramError
from fieldpost.board.find import Board
from fieldpost.errors import CommandError
from fieldpost.flash.flashing import Outcome
from fieldpost.messages import cmd
from fieldpost.terminal import safe_text
from fieldpost.terminal.console import Console
from fieldpost.terminal.result import result

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\u202e\ud800"
COMMANDS = [
    *(["demo"], ["publish"], ["listen"], ["cmd"], ["setup"], ["battery"], ["boards"], ["flash"]),
    *(["provision"], ["scan"], ["deploy"], ["monitor"], ["fleet"], ["doctor"], ["emulate"]),
    *(["shell"], ["reset"], ["pull"], ["erase"], ["ha", "remove"], ["config", "check"]),
    *(["config", "show"], ["certs", "ca"], ["certs", "server"], ["certs", "node"], []),
]


def is_tame(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def test_neutral_text_shows_what_it_took_out() -> None:
    assert is_tame(safe_text.neutral(EVIL)) and "\\x1b]0;title\\x07" in safe_text.neutral(EVIL)
    assert safe_text.neutral("Küche\t21.5 °C") == "Küche   21.5 °C"
    assert safe_text.neutral("a\nb") == "a\\nb" and safe_text.neutral_lines("a\nb") == "a\nb"


def test_json_for_scripts_is_tame_and_says_the_same() -> None:
    value = {"a": EVIL, "b": ["Küche \U0001f600"]}
    for indent in (None, 2):
        text = safe_text.to_json(value, indent)
        assert is_tame(text) and json.loads(text) == value and "Küche \U0001f600" in text


def test_an_answer_and_its_refusal_are_tame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for answer in (
        {"ok": True, "value": EVIL, EVIL: 1, "log": [EVIL], "deep": {EVIL: [EVIL]}},
        {"ok": False, "error": EVIL},
    ):
        monkeypatch.setattr(cmd, "send", lambda *_, a=answer, **__: a)
        for as_json in (False, True):
            cmd.cmd_command("n", "log", [], "mqtt://h", None, as_json)
            said = capsys.readouterr()
            assert is_tame(said.out + said.err) and said.out + said.err


def say_everything() -> None:
    """Every way in which a command of tomorrow may print what others wrote, without a thought."""
    print(EVIL)
    print(EVIL, file=sys.stderr)
    typer.echo(EVIL)
    typer.echo(EVIL, err=True)
    sys.stdout.write(EVIL)
    sys.stdout.writelines([EVIL])
    typer.secho(EVIL)
    traceback.print_exception(ValueError(EVIL))
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL, Text(EVIL, "red"))
    for file in (sys.stdout, sys.stderr):
        console = Console(file=file, width=60)
        console.print(EVIL)
        console.print(table, Panel(EVIL), markup=False)
        console.out(EVIL)
        with Progress(TextColumn("{task.description}", markup=False), console=console) as bars:
            bars.add_task(EVIL)
        with Live(Text(EVIL), console=console):
            pass
    raise CommandError(EVIL)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


OWN_CODES = re.compile(r"\x1b\[(\??\d+(;\d+)*)?[mAKhl]|\r")


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_whatever_a_command_prints_is_tame(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = stream(), stream()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(cli, "app", say_everything)
    with pytest.raises(SystemExit):
        cli.main()
    assert (sys.stdout, sys.stderr) == (out, err)
    for said in (out.getvalue(), err.getvalue()):
        # rich colours, and moves the cursor for its bars; nothing of that is EVIL's.
        own = OWN_CODES.sub("", said)
        assert is_tame(own.replace("\t", "")), repr(own)
        assert said.count("title") > 5
    assert "\x1b[2J" not in out.getvalue() + err.getvalue()


def test_what_a_command_forgets_to_escape_is_still_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = {"a": EVIL + "\x7f\U0001f600"}
    said = json.dumps(value, ensure_ascii=False)
    monkeypatch.setattr(cli, "app", lambda: print(said))
    cli.main()
    shown = capsys.readouterr().out
    assert is_tame(shown) and json.loads(shown) == value


def leaves() -> list[tuple[list[str], Any]]:
    """Every command, as it is typed."""
    found, groups = [], [([], get_command(cli.app))]
    while groups:
        path, group = groups.pop()
        for name, command in getattr(group, "commands", {}).items():
            here = [*path, name]
            (groups if hasattr(command, "commands") else found).append((here, command))
    return found


@pytest.mark.parametrize("path", [path for path, _ in leaves()], ids=" ".join)
def test_a_command_that_prints_what_others_wrote_is_tame_and_with_json_says_why_it_failed(
    path: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root: Any = get_command(cli.app)
    command = root
    for name in path:
        command = command.commands[name]
    command.params = [one for one in command.params if one.name == "as_json"]
    has_json = bool(command.params)

    def forgetful(as_json: bool = False) -> None:
        if not as_json:
            print(EVIL)
            Console().print(EVIL)
        raise CommandError(f"it failed: {EVIL}")

    command.callback = forgetful
    monkeypatch.setattr(cli, "app", root)
    for more in ([], ["--json"]) if has_json else ([],):
        monkeypatch.setattr(sys, "argv", ["fieldpost", *path, *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert is_tame(said.out + said.err) and "it failed" in said.err
        if more:
            told = json.loads(said.out)
            assert told["ok"] is False and told["error"] == {
                "code": "failed",
                "message": f"it failed: {EVIL}",
            }


def told_before(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        print(text)
        raise CommandError("no")

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(sys, "argv", ["fieldpost", "listen", "--json"])
    with pytest.raises(SystemExit):
        cli.main()


@pytest.mark.parametrize("indent", [None, 2])
def test_a_failure_that_a_command_has_told_as_json_is_not_told_twice(
    indent: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = result({"a": 1}, ("failed", "no"), indent)
    told_before(text, monkeypatch)
    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("text", ['{"topic": "a"}', '{"ok": true}'])
def test_what_goes_wrong_after_the_first_objects_is_the_last_of_them(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told_before(text, monkeypatch)
    first, last = capsys.readouterr().out.splitlines()
    assert first == text
    assert json.loads(last) == {"ok": False, "error": {"code": "failed", "message": "no"}}


def test_what_is_seen_of_boards_and_flashing_is_tame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Board(EVIL, "micropython", EVIL, node=EVIL, machine=EVIL, build=EVIL, detail=EVIL)
    monkeypatch.setattr("fieldpost.board.find.find", lambda *_, **__: [board, board])
    outcome = Outcome(EVIL, False, EVIL, chip=EVIL)
    monkeypatch.setattr("fieldpost.flash.command._flash_all", lambda *_: [outcome, outcome])
    for words in (["boards"], ["boards", "--json"], ["flash", "--port", "x"]):
        monkeypatch.setattr(sys, "argv", ["fieldpost", *words])
        with contextlib.suppress(SystemExit):
            cli.main()
        said = capsys.readouterr()
        assert is_tame(said.out + said.err), words
        assert "title" in said.out + said.err, words


def test_what_a_board_says_in_an_error_is_tame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        error = ProgramError("said", f"Traceback\nOSError: {EVIL}")
        raise board_files.FileError(board_files._explain("COM1", "/" + EVIL, error.traceback))

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert is_tame(said) and "title" in said


def test_a_fault_of_ours_is_told_with_its_line_and_is_tame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise ValueError(EVIL)

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert is_tame(said) and "title" in said
    assert "Traceback" in said and "test_safe_text.py" in said


def run(
    monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str
) -> tuple[object, bytes, bytes]:
    """Status, standard output and standard error. In this process, for a start of Python for each
    command would take minutes."""
    raw = [io.BytesIO(), io.BytesIO()]
    streams = [io.TextIOWrapper(one, encoding=encoding) for one in raw]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(sys, "argv", ["fieldpost", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    for stream in streams:
        stream.flush()
    return ended.value.code, raw[0].getvalue(), raw[1].getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_every_command_tells_what_it_does_in_any_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in COMMANDS:
        status, out, _ = run(monkeypatch, encoding, *words, "--help")
        assert status == 0 and b"Usage" in out, words


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_results_and_errors_come_out_in_any_encoding(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"node": "n", "mqtt": {"host": "10.0.0.1"}}', encoding="utf-8")
    secret = {"wifi": [{"ssid": "Küche \U0001f600", "password": "x" * 8}]}
    (tmp_path / "secrets.json").write_text(json.dumps(secret, ensure_ascii=False), "utf-8")
    status, out, _ = run(monkeypatch, encoding, "config", "check", str(config))
    assert status == 0 and b"configured without errors" in out
    config.write_text("{", encoding="utf-8")
    assert run(monkeypatch, encoding, "config", "check", str(config))[0] == 1
    status, out, _ = run(monkeypatch, encoding, "config", "show", "--json")
    assert status == 0 and json.loads(out.decode(encoding))
    wrong = str(tmp_path / "Küche…\U0001f600.toml")
    status, _, error = run(monkeypatch, encoding, "fleet", wrong, "plan")
    assert status == 1 and b"cannot read" in error


def test_the_c_locale_ends_no_command() -> None:
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "fieldpost", "config", "check", "Küche.json"],
        capture_output=True,
        env={**os.environ, **variables},
    )
    assert done.returncode == 1 and b"1 error" in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_live_display_on_stdout_has_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with safe_text.tamed(), Live("[bold]a node", console=Console(force_terminal=True)):
        print("from outside \x1b[2J")
    written = terminal.getvalue()
    assert "\x1b[1ma node" in written and "from outside" in written
    assert "u001b" not in written and "\x1b[2J" not in written
