"""What a page asks for, and what it is answered: also to nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.serving import OWN, Parts
from rigs.stores import NOW_S, event, telemetry

from fieldpost.serve.relay import Relay

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with Relay(1) as relay:
        yield Parts(tmp_path, relay)


def fill(parts: Parts) -> None:
    parts.write(
        [
            telemetry(1, seq, ts=int(NOW_S) + seq, received=NOW_S + seq, temperature=20.0 + seq)
            for seq in range(10)
        ]
    )
    parts.write(
        [event("status", {"state": "online"}), event("health", {"outbox": 0, "dropped": 3})]
    )
    parts.write([event("cmd/result", {"id": "id1", "ok": False, "error": MARKUP})])


def test_nodes_curve_gaps_extent_and_events_are_answered(parts: Parts) -> None:
    fill(parts)
    client = parts.client()
    (one,) = client.get("/api/nodes").json()["nodes"]
    assert one["name"] == "n" and one["readings"] == 10
    made = client.get("/api/nodes/n/curve", params={"field": "temperature"}).json()
    assert made["unit"] == "°C" and made["value"][-1] == 29.0 and made["interval_s"] == 1
    assert client.get("/api/nodes/n/gaps").json() == {"gaps": []}
    assert client.get("/api/nodes/n/extent").json()["begin"] == NOW_S
    told = client.get("/api/events", params={"node": "n"}).json()["events"]
    assert [one["kind"] for one in told] == ["result", "health", "status"]
    assert told[0]["answers"] == "id1" and told[0]["ok"] is False and MARKUP in told[0]["text"]
    assert told[1]["bad"] and "dropped 3" in told[1]["text"]
    older = client.get("/api/events", params={"before": told[0]["id"]}).json()["events"]
    assert older == told[1:]


@pytest.mark.parametrize(
    "path",
    [
        "/api/nodes/n/curve",
        '/api/nodes/n/curve?field=a"b',
        "/api/nodes/n/curve?field=t&begin=x",
        "/api/nodes/n/curve?field=t&begin=5&end=4",
        "/api/nodes/n/curve?field=t&points=1e9",
        "/api/nodes/n/curve?field=t&begin=nan",
        "/api/nodes/n/gaps?begin=-1",
        "/api/events?before=0",
        "/api/events?before=1e40",
    ],
)
def test_a_question_without_sense_is_answered_so(parts: Parts, path: str) -> None:
    answer = parts.client().get(path)
    assert answer.status_code == 400 and answer.json()["error"]


def test_an_unknown_node_has_an_empty_curve(parts: Parts) -> None:
    made = parts.client().get("/api/nodes/nobody/curve?field=t").json()
    assert made["t"] == [] and made["count"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/page/../serve.py",
        "/page/%2e%2e/run.py",
        "/page/..%2frun.py",
        "/page//etc/passwd",
        "/run.py",
    ],
)
def test_no_file_but_the_pages_own_is_given(parts: Parts, path: str) -> None:
    assert parts.client().get(path).status_code in (404, 405)


def test_a_setting_is_checked_before_it_is_sent(parts: Parts) -> None:
    client = parts.client()
    told = {"do": "set", "key": "sample_s", "typed": "-5"}
    answer = client.post("/api/nodes/n/commands", json=told, headers=OWN)
    assert answer.status_code == 422 and answer.json()["sent"] is False
    assert "sample_s" in answer.json()["error"] and parts.orders.asked == []
    answer = client.post("/api/nodes/n/commands", json={**told, "typed": "60"}, headers=OWN)
    assert answer.json() == {"id": "id1", "sent": True}
    assert parts.orders.asked == [("n", "set", {"key": "sample_s", "value": 60})]
    assert parts.journal.after(0)[-1].kind == "asked"


def test_a_restart_wants_to_be_confirmed(parts: Parts) -> None:
    client = parts.client()
    assert (
        client.post("/api/nodes/n/commands", json={"do": "restart"}, headers=OWN).status_code
        == 400
    )
    told = {"do": "restart", "sure": True}
    assert client.post("/api/nodes/n/commands", json=told, headers=OWN).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"do": 5}',
        b'{"do":"set"}',
        b'{"do":"set","key":1,"typed":"1"}',
        b'{"do":"x","arguments":[]}',
        b"\xff",
        b"{" * 3000,
        b'{"do":"' + b"x" * 9000 + b'"}',
    ],
)
def test_a_body_without_sense_is_answered_so(parts: Parts, body: bytes) -> None:
    headers = {**OWN, "content-type": "application/json"}
    answer = parts.client().post("/api/nodes/n/commands", content=body, headers=headers)
    assert answer.status_code == 400 and parts.orders.asked == []


def test_why_a_command_was_not_sent_is_said(parts: Parts) -> None:
    parts.orders.refuses = "no broker"
    answer = parts.client().post("/api/nodes/n/commands", json={"do": "sample"}, headers=OWN)
    assert answer.status_code == 502 and answer.json() == {"error": "no broker", "sent": False}


def test_a_fault_is_made_and_told_and_another_brokers_is_not(parts: Parts, tmp_path: Path) -> None:
    client = parts.client()
    assert client.get("/api/bench").json()["fault"] == "none"
    assert client.post("/api/bench/fault", json={"fault": "delay"}, headers=OWN).status_code == 200
    assert client.get("/api/bench").json()["fault"] == "delay"
    entry = parts.journal.after(0)[-1]
    assert entry.kind == "bench" and json.loads(entry.data)["fault"] == "delay"
    assert client.post("/api/bench/fault", json={"fault": "fire"}, headers=OWN).status_code == 400
    (tmp_path / "other").mkdir()
    other = Parts(tmp_path / "other").client()
    assert other.get("/api/bench").json()["faults"] == []
    assert other.post("/api/bench/fault", json={"fault": "away"}, headers=OWN).status_code == 400


def test_a_store_that_can_not_be_read_is_said_to_be_so(parts: Parts) -> None:
    parts.store.engine.dispose()
    with parts.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE readings")
    answer = parts.client().get("/api/nodes/n/curve?field=t")
    assert answer.status_code == 503 and "store" in answer.json()["error"]


def test_all_settings_that_are_listed_have_a_text_and_no_secret_is_among_them(
    parts: Parts,
) -> None:
    known = parts.client().get("/api/settings").json()["settings"]
    keys = [one["key"] for one in known]
    assert "sample_s" in keys and "mqtt.keepalive_s" in keys
    assert all(one["text"] and one["allowed"] for one in known)
    assert not [key for key in keys if "password" in key or key.startswith(("secrets", "sensors"))]


def test_the_form_and_what_is_wrong_with_it_are_answered(parts: Parts) -> None:
    client = parts.client()
    told = client.get("/api/set-up/form").json()
    assert {"config", "secrets", "every", "types", "basics", "boards"} <= set(told)
    typed = {"config": {"node": "N", "mqtt": {"host": "h"}}, "secrets": {"wifi": [{"ssid": "a"}]}}
    told = client.post("/api/set-up/check", json=typed, headers=OWN).json()
    assert [one["at"] for one in told["errors"]] == ["node", "secrets.wifi[0].password"]
    text = json.dumps({"node": "n", "mqtt": {"host": "h"}, "x": 1})
    told = client.post("/api/set-up/load", json={"text": text}, headers=OWN).json()
    assert told["config"] == {"node": "n", "mqtt": {"host": "h"}} and "x" in told["left_out"][0]
    told = client.post("/api/set-up/file", json={"config": told["config"]}, headers=OWN).json()
    assert json.loads(told["text"]) == {"node": "n", "mqtt": {"host": "h"}}


@pytest.mark.parametrize(
    ("path", "typed", "status"),
    [
        ("check", {"config": 5, "secrets": {}}, 400),
        ("check", {"config": {}}, 400),
        ("load", {"text": 5}, 400),
        ("load", {"text": "{"}, 422),
        ("file", {"config": {"node": "N"}}, 422),
        ("file", {"config": {"node": "x" * 70_000}}, 400),
    ],
)
def test_what_is_no_configuration_is_answered_so(
    parts: Parts, path: str, typed: dict[str, object], status: int
) -> None:
    answer = parts.client().post(f"/api/set-up/{path}", json=typed, headers=OWN)
    assert answer.status_code == status and answer.json()["error"]
