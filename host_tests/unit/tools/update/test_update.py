"""`fieldpost update` over a real broker: what reaches stand-in nodes, in which order, and what is
said of each."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage
from rigs.command_line import fieldpost
from rigs.update_field import Field, states, until
from rigs.update_keys import make_keys
from rigs.update_node import Ways
from rigs.update_release import make_release

from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.release.folder import Release


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Each test has its own: what is retained is what they are about."""
    with Broker() as one:
        yield one


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "keys")


@pytest.fixture
def release(keys: KeyFolder) -> Release:
    return make_release(keys, size=30_000)


@pytest.fixture
def field(broker: Broker, keys: KeyFolder) -> Iterator[Field]:
    with Field(broker, keys) as one:
        yield one


# What reaches nodes --------------------------------------------------------------------------


def test_every_node_gets_its_own_pack_whole_and_proves_it(field: Field, release: Release) -> None:
    pico = field.node("pico")
    esp = field.node("esp", platform="esp32", loses=7)
    ran = field.update("--release", str(release.folder), "--all")
    assert ran.status == 0, ran
    assert states(ran) == {"esp": "done", "pico": "done"}
    packs = {one.name: one.data for one in release.artefacts}
    assert pico.fetched == [packs["rp2.pack"]] and esp.fetched == [packs["esp32.pack"]]
    told = json.loads(ran.out)["nodes"][1]
    assert (told["version"], told["counter"]) == ("0.2.0", 1)
    # What is decided is not found again at each start.
    assert not field.kept("fieldpost/+/update/offer")
    again = field.update("--release", str(release.folder), "--all")
    assert again.status == 0 and set(states(again).values()) == {"up to date"}
    assert pico.offers == 1


@pytest.mark.slow
def test_a_sleeper_fetches_over_several_wakes(field: Field, release: Release) -> None:
    node = field.node("sleeper", asleep_s=0.4, wake_bytes=9000)
    ran = field.update("--release", str(release.folder), "--node", "sleeper", as_json=False)
    assert ran.status == 0, ran
    assert node.fetched == [release.artefacts[0].data]
    assert "sleeper: trial" in ran.out


@pytest.mark.slow
def test_canaries_prove_it_before_anybody_else_is_offered_it(
    field: Field, release: Release
) -> None:
    canary = field.node("canary", verdict="back")
    others = [field.node(f"n{n}") for n in range(2)]
    names = "canary,n0,n1"
    ran = field.update("--release", str(release.folder), "--node", names, "--canary", "1")
    assert ran.status == 1
    told = json.loads(ran.out)
    assert told["error"]["code"] == "not_updated"
    assert states(ran) == {"canary": "back", "n0": "stopped", "n1": "stopped"}
    assert "three starts without a reading" in told["nodes"][0]["text"]
    assert canary.fetched and not any(one.offers for one in others)
    # It has judged this release: that is said at once, and nothing is offered.
    offers = canary.offers
    again = field.update("--release", str(release.folder), "--node", names)
    assert states(again)["canary"] == "back" and canary.offers == offers


@pytest.mark.slow
def test_again_offers_it_once_more_to_a_node_that_went_back(
    field: Field, release: Release
) -> None:
    node = field.node("n", verdict="back")
    words = ("--release", str(release.folder), "--node", "n")
    assert field.update(*words).status == 1
    node.ways = Ways()
    ran = field.update(*words, "--again")
    assert ran.status == 0 and json.loads(ran.out)["nodes"][0]["attempt"] == 1
    assert len(node.fetched) == 2


@pytest.mark.slow
def test_a_failure_stops_the_others_unless_told_otherwise(field: Field, release: Release) -> None:
    field.node("a", verdict="back", trial_s=0.0)
    field.node("b")
    words = ("--release", str(release.folder), "--node", "a,b", "--at-once", "1")
    assert states(field.update(*words)) == {"a": "back", "b": "stopped"}
    ran = field.update(*words, "--again", "--keep-going")
    assert states(ran) == {"a": "back", "b": "done"} and ran.status == 1


# What is said --------------------------------------------------------------------------------


