"""`fieldpost demo` ends well only if the firmware did, and never leaves anybody behind."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from rigs.port import micropython

from fieldpost import node_process
from fieldpost.demo.demo import Options, demo_command
from fieldpost.mqtt import brokers
from fieldpost.paths import ROOT

SHORT = ("--readings", "2", "--outage", "2")
PROGRAM = "mosquitto" if brokers.find_mosquitto() else "amqtt"


@pytest.fixture(autouse=True)
def _umqtt_is_there() -> None:
    if not (ROOT / "lib" / "umqtt" / "simple.py").exists():
        pytest.skip("umqtt.simple has not been fetched: fieldpost setup")


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "fieldpost", "demo", *options]


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(temporary)}


def run(tmp_path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*options),
        capture_output=True,
        text=True,
        timeout=80,
        env=environment(tmp_path),
    )


def check(summary: dict[str, Any]) -> None:
    assert summary["ok"], summary
    assert (summary["lost"], summary["duplicated"], summary["out_of_order"]) == (0, 0, 0)
    assert summary["taken"] == summary["delivered"] >= 6
    assert summary["recovered"] == summary["taken_in_outage"] >= 1
    assert summary["deepest_backlog"] >= summary["recovered"]


@pytest.mark.slow
@pytest.mark.parametrize("using", ["mosquitto", "amqtt"])
def test_the_real_firmware_in_micropython_survives_an_outage(using: str, tmp_path: Path) -> None:
    if using == "mosquitto" and not brokers.find_mosquitto():
        pytest.skip("Mosquitto is not installed")
    micropython()  # Else it skips.
    done = run(tmp_path, "--json", "--using", using, *SHORT)
    summary = json.loads(done.stdout)
    check(summary)
    assert done.returncode == 0
    assert summary["broker"].lower().startswith(using)
    assert summary["interpreter"] == "micropython"
    assert list(tmp_path.iterdir()) == [], "its temporary files are gone"


@pytest.mark.slow
def test_cpython_runs_the_same_firmware_and_plain_lines_tell_the_story(tmp_path: Path) -> None:
    done = run(tmp_path, "--interpreter", "cpython", *SHORT)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("in CPython: memory is not as on a board" in line for line in lines)
    assert any(line.startswith("broker  ") for line in lines)
    steps = [line.split()[1] for line in lines if line.startswith("step ")]
    assert steps == ["1", "2", "3", "4", "5"]
    outage = lines[lines.index(next(li for li in lines if li.startswith("step 2"))) :]
    outage = outage[: outage.index(next(li for li in outage if li.startswith("step 3")))]
    assert any("stored" in line and line.startswith("node") for line in outage)
    assert not any(line.startswith("arrived") for line in outage)
    assert any("lost 0, duplicated 0" in line for line in lines)


@pytest.mark.slow
def test_on_a_terminal_it_is_a_live_screen_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command("--using", PROGRAM),
        stdin=its,
        stdout=its,
        stderr=its,
        env={**environment(tmp_path), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
        start_new_session=True,
    )
    os.close(its)
    try:
        shown = _read_until(ours, "sample 1 stored")
        assert "Readings at the subscriber" in shown
        assert "Console of the node" in shown
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2, "a broker and a node"
        process.send_signal(signal.SIGINT)
        _read_until(ours, "stopped by hand")
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def test_sigterm_ends_everything_too(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--using", PROGRAM), stdout=subprocess.PIPE, text=True, env=environment(tmp_path)
    )
    try:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("arrived"):
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode != 0
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def _read_until(descriptor: int, wanted: str) -> str:
    end = time.monotonic() + 60
    shown = ""
    while wanted not in shown and time.monotonic() < end:
        try:
            shown += os.read(descriptor, 4096).decode(errors="replace")
        except OSError:
            break  # Linux says that nobody is at the other end any more.
    assert wanted in shown
    return shown


# A node that does wrong must not pass ------------------------------------------------------------

# Says what the firmware says, and publishes, with a fault to choose. Its outbox is a list.
STAND_IN = """
import json, signal, sys, time
from paho.mqtt import client as paho

signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
fault = {fault!r}
config = json.load(open("config.json"))["mqtt"]
client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="stand-in")
client.reconnect_delay_set(1, 1)  # after the subscriber, as the firmware does
client.connect(config["host"], config["port"])
client.loop_start()
print("0.0 ready: demo, boot 1", flush=True)
waiting = []


def publish(name, **fields):
    sent = client.publish("fieldpost/demo/" + name, json.dumps(fields), qos=1)
    try:
        sent.wait_for_publish(5)
    except RuntimeError:
        pass  # The connection broke just now: it is sent on the next one.


def is_connected():
    # The client's own thread must have had the time to notice, also if all of this stood still.
    slept_s = 1
    while slept_s > 0.3:
        began = time.monotonic()
        time.sleep(0.1)
        slept_s = time.monotonic() - began
    return client.is_connected()


for seq in range(1000):
    if fault == "sleepy" and not is_connected():
        time.sleep(0.2)
        continue
    print(f"0.0 sample {{seq}} stored, {{len(waiting) + 1}} waiting", flush=True)
    if fault == "dies" and seq == 4:
        sys.exit(7)
    if not (fault == "loses" and seq == 4):
        waiting.append(seq)
    if client.is_connected() and not (fault == "shuffles" and len(waiting) < 2):
        if fault == "shuffles":
            waiting.reverse()
        for number in waiting:
            publish("telemetry", boot=1, seq=number, ts=1)
            if fault == "renames":
                publish("telemetry", boot=2, seq=number, ts=1)
            if fault == "repeats":
                publish("telemetry", boot=1, seq=number, ts=1)
        waiting = []
        publish("status", state="online")
        publish("health", reconnects=1)
    time.sleep(0.2)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, None),
        ("repeats", None),
        ("loses", ""),
        ("renames", "the account does not balance"),
        ("shuffles", "the account does not balance"),
        ("sleepy", "the node stopped sampling"),
        ("dies", "the node ended with status 7"),
    ],
)
def test_a_node_that_does_wrong_fails_the_demonstration(
    fault: str | None,
    told: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "main.py").write_text(STAND_IN.format(fault=fault))
    monkeypatch.setattr(node_process, "ROOT", tmp_path)
    # What never comes is not worth a long wait; all else gets the time that a busy machine takes.
    never_comes = fault in ("loses", "sleepy")
    monkeypatch.setattr("fieldpost.demo.demo._FIRST_READING_S", 60.0)
    monkeypatch.setattr("fieldpost.demo.demo._CATCH_UP_S", 6.0 if never_comes else 60.0)
    options = Options(as_json=True, using=PROGRAM, interpreter="cpython", readings=2, outage_s=1.0)
    status = demo_command(options)
    summary = json.loads(capsys.readouterr().out)
    if told is None:
        check(summary)
        assert status == 0
        assert (summary["repeats"] > 0) is (fault == "repeats")
    else:
        assert status == 1
        assert told in " ".join(summary["problems"])
        assert (summary["lost"] > 0) is (fault in ("loses", "dies"))
        assert summary["console"], "the node's last words are there to explain it"


@pytest.mark.slow
@pytest.mark.parametrize("using", [PROGRAM, "amqtt"])
def test_it_ends_on_the_page_which_has_every_reading(using: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--page", "--using", using, *SHORT),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    assert process.stdout
    try:
        line = next(line for line in process.stdout if "On the page until Ctrl-C" in line)
        url = line.split()[-1]
        answer = httpx2.get(f"{url}api/nodes", trust_env=False)
        (node,) = answer.json()["nodes"]
        assert node["name"] == "demo" and node["missing"] == 0 and node["readings"] >= 6
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    finally:
        process.kill()
    assert process.wait() == 0, rest
    assert "lost 0, duplicated 0" in rest
