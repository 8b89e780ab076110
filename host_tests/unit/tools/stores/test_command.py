"""What would lose readings on their way into a store is found before it does."""

from __future__ import annotations

import json
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rigs.command_line import fieldpost
from rigs.mosquitto import need_mosquitto
from rigs.stores import open_on, rows, telemetry

from fieldpost.mqtt.brokers import Broker

_Usage = namedtuple("_Usage", "total used free")


def checks(*words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = fieldpost("stores", "doctor", *words, "--json")
    told = json.loads(ran.out)
    return ran.status, {check["name"]: check for check in told["checks"]}


def _forgetful(broker: Broker, folder: Path) -> list[str]:
    """amqtt as others run it."""
    (folder / "amqtt.yaml").write_text(
        f"listeners: {{default: {{type: tcp, bind: '127.0.0.1:{broker.port}'}}}}\n"
        "plugins: {amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}}\n"
    )
    return [str(Path(sys.executable).with_name("amqtt")), "-c", str(folder / "amqtt.yaml")]


def test_a_store_that_has_room_loses_nothing(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, seq, received=time.time()) for seq in range(10)])
        status, found = checks("--store", str(store.address))
        assert status == 0 and found["store"]["text"].startswith("10 readings")
        assert found["room"]["state"] == "ok" and "free" in found["room"]["text"]


def test_a_disk_that_is_full_within_days_is_told(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, seq, received=time.time()) for seq in range(2000)])
        with mock.patch("shutil.disk_usage", return_value=_Usage(10**9, 10**9, 2_000_000)):
            status, found = checks("--store", str(store.address))
        assert status == 1 and found["room"]["state"] == "missing"


def test_readings_of_the_future_and_odd_rows_are_told(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, 0, received=time.time() + 9999, x=1), telemetry(1, 0, x=2)])
        status, found = checks("--store", str(store.address))
        assert status == 0
        assert found["clock"]["state"] == "note" and found["conflicts"]["text"] == "1 rows"


def test_a_place_for_a_store_is_looked_at_before_there_is_one(tmp_path: Path) -> None:
    assert checks("--store", f"sqlite:///{tmp_path}/x.db")[0] == 0
    status, found = checks("--store", f"sqlite:///{tmp_path}/no/x.db")
    assert status == 1 and found["store"]["state"] == "missing"


@pytest.mark.slow
@pytest.mark.parametrize(("more", "kept"), [(("max_queued_messages 1000",), 1000), ((), 2000)])
def test_how_many_a_broker_keeps_is_tried(
    tmp_path: Path, more: tuple[str, ...], kept: int
) -> None:
    need_mosquitto("amqtt has no such limit")
    store = f"sqlite:///{tmp_path}/x.db"
    with Broker("mosquitto", more=more) as broker:
        status, found = checks("--store", store, "--broker", broker.url, "--messages", "2000")
    assert status == (kept < 2000)
    assert str(kept) in found["queue"]["text"], found
    assert found["rights"]["state"] == found["window"]["state"] == "ok"


@pytest.mark.slow
def test_a_broker_that_keeps_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own plugin amqtt keeps no session of who has no name."""
    monkeypatch.setattr(Broker, "_amqtt_command", lambda broker: _forgetful(broker, tmp_path))
    with Broker("amqtt") as broker:
        status, found = checks("--store", f"sqlite:///{tmp_path}/x.db", "--broker", broker.url)
    assert status == 1 and "nothing was kept" in found["queue"]["text"]


@pytest.mark.slow
def test_what_an_account_may_not_do_is_told(tmp_path: Path) -> None:
    need_mosquitto("amqtt has no rules")
    store = f"sqlite:///{tmp_path}/x.db"
    (tmp_path / "acl").write_text("topic read fieldpost/#\n")
    (tmp_path / "acl").chmod(0o600)
    with Broker("mosquitto", more=(f"acl_file {tmp_path}/acl",)) as broker:
        _, found = checks("--store", store, "--broker", broker.url)
        assert "does not arrive" in found["queue"]["text"]
    status, found = checks("--store", store, "--broker", "mqtt://127.0.0.1:1")
    assert status == 1 and found["broker"]["state"] == "missing"


def test_what_is_old_is_removed_if_somebody_agrees(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        old = time.time() - 40 * 86_400
        store.write([telemetry(1, 0, received=old), telemetry(1, 1, received=time.time())])
        words = ["stores", "prune", "30d", "--store", str(store.address), "--json"]
        ran = fieldpost(*words)
        assert json.loads(ran.out)["error"]["code"] == "cancelled" and ran.status == 1
        assert rows(store, "SELECT count(*) FROM readings") == [(2,)]
        ran = fieldpost(*words, "--yes")
        assert json.loads(ran.out) == {"ok": True, "removed": 1, "others": 0}
        assert rows(store, "SELECT seq FROM readings") == [(1,)]
        assert rows(store, "SELECT readings FROM removed") == [(1,)]
