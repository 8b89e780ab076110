"""The brokers of others are asked what a node depends on, and the page says what they said."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from rigs.port import micropython

from brokers import __main__ as command
from brokers import packets, probes, report, tap
from brokers.accounts import ALL, NODE, WRITER
from brokers.cache import Cache
from brokers.catalogue import amqtt, paho_testing, rabbitmq
from brokers.catalogue.everything import KINDS
from brokers.kinds import Kind
from brokers.node import node_at
from brokers.probe_client import ProbeClient
from brokers.process import RunningBroker
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker


def wait_until(reached: Callable[[], object], limit_s: float = 15.0) -> bool:
    end = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def published() -> dict[str, Any]:
    return report.read(command.RESULTS)


def test_the_page_shows_the_published_results() -> None:
    text = command.PAGE.read_text(encoding="utf-8")
    begin, end = text.index(report.BEGIN) + len(report.BEGIN), text.index(report.END)
    assert text[begin:end].strip() == report.render(published()).strip()


def test_the_published_run_met_at_least_eight_brokers_and_no_probe_failed() -> None:
    rows = [row for row in published()["brokers"] if "answers" in row]
    assert len({row["name"].split("-")[0] for row in rows}) >= 8
    for row in rows:
        said = {**row["answers"], **row.get("restarts", {})}
        if row["name"] != "mosquitto-small-limits":  # takes no will with RETAIN
            assert not [one for one in said.values() if one.startswith("failed")], row["name"]


def test_a_node_that_may_only_publish_loses_nothing_at_any_broker() -> None:
    """Written from the published run: 600 readings waited on the node's flash."""
    names = set()
    for row in published()["brokers"]:
        run = row.get("nodes", {}).get("write only")
        if run is None:
            continue
        names.add(row["name"])
        if row["name"] != "mosca":  # It acknowledges what it does not hand on.
            assert run["delivered"] == run["taken"] >= 600, row["name"]
        assert run["lost"] == 0 and run["twice"] == 0, row["name"]
        # Over TLS it is seen only how often each arrived.
        assert run.get("most_sent", run.get("most_arrived", 9)) <= 2, row["name"]
    assert {"mosquitto-dynamic-security", "nats", "rabbitmq"} <= names


def test_every_node_of_the_published_run_has_lost_nothing_and_stored_nothing_twice() -> None:
    for row in published()["brokers"]:
        for name, run in row.get("nodes", {}).items():
            assert "failed" not in run, (row["name"], name, run)
            assert not run.get("early"), (row["name"], name)
            if name != "wrong authority":
                assert run["lost"] == 0 and run["twice"] == 0, (row["name"], name)


def test_over_tls_a_node_brings_nothing_to_a_broker_of_another_authority() -> None:
    """Written from the published run."""
    rows = [row for row in published()["brokers"] if "wrong authority" in row.get("nodes", {})]
    assert "mosquitto-certificates" in [row["name"] for row in rows]
    for row in rows:
        run = row["nodes"]["wrong authority"]
        assert run["refused"] and run["arrived"] == 0, row["name"]


def test_through_a_bridge_all_arrives_although_the_upper_broker_was_away() -> None:
    """Written from the published run: by then not all had come through."""
    (row,) = [row for row in published()["brokers"] if row["name"] == "mosquitto-bridge"]
    for name in ("upper SIGTERM", "upper SIGKILL"):
        run = row["nodes"][name]
        assert run["before"] < 600 <= run["delivered"] == run["taken"], name


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_published() -> None:
    text = command.RESULTS.read_text(encoding="utf-8")
    assert "://" not in text and "/home/" not in text and "/root/" not in text


def test_packets_are_cut_from_any_pieces() -> None:
    whole = packets.connect("c", NODE, will=("t", b"w")) + packets.publish("a/b", b"x" * 300, 7)
    parser = packets.Parser()
    found = [one for byte in whole for one in parser.feed(bytes((byte,)))]
    assert [one.name for one in found] == ["CONNECT", "PUBLISH"]
    assert (found[1].topic, found[1].packet_id, found[1].payload) == ("a/b", 7, b"x" * 300)


