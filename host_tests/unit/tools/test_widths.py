"""Every command that shows a table, on a narrow terminal and on a wide one: nothing is wider than
the terminal, and no word or number is cut."""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.fleets import CONNECTED, fleet
from rigs.hostile_board import HostilePort, honest, plug_in
from rigs.shown import WIDE, changing, terminal, without_controls, words_in

from fieldpost.paths import ROOT

EXAMPLES = ROOT / "examples"
PORT = "/dev/ttyBOARD"
FLEET = fleet(n=CONNECTED, kitchen="0" * 16)
COMMANDS = (
    *(
        f"battery {example} --board {board} {more}"
        for example in ("greenhouse", "weather", "freezer")
        for board, more in (("esp32", ""), ("pico_w", "--sleep-ua 40:70 --cell 2xaa-lithium"))
    ),
    "config show",
    "config show mqtt.host",
    "config check greenhouse",
    "config check greenhouse --board esp32",
    "config check broken.json",
    "doctor",
    "boards",
    f"boards --port {PORT}",
    "boards --port /dev/nowhere",
    f"scan --port {PORT}",
    f"fleet fleet.toml plan --port {PORT}",
    f"fleet fleet.toml plan --port {PORT} --port /dev/nowhere",
    "fleet broken.toml plan",
    f"erase --port {PORT}",
    "certs show",
    "provision --from nowhere",
    "listen a/+b",
    "new-sensor bme280",
    "flash --image nowhere.uf2",
)
PROGRESS = re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏].*?\d:\d\d:\d\d")
CHANGING = changing(r"\d+(\.\d+)? s\b|\b\d+\.\d\b(?= *$)")
FRAME = re.compile(r"[─━═┏┓┗┛┡┩┳┻╇┼├┤┬┴╭╮╰╯│┃╷╵╶╴╸╺]")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for example in EXAMPLES.iterdir():
        if example.is_dir():
            shutil.copytree(example, tmp_path / example.name)
            secrets = {"wifi": [{"ssid": "net", "password": "secret12"}]}
            (tmp_path / example.name / "secrets.json").write_text(json.dumps(secrets))
    broken = {"node": "n", "mqtt": {"host": "h", "prot": 1}, "sample_s": 1000000, "sensors": [{}]}
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "broken.toml").write_text(FLEET.replace("host", "hots").replace("kitchen", "n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NET", "secret12")
    assert fieldpost("certs", "ca").status == 0
    return tmp_path


def shown(command: str, width: int) -> str:
    ran: Ran = fieldpost(*command.split(), environment=terminal(width))
    assert not ran.thrown, ran.thrown
    assert "Traceback" not in ran.err
    return PROGRESS.sub("", without_controls((ran.out + ran.err).replace("\r", "")))


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_wider_than_the_terminal_and_no_word_is_cut(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch, lambda clock: HostilePort(clock, random.Random(1), honest))
    whole = words_in(shown(command, WIDE), FRAME, CHANGING)
    assert whole
    for width in 60, 120:
        text = shown(command, width)
        wider = [line for line in text.splitlines() if len(line) > width]
        assert not wider, "\n".join([*wider, text])
        opened = [line for line in text.splitlines() if FRAME.match(line)]
        assert all(FRAME.match(line[-1]) for line in opened), text
        # A word that alone is too long for the line is the one that may be cut.
        cut = words_in(text, FRAME, CHANGING) - whole
        too_long = "".join(one for one in whole if len(one) > width // 2)
        cut = {one for one in cut if one not in too_long and "\\" not in one}
        assert not cut, (sorted(cut), text)
