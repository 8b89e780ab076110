"""`fieldpost emulate`, and what it says when a part is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.pico_w import image
from rigs.port import micropython

from fieldpost.emulator import run as emulate_run
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.littlefs import Geometry, build_image, read_image
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

_RUN = """
import typer
from fieldpost.emulator.command import emulate
app = typer.Typer()
app.command()(emulate)
app()
"""


def _emulate(*options: str, timeout_s: float = 80) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _RUN, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def _emulate_until(words: list[str], *options: str) -> tuple[int, str]:
    """Ctrl-C once it has said each of these, or after a minute: its status, and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _RUN, *options, "--seconds", "60"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        said, missing = "", list(words)
        for line in process.stdout:
            said += line
            before, missing = missing, [word for word in missing if word not in said]
            if before and not missing:
                process.send_signal(signal.SIGINT)
        return process.wait(10), said
    finally:
        process.kill()


@pytest.mark.board
@pytest.mark.slow
def test_a_users_configuration_runs_on_the_emulated_board_and_reaches_a_local_broker(
    tmp_path: Path,
) -> None:
    image()
    # Host, TLS and network of the field: all of them lead to this machine.
    config = {
        "node": "field-1",
        "boot_window_s": 0,
        "sample_s": 1,
        "mqtt": {"host": "broker.example.org", "port": 1884},
        "wifi": {"static": None},
        "sensors": [{"type": "simulated"}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["ready: field-1", "time: set", "delivered"]
    status, said = _emulate_until(words, "--config", str(tmp_path))
    assert status == 0, said
    assert all(word in said for word in [*words, "stopped by hand"]), said


@pytest.mark.board
@pytest.mark.slow
def test_a_script_gets_one_object_whether_it_delivered_or_not() -> None:
    image()
    for options, status in (("--bare",), 0), ((), 1):
        done = _emulate(*options, "--seconds", "1", "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["ok"]) == (status, not status), done
        assert isinstance(told["connections"], list)
        assert told.get("error", {}).get("code") == ("nothing_delivered" if status else None)


@pytest.mark.board
@pytest.mark.slow
def test_a_driver_of_ones_own_comes_from_its_folder_onto_the_emulated_board(
    tmp_path: Path,
) -> None:
    image()
    own = tmp_path / "drivers" / "greenhouse"
    own.mkdir(parents=True)
    source = (
        "class Probe:\n    FIELDS = ('x',)\n"
        "    def start(self): return 0\n"
        "    def read(self):\n        print('the probe is read')\n        return (1,)\n"
    )
    (own / "probe.py").write_text(source)
    sensors = [{"type": "driver", "driver": "greenhouse.probe:Probe"}]
    config = {"node": "own-1", "boot_window_s": 0, "sample_s": 1, "mqtt": {"host": "b.example"}}
    (tmp_path / "config.json").write_text(json.dumps({**config, "sensors": sensors}))
    words = ["the probe is read", "delivered"]
    options = ("--config", str(tmp_path), "--drivers", str(own.parent))
    status, said = _emulate_until(words, *options)
    assert status == 0 and all(word in said for word in words), said


def test_a_missing_image_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path))
    with pytest.raises(CommandError, match="Download RPI_PICO_W"):
        PICO_W.find_image()
    (tmp_path / "images").mkdir()
    for name in ("20250415-v1.25.0", "20260406-v1.28.0", "20240602-v1.9.0"):
        (tmp_path / "images" / f"RPI_PICO_W-{name}.uf2").touch()
    assert PICO_W.find_image().name.endswith("v1.28.0.uf2")
    assert PICO_W.find_image("1.25").name.endswith("v1.25.0.uf2")
    with pytest.raises(CommandError, match=r"no Pico W image of MicroPython 1\.2 in"):
        PICO_W.find_image("1.2")
    with pytest.raises(CommandError, match="neither"):
        PICO_W.find_image("latest")


def test_a_broker_elsewhere_is_refused_unless_the_network_is_open() -> None:
    broker = emulate_run._broker("mqtt://192.0.2.1", False)
    with pytest.raises(CommandError, match="not on this machine"), broker:
        pass


def test_a_file_system_comes_back_as_it_was_put_in() -> None:
    micropython()  # Else it skips.
    files = {"/main.py": b"", "/lib/deep/er/x.mpy": bytes(range(256)) * 300, "/a": b"1"}
    for geometry in (Geometry(212, 256), Geometry(512, 32)):
        assert read_image(build_image(files, geometry), geometry) == files
    with pytest.raises(CommandError):
        read_image(b"\0" * 4096 * 8, Geometry(8, 32))


@pytest.mark.board
def test_a_file_that_is_no_image_is_refused_before_anything_starts(tmp_path: Path) -> None:
    image()
    wrong = tmp_path / "wrong.uf2"
    wrong.write_bytes(b"not an image" * 100)
    with pytest.raises(CommandError, match="not an image for a board"), Emulator(wrong):
        pass