def test_each_kind_has_a_name_of_its_own() -> None:
    assert len({one.name for one in KINDS}) == len(KINDS)
    assert all(set(one.lacks) <= {"rights", "restart"} for one in KINDS)


def test_a_writer_may_hear_nothing() -> None:
    assert WRITER.subscribe == () and rabbitmq._pattern(WRITER.subscribe) == "^$"
    assert rabbitmq._pattern(NODE.publish) == r"^(fieldpost\.n\..*|homeassistant\..*)$"
    assert len({one.user for one in ALL}) == len(ALL)


def test_a_broker_that_cannot_be_had_is_named_with_the_reason(tmp_path: Path) -> None:
    def install(_: Cache) -> Any:
        raise CommandError("it is nowhere to be had")

    said: list[str] = []
    kind = Kind("none", "None", install, amqtt.KIND.command)
    row = command.measure(kind, command.Means(Cache(tmp_path), tmp_path, [], "today"), said.append)
    assert row["not_run"] == "it is nowhere to be had" and "nowhere" in said[-1]
    assert "Not run: None: it is nowhere to be had." in report.render({"brokers": [row]})


def test_a_broker_that_cannot_be_had_keeps_the_row_of_the_run_that_met_it() -> None:
    old = {"brokers": [{"name": "a", "run": "once"}, {"name": "b", "run": "once"}]}
    new = {"brokers": [{"name": "a", "not_run": "no apt"}, {"name": "b", "run": "today"}]}
    rows = report.joined(old, new, ["a", "b"])["brokers"]
    assert rows == [{"name": "a", "run": "once"}, {"name": "b", "run": "today"}]


def test_a_run_that_is_measured_again_leaves_the_others_as_they_are() -> None:
    old = {"brokers": [{"name": "a", "answers": {"q": "yes"}, "nodes": {"x": {}, "y": {}}}]}
    new = {"brokers": [{"name": "a", "nodes": {"y": {"taken": 1}}}]}
    (row,) = report.joined(old, new, ["a"], is_whole=False)["brokers"]
    assert row == {"name": "a", "answers": {"q": "yes"}, "nodes": {"x": {}, "y": {"taken": 1}}}
    assert report.joined(old, new, ["a"])["brokers"] == new["brokers"]


def test_a_part_of_the_brokers_does_not_take_the_place_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = command.PAGE.read_text(encoding="utf-8")
    row = published()["brokers"][0]
    monkeypatch.setattr(command, "measure", lambda *_: row)
    target = tmp_path / "part.json"
    assert command.main(["--cache", str(tmp_path), "--output", str(target)]) == 0
    assert json.loads(target.read_text())["brokers"][0] == row
    assert command.PAGE.read_text(encoding="utf-8") == page


def test_the_account_of_a_trace_knows_what_was_sent_again_and_what_was_acknowledged() -> None:
    def sent(connection: int, seq: int, packet_id: int) -> tap.Passed:
        payload = json.dumps({"boot": 1, "seq": seq}).encode()
        (packet,) = packets.Parser().feed(packets.publish("f/n/telemetry", payload, packet_id))
        return tap.Passed(0.0, connection, "up", packet)

    (answer,) = packets.Parser().feed(packets.puback(2))
    found = tap.readings(
        [sent(0, 0, 1), sent(0, 1, 2), tap.Passed(0.1, 0, "down", answer), sent(1, 0, 1)]
    )
    assert found.times == {(1, 0): 2, (1, 1): 1}
    assert found.acknowledged == {(1, 1)}
    (let_in,) = packets.Parser().feed(bytes((0x20, 2, 0, 0)))
    assert tap.early([sent(0, 0, 1), tap.Passed(0.1, 0, "down", let_in), sent(0, 1, 2)]) == 1
    assert str(sent(0, 0, 1)).endswith("#0 -> PUBLISH 1 f/n/telemetry QoS 1, 21 bytes")


