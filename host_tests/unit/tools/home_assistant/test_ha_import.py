"""`fieldpost ha import`: late readings stand at their own hours, and twice is as good as once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.home_assistant import TOKEN, FakeHomeAssistant
from fieldpost.errors import CommandError
from fieldpost.home_assistant.websocket import read_token, websocket_url
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.paths import ROOT

HOUR_S = 3600
# Long over, whatever the time is.
START_S = 1_755_366_400 // HOUR_S * HOUR_S
ENTITY = "sensor.my_roof"


@pytest.fixture
def home() -> Iterator[FakeHomeAssistant]:
    with FakeHomeAssistant(lag_s=0.3) as fake:
        yield fake


def line(minute: float, seq: int, fields: dict[str, Any] | None = None, node: str = "roof") -> str:
    """As `listen --json` writes it; by itself the temperature is the minute."""
    values = {"temperature": minute} if fields is None else fields
    told = {"boot": 1, "seq": seq, "ts": int(START_S + 60 * minute), **values}
    return json.dumps({"topic": f"fieldpost/{node}/telemetry", "payload": json.dumps(told)}) + "\n"


# Ten minutes before START_S to 20 minutes after the third hour, one each ten minutes.
LINES = [line(minute, seq) for seq, minute in enumerate(range(-10, 210, 10))]
WHOLE = {
    START_S: (25.0, 0, 50),
    START_S + HOUR_S: (85.0, 60, 110),
    START_S + 2 * HOUR_S: (145.0, 120, 170),
}
EDGES = {START_S - HOUR_S: (-10, -10, -10), START_S + 3 * HOUR_S: (190.0, 180, 200)}


def run(
    home: FakeHomeAssistant | str, text: str, *arguments: str, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fieldpost", "ha", "import", "-", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tools"),
            "COLUMNS": "200",
            "FIELDPOST_HA_URL": home if isinstance(home, str) else home.url,
            "FIELDPOST_HA_TOKEN": token,
        },
    )


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [False, True], ids=["2025.4", "newer"])
def test_hours_are_imported_once_and_a_second_time_changes_nothing(
    home: FakeHomeAssistant, is_new: bool
) -> None:
    home.is_new = is_new
    home.entity("roof.temperature", ENTITY, "°C")
    done = run(home, "".join(LINES))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "sensor.my_roof: 5 hours added (2025-08-16 " in done.stdout
    assert home.rows[ENTITY] == {**WHOLE, **EDGES}
    (asked,) = home.imports
    assert asked["metadata"]["unit_of_measurement"] == "°C"
    assert asked["metadata"]["source"] == "recorder"
    assert ("mean_type" in asked["metadata"]) is home.is_new
    again = run(home, "".join(LINES[::-1]))
    assert again.returncode == 0
    assert again.stdout == "sensor.my_roof: 5 hours as they should be\n"
    assert len(home.imports) == 1


def test_a_row_of_home_assistants_own_gives_way_only_to_all_readings_of_its_hour(
    home: FakeHomeAssistant,
) -> None:
    home.entity("roof.temperature", ENTITY, "°C", has_statistics=True)
    own = dict.fromkeys((*list(WHOLE)[:2], *EDGES), (7.0, 6.0, 8.0))
    home.rows[ENTITY] = dict(own)
    done = run(home, "".join(LINES), "--json")
    (told,) = json.loads(done.stdout)["fields"]
    assert told["replaced"] == list(WHOLE)[:2]
    assert told["added"] == list(WHOLE)[2:]
    assert told["kept"] == list(EDGES)
    assert home.rows[ENTITY] == {**own, **WHOLE}


def test_dry_run_says_what_would_be_done_and_does_nothing(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°C", has_statistics=True)
    home.rows[ENTITY] = {START_S: (7.0, 6.0, 8.0)}
    done = run(home, "".join(LINES), "--dry-run")
    assert done.returncode == 0
    assert "4 hours would be added" in done.stdout
    assert "1 hour would be replaced" in done.stdout
    assert home.imports == []


@pytest.mark.slow
def test_statistics_in_another_unit_get_the_values_in_that(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°F", has_statistics=True)
    assert run(home, line(0, 0, {"temperature": 21.5})).returncode == 0
    assert home.rows[ENTITY] == {START_S: pytest.approx((70.7, 70.7, 70.7))}
    assert home.metadata[ENTITY]["statistics_unit_of_measurement"] == "°F"
    assert "as they should be" in run(home, line(0, 0, {"temperature": 21.5})).stdout


def test_only_the_hours_and_the_node_that_are_asked_for(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°C")
    home.entity("cellar.temperature", "sensor.cellar", "°C")
    text = "".join(LINES) + line(0, 0, node="cellar")
    second = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + HOUR_S))
    third = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + 2 * HOUR_S))
    done = run(home, text, "--node", "roof", "--from", second, "--to", third)
    assert done.returncode == 0, done.stderr
    assert home.rows == {ENTITY: {START_S + HOUR_S: WHOLE[START_S + HOUR_S]}}


def test_an_hour_that_is_not_over_is_left_to_home_assistant(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°C")
    told = {"boot": 1, "seq": 0, "ts": int(time.time()), "temperature": 1}
    now = json.dumps({"topic": "fieldpost/roof/telemetry", "payload": json.dumps(told)})
    done = run(home, now + "\n" + line(0, 5))
    assert "1 hour added" in done.stdout
    assert "1 hour not over yet" in done.stdout
    assert list(home.rows[ENTITY]) == [START_S]


def test_a_field_that_has_no_statistics_is_named_and_the_others_are_imported(
    home: FakeHomeAssistant,
) -> None:
    home.entity("roof.temperature", ENTITY, "°C")
    home.entity("roof.pressure", "sensor.roof_pressure", "%", has_statistics=True)
    home.entity("roof.front_door", "binary_sensor.roof_front_door")
    fields = {"temperature": 1, "pressure": 1013.2, "front_door": 1, "wind": 3}
    done = run(home, line(0, 0, fields))
    assert done.returncode == 1
    assert list(home.rows[ENTITY]) == [START_S]
    assert "roof.wind: left out, Home Assistant has no entity of this field" in done.stdout
    assert "front_door is a binary_sensor, which has no statistics" in done.stdout
    assert "the statistics of sensor.roof_pressure are in %, the readings in hPa" in done.stdout


def test_a_node_that_home_assistant_does_not_know_stands_in_no_others_way(
    home: FakeHomeAssistant,
) -> None:
    home.entity("roof.temperature", ENTITY, "°C")
    done = run(home, line(0, 0, node="cellar") + line(0, 0), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert ["no entity of a node cellar" in (one["problem"] or "") for one in told["fields"]] == [
        True,
        False,
    ]
    assert list(home.rows[ENTITY]) == [START_S]


def test_an_entity_of_another_integration_is_not_taken_for_ours(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°C", platform="esphome")
    done = run(home, "".join(LINES))
    assert done.returncode == 1
    assert "Home Assistant has no entity of a node roof" in done.stdout
    assert home.imports == []


@pytest.mark.slow
def test_what_home_assistant_does_not_do_ends_in_words(home: FakeHomeAssistant) -> None:
    home.entity("roof.temperature", ENTITY, "°C")
    refused = run(home, "".join(LINES), "--json", token="wrong")
    assert refused.returncode == 1
    assert "refuses the token" in json.loads(refused.stdout)["error"]["message"]
    assert "wrong" not in refused.stderr + refused.stdout
    home.is_admin = False
    assert "only an administrator's token" in run(home, "".join(LINES)).stderr
    assert home.imports == []


@pytest.mark.slow
def test_an_input_without_readings_ends_in_words(home: FakeHomeAssistant) -> None:
    for text in ("", "no reading\n"):
        done = run(home, text)
        assert done.returncode == 1
        assert "there is no reading in it" in done.stderr


@pytest.mark.slow
def test_no_token_no_server_and_a_server_that_is_no_home_assistant_end_in_words() -> None:
    assert "a long-lived access token is needed" in run("http://127.0.0.1:1", "", token="").stderr
    gone = run("http://127.0.0.1:1", LINES[0])
    assert "ws://127.0.0.1:1 cannot be reached" in gone.stderr
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_as_a_web_server, args=(server,), daemon=True)
        thread.start()
        other = run(f"http://127.0.0.1:{server.getsockname()[1]}", LINES[0])
        thread.join(5)
    assert "answers, but not as Home Assistant does" in other.stderr
    for done in (gone, other):
        assert done.returncode == 1
        assert done.stderr.count("\n") <= 2
        assert TOKEN not in done.stderr


def _answer_as_a_web_server(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_the_token_comes_from_a_file_or_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc.def\n")
    assert read_token("other", file) == "abc.def"
    assert read_token("other", None) == "other"
    file.write_bytes(b"\xff\xfe")
    for variable, path in ((None, tmp_path / "none"), (None, file), ("two\nlines", None)):
        with pytest.raises(CommandError):
            read_token(variable, path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"),
        ("homeassistant.local", "ws://homeassistant.local:8123/api/websocket"),
        ("https://ha.example.org/", "wss://ha.example.org/api/websocket"),
        ("https://example.org/ha", "wss://example.org/ha/api/websocket"),
        ("ws://[::1]:8123/api/websocket", "ws://[::1]:8123/api/websocket"),
    ],
)
def test_the_address_is_the_one_that_a_browser_opens(given: str, expected: str) -> None:
    assert websocket_url(given) == expected


def test_an_address_that_is_none_is_told_and_no_login_is_repeated() -> None:
    for given in ("mqtt://a", "http://", "http://a:99999", "http://u:secret@a", "http://a/?b=c"):
        with pytest.raises(CommandError, match="address looks like") as caught:
            websocket_url(given)
        assert "secret" not in str(caught.value)


# Live -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_arrives_at_a_broker_is_imported_and_home_assistant_may_be_away(
    home: FakeHomeAssistant,
) -> None:
    with Broker() as broker:
        process = subprocess.Popen(
            [sys.executable, "-m", "fieldpost", "ha", "import", "--every", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "tools"),
                "COLUMNS": "200",
                "FIELDPOST_HA_URL": home.url,
                "FIELDPOST_HA_TOKEN": TOKEN,
                "FIELDPOST_BROKER": f"127.0.0.1:{broker.port}",
            },
        )
        assert process.stdout and process.stderr
        try:
            assert "connected to" in process.stderr.readline()
            connection = Connection(mqtt_url.parse(f"127.0.0.1:{broker.port}"))
            connection.open()
            for one in LINES:
                told = json.loads(one)
                connection.publish(told["topic"], told["payload"].encode(), qos=1, retain=False)
            # Home Assistant does not know the node yet: that is told, and tried again.
            assert "has no entity of a node roof" in process.stdout.readline()
            home.entity("roof.temperature", ENTITY, "°C")
            assert "5 hours added" in process.stdout.readline()
            assert home.rows[ENTITY] == {**WHOLE, **EDGES}
            connection.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.communicate()
    assert len(home.imports) == 1


def test_without_a_file_and_without_a_broker_it_says_what_is_missing() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "FIELDPOST_BROKER"}
    done = subprocess.run(
        [sys.executable, "-m", "fieldpost", "ha", "import"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "PYTHONPATH": str(ROOT / "tools"), "FIELDPOST_HA_TOKEN": TOKEN},
    )
    assert done.returncode == 2
    assert "--broker" in done.stderr
