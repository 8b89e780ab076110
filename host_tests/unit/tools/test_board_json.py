"""What is written for a board has one meaning there and here."""

import re
import subprocess
from pathlib import Path

import pytest
from rigs.port import micropython

from fieldpost.board_json import for_board
from fieldpost.emulator import run as emulate_run
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.node_process import NodeProcess
from fieldpost.paths import PACKAGE

SSID = "Caf\u00e9 \U0001f600"
SECRETS = {"wifi": [{"ssid": SSID, "password": "eight characters"}]}


def test_a_nodes_files_on_the_desk_have_the_characters_themselves(tmp_path: Path) -> None:
    NodeProcess(tmp_path, print).write_files({"node": "n"}, SECRETS)
    assert SSID.encode() in (tmp_path / "secrets.json").read_bytes()


def test_an_emulated_boards_files_have_them_too(tmp_path: Path) -> None:
    config = {"node": "n", "mqtt": {"host": "h", "base": SSID}}
    (tmp_path / "config.json").write_bytes(for_board(config))
    (tmp_path / "secrets.json").write_bytes(for_board(SECRETS))
    path = tmp_path / "config.json"
    node = emulate_run._node(PICO_W, path, None, False)
    made = emulate_run._files(PICO_W, node, path, False)
    assert SSID.encode() in made["config.json"]


def test_a_board_reads_what_was_written() -> None:
    code = "import sys, json; print(json.loads(sys.stdin.read())['wifi'][0]['ssid'].encode())"
    done = subprocess.run(
        [micropython(), "-c", code], input=for_board(SECRETS), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == repr(SSID.encode())


def test_half_a_character_is_refused_in_words() -> None:
    with pytest.raises(CommandError, match="half of a character"):
        for_board({"a": "\ud83d"})


def test_no_other_module_writes_a_configuration() -> None:
    """Whoever names one of the two files and makes JSON does so by for_board."""
    makes_json = re.compile(r"json\.dumps?\((?!.*(sort_keys|allow_nan))")
    names_file = re.compile(r"config\.json|secrets\.json")
    found = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "board_json.py"
        and any(
            makes_json.search(line) and names_file.search(line)
            for line in path.read_text("utf-8").splitlines()
        )
    ]
    assert found == []
