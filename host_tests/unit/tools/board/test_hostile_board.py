"""A board that says anything: each command at it ends with a result or an error in words, and
writes nothing but what it was asked for, where it was asked to."""

import functools
import json
import random
from pathlib import Path

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.fleets import CONNECTED, fleet
from rigs.hostile_board import ESCAPES, HostilePort, honest, plug_in, spoils

from fieldpost.deploy import deployment

SEED = 20261127
# Each round is another board; `make proof` has many.
ROUNDS = pytest.mark.parametrize("rounds", [4, pytest.param(25, marks=pytest.mark.slow)])
PORT = "/dev/ttyHOSTILE"
ANSWERS = {"ssid": "net", "password": "secret12", "broker": "mqtt://192.168.1.10", "node": "n"}
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("boards", "--port", PORT),
    ("boards", "--port", PORT, "--json"),
    ("scan", "--port", PORT),
    ("scan", "--port", PORT, "--scl", "5", "--sda", "4", "--json"),
    ("pull", "pulled", "--port", PORT),
    ("pull", "pulled", "--port", PORT, "--json"),
    ("pull", "--port", PORT),
    ("erase", "--port", PORT, "--yes"),
    ("erase", "--port", PORT, "--all", "--yes", "--json"),
    ("provision", "--port", PORT, "--from", "answers.json"),
    ("provision", "--port", PORT, "--from", "answers.json", "--fresh", "--json"),
    ("deploy", "--port", PORT),
    ("deploy", "--port", PORT, "--json", "--ready", "3"),
    ("fleet", "fleet.toml", "plan", "--port", PORT),
    ("fleet", "fleet.toml", "apply", "--port", PORT, "--json"),
    ("reset", "--port", PORT),
)


_BUILD = functools.cache(deployment.build)


@pytest.fixture(autouse=True)
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The firmware is compiled once, not for each of the boards."""
    monkeypatch.setattr(deployment, "build", _BUILD)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, far enough below tmp_path for what wants to leave it."""
    here = tmp_path / "a" / "b" / "c" / "here"
    here.mkdir(parents=True)
    (here / "answers.json").write_text(json.dumps(ANSWERS))
    (here / "fleet.toml").write_text(fleet(n=CONNECTED))
    monkeypatch.chdir(here)
    monkeypatch.setenv("NET", "secret12")
    return here


def console(rng: random.Random) -> bytes:
    lines = (b"ready: \x1b]0;owned\x07", ESCAPES.encode(), b"\xff" * 300, b"x" * 100_000)
    return b"\r\n".join(rng.choices(lines, k=3)) + rng.choice((b"", b"\r\n"))


def written(folder: Path, tmp_path: Path) -> list[str]:
    """Files outside of the current folder, by their names."""
    return [str(one) for one in tmp_path.rglob("*") if one.is_file() and folder not in one.parents]


def run(folder: Path, *words: str) -> Ran:
    ran = fieldpost(*words)
    ran.check()
    assert not written(folder, folder.parents[3])
    if "--json" in words and ran.status == 0:
        json.loads(ran.out)
    return ran


@ROUNDS
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_anything_that_a_board_says_ends_in_a_result_or_in_words(
    words: tuple[str, ...], rounds: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(SEED)
    plug_in(monkeypatch, lambda clock: HostilePort(clock, rng, spoils, console=console(rng)))
    ended: dict[int, int] = {}
    for _ in range(rounds):
        ran = run(folder, *words)
        ended[ran.status] = ended.get(ran.status, 0) + 1
    print(ended)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "paste", [b"", b"R\x01\x00\x00", b"R\x01\xff", b"\x04\x04>", b"\x1b[2J" * 100], ids=repr
)
def test_a_board_that_takes_no_program_as_it_should_is_an_error_in_words(
    words: tuple[str, ...], paste: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(SEED)
    plug_in(monkeypatch, lambda clock: HostilePort(clock, rng, honest, paste=paste))
    ran = run(folder, *words)
    assert "secret12" not in ran.out + ran.err