def test_nodes_that_cannot_be_updated_are_told_of_with_what_to_do(
    field: Field, release: Release
) -> None:
    field.tell("fieldpost/bare/status", b'{"state": "online"}')
    field.node("old", micropython=(1, 22, 0))
    field.node("new", mpy=7)
    field.node("ahead", counter=5)
    field.node("other", platform="samd")
    ran = field.update("--release", str(release.folder), "--all")
    assert ran.status == 1
    told = {one["node"]: (one["state"], one["text"]) for one in json.loads(ran.out)["nodes"]}
    for name, state, text in (
        ("bare", "no keys", "fieldpost deploy --keys"),
        ("old", "unfit", "MicroPython 1.23 or newer"),
        ("new", "unfit", "bytecode 7"),
        ("ahead", "unfit", "takes nothing older"),
        ("other", "unfit", "nothing for it (samd)"),
    ):
        assert told[name][0] == state and text in told[name][1], told
    assert not field.kept("fieldpost/+/update/offer")


def test_a_node_that_is_away_is_no_failure_unless_it_was_named(
    field: Field, release: Release
) -> None:
    """A broker remembers those that were taken down long ago."""
    words = ("--release", str(release.folder))
    field.tell("fieldpost/gone/status", b'{"state": "offline"}')
    assert field.update(*words, "--all").status == 1, "no node runs it"
    field.node("n")
    field.node("late")
    asleep = {"state": "asleep", "until": int(time.time()) - 7200}
    field.tell("fieldpost/late/status", json.dumps(asleep).encode())
    ran = field.update(*words, "--all")
    assert ran.status == 0, ran
    assert states(ran) == {"gone": "offline", "late": "offline", "n": "done"}
    assert "it was to wake 2.0 h ago" in ran.out and not field.kept("fieldpost/+/update/offer")
    said = field.update(*words, "--all", as_json=False)
    assert "Away: gone, late." in " ".join(said.out.split()) and said.status == 0
    named = field.update(*words, "--node", "gone,n")
    assert named.status == 1 and "not_updated" in named.out


def test_a_node_that_has_just_started_is_told_from_one_without_keys(
    field: Field, release: Release
) -> None:
    for name, health in (
        ("young", {"uptime_s": 8, "reset": "power-on"}),
        ("old", {"uptime_s": 800, "reset": "power-on"}),
        ("sleeper", {"uptime_s": 8, "reset": "deep-sleep"}),
    ):
        field.tell(f"fieldpost/{name}/status", b'{"state": "online"}')
        field.tell(f"fieldpost/{name}/health", json.dumps(health).encode())
    for words in (("--release", str(release.folder)), ("--status",)):
        ran = field.update(*words, "--all")
        expected = {"young": "not told", "old": "no keys", "sleeper": "no keys"}
        assert states(ran) == expected, words
        assert "not told its firmware yet" in ran.out


def test_a_release_of_another_key_than_a_node_tells_is_not_offered(
    field: Field, tmp_path: Path, release: Release
) -> None:
    key = release.artefacts[0].manifest.key
    assert key
    node = field.node("n", keys=("0" * 8,))
    other = field.node("rotated", keys=("0" * 8, key))
    ran = field.update("--release", str(release.folder), "--all")
    assert states(ran) == {"n": "unfit", "rotated": "done"}, ran
    assert "other keys than the release's" in ran.out
    assert not node.offers and other.offers


def test_a_release_of_another_key_is_refused_and_the_reason_told(
    field: Field, tmp_path: Path
) -> None:
    node = field.node("n")
    theirs = make_release(make_keys(tmp_path / "x" / "theirs", which=1))
    ran = field.update("--release", str(theirs.folder), "--node", "n")
    assert states(ran) == {"n": "refused"} and "signature" in ran.out and not node.pieces


@pytest.mark.slow
def test_a_node_that_takes_no_offer_is_not_waited_for_without_an_end(
    field: Field, release: Release
) -> None:
    field.node("deaf", is_deaf=True)
    words = ("--release", str(release.folder), "--node", "deaf", "--timeout", "0.5")
    ran = field.update(*words)
    assert states(ran) == {"deaf": "silent"} and "within 0.5 s" in ran.out
    assert not field.kept("fieldpost/+/update/offer")


def test_the_status_of_nodes_is_shown_and_what_is_offered_taken_back(
    field: Field, release: Release
) -> None:
    field.node("n", is_deaf=True)
    offer = release.artefacts[0].offer(0)
    field.tell("fieldpost/n/update/offer", offer)
    shown = field.update("--status", as_json=False)
    assert shown.status == 0 and "0.1.0 (0)" in shown.out and "0.2.0 (1) is offered" in shown.out
    ran = field.update("--cancel", "--node", "n")
    assert ran.status == 0 and not field.kept("fieldpost/+/update/offer")


def test_an_unknown_node_stops_everything_before_it_begins(field: Field, release: Release) -> None:
    node = field.node("n")
    ran = field.update("--release", str(release.folder), "--node", "n,nobody")
    assert json.loads(ran.out)["error"]["code"] == "no_node" and not node.offers


