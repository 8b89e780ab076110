"""What comes from outside cannot drive the terminal, and no encoding ends a command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fieldpost import cli, terminal
from fieldpost.board import files as board_files
from fieldpost.board.link import ProgramError
from fieldpost.messages import cmd

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
    assert is_tame(terminal.neutral(EVIL)) and "\\x1b]0;title\\x07" in terminal.neutral(EVIL)
    assert terminal.neutral("Küche\t21.5 °C") == "Küche   21.5 °C"
    assert terminal.neutral("a\nb") == "a\\nb" and terminal.neutral_lines("a\nb") == "a\nb"


def test_json_for_scripts_is_tame_and_says_the_same() -> None:
    value = {"a": EVIL, "b": ["Küche \U0001f600"]}
    for indent in (None, 2):
        text = terminal.to_json(value, indent)
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
    assert done.returncode == 1 and b"2 errors" in done.stdout
    assert b"Traceback" not in done.stderr
