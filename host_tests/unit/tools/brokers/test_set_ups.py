"""What docs/brokers.md says of setting up a broker is started as it stands there, and tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from rigs.mosquitto import need_mosquitto

from brokers import packets
from brokers.__main__ import PAGE
from brokers.accounts import OWNER, Account
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place
from brokers.probe_client import ProbeClient
from brokers.process import RunningBroker

KITCHEN = Account("kitchen", "kitchens-word", (), ())
READER = Account("reader", "readers-word", (), ())
ACCOUNTS = (KITCHEN, READER, OWNER)


def snippets(title: str) -> list[str]:
    """The code of one section, block by block."""
    text = PAGE.read_text(encoding="utf-8")
    (section,) = [one for one in text.split("\n### ") if one.startswith(f"{title}\n")]
    return re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)


def mosquitto(_: Installed, place: Place) -> Command:
    program = need_mosquitto("it is its own set-up that is tried")
    make_password = shutil.which("mosquitto_passwd")
    if not make_password:
        pytest.skip("mosquitto_passwd is not installed")
    configuration, rights, commands = snippets("Mosquitto")
    at = str(place.folder)
    configuration = configuration.replace("/etc/mosquitto", at)
    configuration = configuration.replace("listener 1883", f"listener {place.port} 127.0.0.1")
    if os.geteuid() == 0:
        configuration += "user root\n"
    (place.folder / "fieldpost.conf").write_text(configuration)
    (place.folder / "acl").write_text(rights)
    (place.folder / "acl").chmod(0o600)
    words = {one.user: one.password for one in ACCOUNTS}
    for line in commands.replace("/etc/mosquitto", at).splitlines():
        if line.startswith("mosquitto_passwd"):
            # The password is typed twice where it is asked for.
            given = line.partition("#")[0].split()[1:]
            word = words[given[-1]]
            subprocess.run([make_password, "-b", *given, word], check=True, capture_output=True)
    return Command([program, "-c", str(place.folder / "fieldpost.conf")])


def amqtt(_: Installed, place: Place) -> Command:
    (configuration,) = snippets("amqtt")
    hasher = Argon2Hasher()
    lines = [f"{one.user}:{hasher.hash(one.password)}\n" for one in ACCOUNTS]
    (place.folder / "passwords").write_text("".join(lines))
    file = place.folder / "amqtt.yaml"
    file.write_text(configuration.replace("0.0.0.0:1883", f"127.0.0.1:{place.port}"))
    return Command([sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(file)])


def send(client: ProbeClient, payload: bytes, *topics: str) -> None:
    """With QoS 1; waits for the acknowledgement of each, refused or not."""
    for packet_id, topic in enumerate(topics, 1):
        before = len(client.of("PUBACK"))
        client.send(packets.publish(topic, payload, packet_id))
        client.wait(lambda: len(client.of("PUBACK")) > before)  # noqa: B023


def heard(client: ProbeClient, least: int) -> set[tuple[str, bytes]]:
    """Topic and payload of all that came, once there are so many."""
    client.wait(lambda: len(client.of("PUBLISH")) >= least)
    return {(one.topic, one.payload) for one in client.of("PUBLISH")}


@pytest.mark.slow
@pytest.mark.parametrize("run", [mosquitto, amqtt], ids=["mosquitto", "amqtt"])
def test_each_account_has_the_rights_that_the_page_tells_and_no_more(
    run: Callable[[Installed, Place], Command], tmp_path: Path
) -> None:
    kind = Kind("set-up", "As on the page", lambda _: Installed(tmp_path, "", {}), run)
    with (
        RunningBroker(kind, kind.install(Cache(tmp_path))) as broker,
        ProbeClient(broker.port) as reader,
        ProbeClient(broker.port) as owner,
        ProbeClient(broker.port) as node,
    ):
        for client, account in ((reader, READER), (owner, OWNER), (node, KITCHEN)):
            client.open(account.user, account)
        for packet_id, topic in enumerate(("fieldpost/#", "homeassistant/#"), 1):
            assert reader.subscribe(topic, packet_id) == 1
        for packet_id, topic in enumerate(("fieldpost/kitchen/cmd", "homeassistant/status"), 1):
            assert node.subscribe(topic, packet_id) == 1
        node.subscribe("fieldpost/cellar/cmd", 3)

        send(reader, b"by reader", "fieldpost/kitchen/cmd")
        mine = ("fieldpost/kitchen/telemetry", "homeassistant/device/kitchen/config")
        others = ("fieldpost/cellar/telemetry", "homeassistant/device/cellar/config")
        send(node, b"by node", *others, *mine)
        orders = ("fieldpost/kitchen/cmd", "homeassistant/status")
        send(owner, b"by owner", "fieldpost/cellar/cmd", *orders)

        assert heard(node, 2) == {(one, b"by owner") for one in orders}
        assert heard(reader, 5) == {(one, b"by node") for one in mine} | {
            (one, b"by owner") for one in ("fieldpost/cellar/cmd", *orders)
        }