@pytest.mark.parametrize(
    "words",
    ["", "--release X --status --all", "--cancel", "--status --all --node n", "--release X"],
)
def test_what_makes_no_sense_is_said(field: Field, words: str) -> None:
    assert field.update(*words.split()).status == 2


@pytest.mark.slow
def test_ctrl_c_says_what_each_node_is_in_and_the_same_command_goes_on(
    field: Field, release: Release
) -> None:
    node = field.node("n", is_deaf=True)

    def press() -> None:
        end = time.monotonic() + 20
        while not node.offers and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press, daemon=True)
    pressing.start()
    words = ("--release", str(release.folder), "--node", "n")
    ran = field.update(*words)
    assert ran.status == 130 and states(ran) == {"n": "offered"}, ran
    assert json.loads(ran.out)["error"]["code"] == "interrupted"
    assert field.kept("fieldpost/+/update/offer"), "the offer stays"
    pressing.join(5)
    node.ways = Ways()
    assert states(field.update(*words)) == {"n": "done"}


@pytest.mark.slow
def test_the_broker_may_forget_everything_in_the_middle(field: Field, keys: KeyFolder) -> None:
    release = make_release(keys, size=200_000)
    node = field.node("n")
    restarted = threading.Event()

    def restart() -> None:
        end = time.monotonic() + 20
        while node.pieces < 3 and time.monotonic() < end:
            time.sleep(0.01)
        field.broker.stop()
        field.broker.start()
        restarted.set()

    thread = threading.Thread(target=restart, daemon=True)
    thread.start()
    ran = field.update("--release", str(release.folder), "--node", "n", "--timeout", "15")
    thread.join(10)
    assert restarted.is_set() and states(ran) == {"n": "done"}, ran
    assert "connection lost" in ran.err


# Home Assistant ------------------------------------------------------------------------------


@pytest.mark.slow
def test_home_assistants_button_begins_it_and_its_entity_tells_the_truth(
    field: Field, release: Release
) -> None:
    node = field.node("n", verdict="back", trial_s=0.3)
    field.tell("fieldpost/bare/status", b'{"state": "online"}')
    # Somebody pressed while nobody served: that is over.
    field.tell("fieldpost/n/update/install", b"install")
    seen: list[tuple[str, Any]] = []
    witness = Connection(mqtt_url.parse(field.broker.url), on_message=_noting(seen))
    witness.open()
    witness.subscribe("fieldpost/n/update/home_assistant", 1)
    witness.subscribe("fieldpost/updates", 1)
    witness.subscribe("homeassistant/#", 1)

    def told() -> dict[str, Any]:
        return next((one for topic, one in reversed(seen) if topic.endswith("assistant")), {})

    def live() -> None:
        until(lambda: told().get("latest_version") == "0.2.0 (1)")
        assert told()["installed_version"] == "0.1.0 (0)" and not told()["in_progress"]
        time.sleep(0.5)
        assert not node.offers
        field.tell("fieldpost/n/update/install", b"something", retain=False)
        field.tell("fieldpost/n/update/install", b"install", retain=False)
        until(lambda: told().get("in_progress") is True)
        until(lambda: "three starts" in told().get("release_summary", ""))
        assert not told()["in_progress"]
        node.ways = Ways()
        field.tell("fieldpost/n/update/install", b"install", retain=False)
        until(lambda: told().get("installed_version") == "0.2.0 (1)")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    words = ("--release", str(release.folder), "--all", "--home-assistant")
    ran = field.update(*words)
    thread.join(20)
    assert ran.status == 0 and states(ran) == {"bare": "no keys", "n": "done"}, ran
    until(lambda: ("fieldpost/updates", b"offline") in seen)
    witness.close()
    configs = [topic for topic, _ in seen if topic.startswith("homeassistant/")]
    assert configs == ["homeassistant/update/fieldpost_n/config"]
    removed = fieldpost("ha", "remove", "n", "--broker", field.broker.url)
    assert removed.status == 0
    assert sorted(topic for topic, _ in field.kept("#")) == [
        "fieldpost/bare/status",
        "fieldpost/n/update/install",
        "fieldpost/updates",
    ]


def _noting(seen: list[tuple[str, Any]]) -> Callable[[MQTTMessage], None]:
    def note(message: MQTTMessage) -> None:
        data = bytes(message.payload)
        seen.append((message.topic, json.loads(data) if data.startswith(b"{") else data))

    return note