@pytest.mark.slow
def test_a_tap_hands_on_both_ways_and_goes_silent_where_it_is_told() -> None:
    with Broker() as broker, tap.Tap(broker.port, silent_after=2) as between:
        with ProbeClient(between.port) as client:
            client.open("probe", NODE)
            for packet_id in (1, 2, 3):
                client.send(packets.publish("a", b"x", packet_id))
                client.wait(lambda: len(client.of("PUBACK")) == packet_id, 1)  # noqa: B023
            assert [one.packet_id for one in client.of("PUBACK")][:1] == [1]
            assert len(client.of("PUBACK")) < 3
        assert between.silent.is_set() and between.connections() == 1
        between.shut()
        with pytest.raises(OSError):
            ProbeClient(between.port)
        between.open()
        with ProbeClient(between.port) as client:
            client.open("again", NODE)


@pytest.mark.slow
def test_a_real_broker_is_asked_and_told_apart(tmp_path: Path) -> None:
    with RunningBroker(amqtt.KIND, amqtt.KIND.install(Cache(tmp_path))) as broker:
        assert probes.retained(broker.port) == "kept"
        assert probes.subscribe_refused(broker.port) == "SUBACK 0x80"
        # On a machine that is busy amqtt drops some of one try, and the words say of how many.
        assert probes.early_packets(broker.port).startswith("taken")


def test_a_broker_that_no_registry_has_is_left_out_with_the_option_that_brings_it(
    tmp_path: Path,
) -> None:
    kind = paho_testing.KIND
    row = command.measure(kind, command.Means(Cache(tmp_path), tmp_path, [], "today"), print)
    assert row["not_run"] == "no registry has it: give a checkout of it with --paho-testing DIR"


def test_a_tap_that_cannot_read_hands_on_and_notes_the_ends_alone() -> None:
    with Broker() as broker, tap.Tap(broker.port, can_read=False) as between:
        with ProbeClient(between.port) as client:
            client.open("probe", NODE)
            assert 0 < between.open_for_s() < 10
            between.silence()
            client.send(packets.publish("a", b"x", 1))
            assert not client.wait(lambda: client.of("PUBACK"), 0.5)
        assert wait_until(lambda: between.open_for_s() == 0)
        assert all(one.packet is None for one in between.passed())


@pytest.mark.slow
def test_what_a_node_takes_is_known_from_its_console(tmp_path: Path) -> None:
    """Else whatever arrives would look as if it had come twice, and no loss would be seen."""
    micropython()  # Else it skips.
    installed = amqtt.KIND.install(Cache(tmp_path))
    with RunningBroker(amqtt.KIND, installed) as broker, node_at(broker, NODE) as run:
        waiting = run.lay_backlog(3)
        run.node.start()
        assert run.wait(lambda: len(run.witness.arrived()) >= 5, 30)
        found = run.outcome(time.monotonic())
    assert waiting <= run.witness.account.taken and found["taken"] >= 5, run.console
    assert (found["lost"], found["twice"], found["most_sent"]) == (0, 0, 1)


_NO_QUESTIONS = """
import sys
from brokers import __main__ as command
command.probes.ask = lambda broker: {}
sys.exit(command.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_brokers_and_nodes_end_with_the_command(how: signal.Signals, tmp_path: Path) -> None:
    micropython()  # Else it skips.
    folders = tmp_path / "folders"
    folders.mkdir()
    asked = ["--only", "amqtt", "--cache", str(tmp_path), "--output", str(tmp_path / "out.json")]
    process = subprocess.Popen(
        [sys.executable, "-c", _NO_QUESTIONS, *asked],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folders)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started: list[psutil.Process] = []

    def command_lines() -> list[str]:
        started[:] = psutil.Process(process.pid).children(recursive=True)
        lines = []
        for one in started:
            with contextlib.suppress(psutil.Error):  # It has ended meanwhile.
                lines.append(" ".join(one.cmdline()))
        return lines

    try:
        assert wait_until(lambda: any("main.py" in line for line in command_lines()), 60)
        assert any("amqtt" in line for line in command_lines())
    finally:
        process.send_signal(how)
        status = process.wait(30)
    assert psutil.wait_procs(started, timeout=10)[1] == []
    if how == signal.SIGKILL:
        return
    assert status == {signal.SIGTERM: 143, signal.SIGINT: 130}[how]
    assert list(folders.iterdir()) == []
