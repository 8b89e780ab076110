"""Deployment to the genuine Pico W image: from a bare board to readings in Mosquitto."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rigs.deploy import Quiet
from rigs.mosquitto import need_mosquitto
from rigs.pico_w import PORT, configuration, image
from typer.testing import CliRunner

from fieldpost.board import files as board_files
from fieldpost.board.link import open_link
from fieldpost.deploy import build as deploy_build
from fieldpost.deploy.deployment import Outcome, Wish, deploy
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.pico_w import SSID
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT
from fieldpost.provision import command as provision_command

pytestmark = [pytest.mark.board, pytest.mark.timeout(240), pytest.mark.slow]


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """As long as the board: the emulator does not outlive a broker that goes first."""
    need_mosquitto("a board's session has to last")
    with Broker("mosquitto") as broker:
        yield broker


@pytest.fixture(scope="module")
def bare(broker: Broker) -> Iterator[Emulator]:
    """One board for all of these, in the order of this file. Its clock is the wall's."""
    with Emulator(image(), files={}, real_time=True) as board:
        board.set_network(ports={PORT: broker.port})
        yield board


def _deploy(board: Emulator, root: Path = ROOT) -> Outcome:
    return deploy(board.console, Wish(root, ready_s=60), Quiet())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, of which a file can be changed; others may be at work in the original."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("boot.py", "main.py", "firmware", "lib"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(folder / name)], check=True)
    return folder


def test_a_bare_board_is_deployed_to_faster_than_by_copying_the_same_files(
    bare: Emulator, root: Path, tmp_path: Path
) -> None:
    first = _deploy(bare, root)
    assert first.ok, first
    assert "fieldpost provision" in first.text
    files = {f"/{path}": data for path, data in _build(root).files.items()}
    on_board = bare.read_files()
    assert {path: on_board.get(path) for path in files} == files
    # The same modules, as anybody else would bring them there.
    tree = _build(root).modules | {"boot.py": files["/boot.py"], "main.py": files["/main.py"]}
    for path, data in tree.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    with Emulator(image(), files={}, real_time=True) as other:
        begin = time.monotonic()
        command = [sys.executable, "-m", "mpremote", "connect", other.console, "fs", "cp", "-r"]
        command += [str(path) for path in sorted(tmp_path.iterdir())] + [":"]
        subprocess.run(command, check=True, capture_output=True, timeout=200)
        copied_s = time.monotonic() - begin
    print(f"first deploy {first.seconds:.1f} s, mpremote fs cp -r {copied_s:.1f} s")
    assert first.seconds < copied_s * 1.2


def test_a_deployment_without_a_change_sends_nothing(bare: Emulator, root: Path) -> None:
    """How long it takes is measured where nothing else runs: tools/benchmarks/deployment.py."""
    outcome = _deploy(bare, root)
    assert outcome.ok and not outcome.sent and not outcome.removed, outcome


def test_provision_then_deploy_brings_readings_to_mosquitto(
    broker: Broker, bare: Emulator, root: Path, tmp_path: Path
) -> None:
    with open_link(bare.console) as link:
        # What is no answer to a question is kept: here, what makes a node quick to test.
        config = {k: v for k, v in configuration().items() if k not in ("node", "mqtt")}
        board_files.write_file(link, "/config.json", json.dumps(config).encode())
    answers = tmp_path / "answers.toml"
    answers.write_text(
        f'ssid = "{SSID}"\npassword = "eight characters"\nnode = "pico"\n'
        f'broker = "mqtt://{GATEWAY}:{PORT}"\n'
    )
    command = typer.Typer()
    command.command()(provision_command.provision)
    done = CliRunner().invoke(command, ["--from", str(answers), "--port", bare.console])
    assert done.exit_code == 0, done.output
    readings: list[bytes] = []
    client = Connection(
        parse(broker.url), on_message=lambda message: readings.append(message.payload)
    )
    client.open()
    client.subscribe("fieldpost/pico/telemetry", 1)
    outcome = _deploy(bare, root)
    assert outcome.ok, outcome
    # Where the firmware was there already, it was provision that started the node.
    assert "ready" in str(outcome.ready) + done.output
    end = time.monotonic() + 60
    while not readings:
        assert time.monotonic() < end, "no reading came to the broker"
        time.sleep(0.1)
    client.close()
    assert json.loads(readings[0])["boot"] >= 1


def test_one_changed_module_is_sent_alone_and_one_put_there_by_hand_is_used_and_told_of(
    bare: Emulator, root: Path
) -> None:
    by_hand = (root / "firmware" / "clock.py").read_bytes()
    with open_link(bare.console) as link:
        board_files.make_folder(link, "/firmware")
        board_files.write_file(link, "/firmware/clock.py", by_hand)
    changed = root / "firmware" / "safe_mode.py"
    changed.write_text(changed.read_text() + "\n\nCHANGED = 1\n")
    outcome = _deploy(bare, root)
    assert outcome.ok and outcome.ready, outcome
    # Of the pack: what says where each module is, and this one.
    assert list(outcome.sent) == ["firmware.pack"] and outcome.modules == 1
    assert outcome.sent["firmware.pack"] < 8000
    assert "/firmware/clock.py on the board is used" in "".join(outcome.warnings)
    with open_link(bare.console) as link:
        said = link.exec("import firmware.clock\nprint(firmware.clock.__file__)")
        board_files.remove_file(link, "/firmware/clock.py")
        link.exec("import os\nos.rmdir('/firmware')")
    assert b"/.pack/firmware/clock.py" in said, said


@pytest.mark.parametrize("part", [0.3, 0.7])
def test_killed_in_the_middle_the_old_set_boots_and_the_next_run_completes_it(
    bare: Emulator, root: Path, part: float
) -> None:
    for name in ("link", "outbox", "mqtt_session", "wifi", "wire"):
        path = next(iter(root.rglob(f"{name}.py")))
        path.write_text(path.read_text() + f"\n\nPART_{int(part * 10)} = 1\n")
    old = bare.read_files()
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from fieldpost.deploy.deployment import Wish, deploy\n"
        "class Screen:\n"
        "    def say(self, *_): pass\n"
        "    def progress(self, where, what, done, total):\n"
        f"        if what == 'sending' and done >= total * {part}: os._exit(9)\n"
        "deploy(sys.argv[1], Wish(Path(sys.argv[2])), Screen())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    command = [sys.executable, "-c", script, bare.console, str(root)]
    killed = subprocess.run(command, env=environment, timeout=90)
    assert killed.returncode == 9
    bare.reset()
    with open_link(bare.console) as link:
        link.soft_reset()
    now = bare.read_files()
    code = {path for path in old if path.endswith((".mpy", ".py", ".pack"))}
    assert {path: now[path] for path in code} == {path: old[path] for path in code}
    outcome = _deploy(bare, root)
    assert outcome.ok and outcome.ready, outcome
    files = _build(root).files
    now = bare.read_files()
    assert {path: now.get("/" + path) for path in files} == files


def _build(root: Path) -> deploy_build.Build:
    return deploy_build.build("rp2", root, deploy_build.find_umqtt(root, None))
