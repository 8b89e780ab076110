"""Each setting of NATS that loses readings is found at a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats import connect
from rigs.command_line import fieldpost
from rigs.nats_server import Nats, configured

from fieldpost.collect.sources.flaws import Flaw
from fieldpost.collect.sources.nats.flaws import of_consumer, of_stream
from fieldpost.mqtt.brokers import HOST
from scale.nats import CONSUMER, STREAM

_S = 1_000_000_000


def looked(url: str, folder: Path, *words: str) -> tuple[int, dict[str, str]]:
    """The status, and what is not as it should be, with its state."""
    store = f"sqlite:///{folder}/x.db"
    ran = fieldpost("stores", "doctor", "--store", store, "--from", url, *words, "--json")
    told = json.loads(ran.out)["checks"]
    usual = ("not seen", "num_replicas")
    return ran.status, {
        one["name"]: one["state"]
        for one in told
        if one["state"] != "ok" and one["name"] not in usual
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Nats]:
    with Nats() as one:
        yield one


@pytest.fixture
def nats(running: Nats) -> Iterator[Nats]:
    """With its stream and its consumer as they are made."""
    stream = running.ask(f"$JS.API.STREAM.INFO.{STREAM}")["config"]
    consumer = running.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")["config"]
    yield running
    running.ask(f"$JS.API.CONSUMER.DELETE.{STREAM}.{CONSUMER}")
    running.ask(f"$JS.API.STREAM.UPDATE.{STREAM}", stream)
    make(running, consumer, "create")


def make(nats: Nats, config: dict[str, Any], action: str) -> None:
    body = {"stream_name": STREAM, "config": config, "action": action}
    told = nats.ask(f"$JS.API.CONSUMER.CREATE.{STREAM}.{CONSUMER}", body)
    assert "error" not in told, told


def test_one_as_it_is_made_loses_nothing_and_is_told_to_be_read_by_nobody(
    nats: Nats, tmp_path: Path
) -> None:
    assert looked(nats.url, tmp_path) == (0, {"consumer": "note"})


@pytest.mark.parametrize(
    ("changed", "name", "state"),
    [
        ({"max_msgs": 9}, "max_msgs", "missing"),
        ({"max_bytes": 999, "discard": "new"}, "max_bytes", "note"),
        ({"max_msgs_per_subject": 1, "discard": "new"}, "max_msgs_per_subject", "missing"),
        ({"max_age": 9 * _S, "duplicate_window": _S}, "max_age", "missing"),
        ({"max_msg_size": 99}, "max_msg_size", "note"),
        ({"subjects": ["$MQTT.msgs.farm.>"]}, "subjects", "missing"),
        ({"no_ack": True}, "no_ack", "missing"),
    ],
)
def test_a_stream_that_loses_readings_is_found(
    nats: Nats, tmp_path: Path, changed: dict[str, Any], name: str, state: str
) -> None:
    config = nats.ask(f"$JS.API.STREAM.INFO.{STREAM}")["config"]
    told = nats.ask(f"$JS.API.STREAM.UPDATE.{STREAM}", {**config, **changed})
    assert "error" not in told, told
    status, found = looked(nats.url, tmp_path)
    assert found.get(name) == state and status == (state == "missing"), found


@pytest.mark.parametrize(
    ("changed", "name", "state"),
    [
        ({"max_deliver": 3}, "max_deliver", "missing"),
        ({"inactive_threshold": 60 * _S}, "inactive_threshold", "missing"),
        ({"headers_only": True}, "headers_only", "missing"),
        ({"max_batch": 10}, "max_batch", "missing"),
        ({"filter_subjects": ["$MQTT.msgs.farm.>"]}, "filter_subjects", "missing"),
        ({"filter_subjects": ["$MQTT.msgs.fieldpost.*.telemetry"]}, "filter_subjects", "note"),
        ({"ack_policy": "all"}, "ack_policy", "missing"),
        ({"deliver_subject": "x", "max_waiting": 0}, "deliver_subject", "missing"),
        ({"pause_until": "2099-01-01T00:00:00Z"}, "paused", "missing"),
        ({"mem_storage": True}, "mem_storage", "note"),
        ({"ack_wait": 3600 * _S}, "ack_wait", "note"),
        ({"replay_policy": "original"}, "replay_policy", "note"),
    ],
)
def test_a_consumer_that_loses_readings_is_found(
    nats: Nats, tmp_path: Path, changed: dict[str, Any], name: str, state: str
) -> None:
    config = nats.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")["config"]
    nats.ask(f"$JS.API.CONSUMER.DELETE.{STREAM}.{CONSUMER}")
    make(nats, {**config, **changed}, "create")
    status, found = looked(nats.url, tmp_path)
    assert found.get(name) == state and status == (state == "missing"), found


def test_without_a_consumer_all_is_lost(nats: Nats, tmp_path: Path) -> None:
    config = nats.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")["config"]
    nats.ask(f"$JS.API.CONSUMER.DELETE.{STREAM}.{CONSUMER}")
    status, found = looked(nats.url, tmp_path)
    make(nats, config, "create")
    assert (status, found["consumer"]) == (1, "missing")
    told = nats.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")
    assert told["created"], "it was not made by who looks"


def test_what_an_account_may_not_ask_is_no_finding(nats: Nats, tmp_path: Path) -> None:
    _, found = looked(nats.url, tmp_path, "--queue", "other")
    assert found == {"consumer": "note"}


def test_a_server_without_mqtts_stream_and_one_with_it_in_memory_are_told(tmp_path: Path) -> None:
    with configured(tmp_path, "") as port:
        url = f"nats://{HOST}:{port}"
        assert looked(url, tmp_path) == (1, {"consumer": "missing"})
        asyncio.run(make_in_memory(url))
        assert looked(url, tmp_path) == (1, {"consumer": "missing", "storage": "missing"})


async def make_in_memory(url: str) -> None:
    client = await connect(url)
    body = {
        "name": STREAM,
        "subjects": ["$MQTT.msgs.>"],
        "retention": "interest",
        "storage": "memory",
    }
    await client.request(f"$JS.API.STREAM.CREATE.{STREAM}", json.dumps(body).encode())
    await client.close()


def test_of_a_cluster_one_copy_is_too_few_and_one_that_is_behind_is_named() -> None:
    def flaws(copies: int, *replicas: dict[str, Any], name: str | None = "three") -> list[Flaw]:
        config = {"num_replicas": copies, "storage": "file"}
        cluster = {"name": name, "replicas": replicas}
        return of_stream({"config": config, "cluster": cluster}, [])

    assert [one.grade for one in flaws(1)] == ["loses"]
    assert [one.grade for one in flaws(1, name=None)] == ["note"]
    there, away = {"name": "two", "current": True}, {"name": "x", "current": True, "offline": True}
    assert flaws(3, there, there) == []
    assert "not up to date: x" in flaws(3, there, away)[0].text


def test_of_a_cluster_a_consumer_on_one_server_goes_with_it() -> None:
    config = {"ack_policy": "explicit", "num_replicas": 1}
    told = {"config": config, "cluster": {"name": "three"}}
    assert [one.setting for one in of_consumer("fieldpost", told, ["a"])] == ["num_replicas"]


def test_where_nothing_listens_it_is_told_of_each(tmp_path: Path) -> None:
    assert looked("nats://127.0.0.1:1,127.0.0.1:2", tmp_path) == (1, {"broker": "missing"})
