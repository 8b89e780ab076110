"""The brokers of others are asked what a node depends on, and the page says what they said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brokers import __main__ as command
from brokers import packets, probes, report
from brokers.accounts import ALL, NODE, WRITER
from brokers.cache import Cache
from brokers.catalogue import amqtt, rabbitmq
from brokers.catalogue.everything import KINDS
from brokers.kinds import Kind
from brokers.process import RunningBroker
from fieldpost.errors import CommandError


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
    row = command.measure(kind, Cache(tmp_path), said.append)
    assert row["not_run"] == "it is nowhere to be had" and "nowhere" in said[-1]
    results = {"date": "today", "versions": {}, "brokers": [row]}
    assert "Not run: None: it is nowhere to be had." in report.render(results)


def test_a_part_of_the_brokers_does_not_take_the_place_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = command.PAGE.read_text(encoding="utf-8")
    row = {**published()["brokers"][0]}
    monkeypatch.setattr(command, "measure", lambda *_: row)
    target = tmp_path / "part.json"
    assert command.main(["--cache", str(tmp_path), "--output", str(target)]) == 0
    assert json.loads(target.read_text())["brokers"][0] == row
    assert command.PAGE.read_text(encoding="utf-8") == page


def test_a_real_broker_is_asked_and_told_apart(tmp_path: Path) -> None:
    with RunningBroker(amqtt.KIND, amqtt.KIND.install(Cache(tmp_path))) as broker:
        assert probes.retained(broker.port) == "kept"
        assert probes.subscribe_refused(broker.port) == "SUBACK 0x80"
        assert probes.early_packets(broker.port) == "taken"
