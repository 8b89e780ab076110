"""What the containers of examples/collect would run, run without a container engine: the same
Mosquitto configuration, the same commands and environment, at other ports and in other folders."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rigs.postgresql import PostgreSql, postgresql

from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.paths import ROOT
from fieldpost.processes import programs

HERE = ROOT / "examples" / "collect"
PASSWORD = "nodesPassword1"
_START_S = 30.0
# Of a client that is away Mosquitto by itself keeps 1000.
_WHILE_AWAY = 1500


def compose() -> dict[str, Any]:
    return yaml.safe_load((HERE / "compose.yaml").read_text("utf-8"))


def mounts(service: str) -> dict[str, str]:
    """Where in the container each of its volumes is, by what is there."""
    volumes = [one.split(":") for one in compose()["services"][service]["volumes"]]
    return {one[0]: one[1] for one in volumes}


def test_what_the_containers_tell_each_other_is_there() -> None:
    services = compose()["services"]
    wanted = set(re.findall(r"\$\{(\w+)", (HERE / "compose.yaml").read_text("utf-8")))
    example = (HERE / ".env.example").read_text("utf-8")
    assert wanted == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    of_collect = services["collect"]["environment"]
    hosts = {re.search(r"@([\w-]+)[:/]", url)[1] for url in of_collect.values()}
    assert hosts == {"mosquitto", "postgres"}
    postgres = services["postgres"]["environment"]
    store = (
        f"{postgres['POSTGRES_USER']}:${{POSTGRES_PASSWORD}}@postgres/{postgres['POSTGRES_DB']}"
    )
    assert of_collect["FIELDPOST_STORE"] == f"postgresql://{store}"
    folder = HERE / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "fieldpost.yaml").read_text())[
        "datasources"
    ]
    assert source["url"].split(":") == ["postgres", "5432"]
    assert source["user"] == postgres["POSTGRES_USER"]
    assert source["jsonData"]["database"] == postgres["POSTGRES_DB"]
    password = source["secureJsonData"]["password"].removeprefix("$")
    assert password in services["grafana"]["environment"]
    # The dashboard asks the source that there is, and lies where it is looked for.
    dashboard = (HERE / "grafana" / "fieldpost.json").read_text("utf-8")
    assert set(re.findall(r'"uid": "(\w+)"', dashboard)) == {source["uid"]}
    (provider,) = yaml.safe_load((folder / "dashboards" / "fieldpost.yaml").read_text())[
        "providers"
    ]
    place = Path(mounts("grafana")["./grafana/fieldpost.json"])
    assert Path(provider["options"]["path"]) == place.parent
    assert mounts("grafana")["./grafana/provisioning"] == "/etc/grafana/provisioning"


def test_the_image_has_all_that_it_is_built_of_and_no_password() -> None:
    dockerfile = (HERE / "Dockerfile").read_text("utf-8")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    extras = re.findall(r"'/src\[([\w,]+)\]'", dockerfile)[0].split(",")
    assert all(f"\n{one} = [" in project for one in extras)
    lines = (HERE / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    taken = {one[1:] for one in lines if one.startswith("!")}
    assert all((ROOT / one).exists() for one in taken)
    # setup.py's own list of what a package is made of, and what pyproject.toml names.
    from_setup = re.findall(r'^    "([\w.]+)', (ROOT / "setup.py").read_text("utf-8"), re.M)
    assert set(from_setup) <= taken and {"pyproject.toml", "LICENSE", "README.md"} <= taken
    # Where .env and Mosquitto's passwords lie.
    assert "*" in lines and "examples/collect" in lines


@dataclass
class Containers:
    """What runs in their place. store: as the collector is given it."""

    folder: Path
    port: int
    store: str
    metrics: int

    def environment(self) -> dict[str, str]:
        """The collector's, and nothing of ours."""
        of_collect = compose()["services"]["collect"]["environment"]
        broker = of_collect["FIELDPOST_BROKER"].replace(
            "${COLLECTOR_PASSWORD:?give it in .env}", PASSWORD
        )
        return {
            "FIELDPOST_BROKER": broker.replace("mosquitto:1883", f"{HOST}:{self.port}"),
            "FIELDPOST_STORE": self.store,
            "PYTHONPATH": str(ROOT / "tools"),
            "PATH": os.environ["PATH"],
            # As `nobody` has it.
            "HOME": "/nonexistent",
        }

    def collector(self) -> subprocess.Popen[str]:
        """Started as the image starts it."""
        lines = (HERE / "Dockerfile").read_text("utf-8")
        words = json.loads(re.findall(r"^CMD (\[.+\])$", lines, re.MULTILINE)[0])
        words = [one.replace("0.0.0.0:9464", f"{HOST}:{self.metrics}") for one in words]
        return subprocess.Popen(
            [sys.executable, "-m", "fieldpost", *words],
            env=self.environment(),
            cwd=self.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def publish(self, count: int, first: int = 0) -> None:
        """Readings of one node, with the login of nodes, until all are acknowledged."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("nodes", PASSWORD)
        client.connect(HOST, self.port)
        client.loop_start()
        for seq in range(first, first + count):
            told = {"boot": 1, "seq": seq, "temperature": 20.0}
            client.publish("fieldpost/greenhouse-1/telemetry", json.dumps(told), 1)
        wait_until(lambda: not client._out_messages)
        client.disconnect()
        client.loop_stop()

    def stored(self) -> int:
        """Readings that are in the view which the dashboard asks."""
        try:
            with psycopg.connect(self.store) as one:
                row = one.execute("SELECT count(*) FROM wide").fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
        return row[0] if row else 0


def wait_until(reached: Any, limit_s: float = _START_S) -> None:
    end = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def cluster() -> Iterator[PostgreSql]:
    with postgresql() as one:
        if one is None:
            pytest.skip("PostgreSQL is not installed")
        yield one


@pytest.fixture
def containers(tmp_path: Path, cluster: PostgreSql) -> Iterator[Containers]:
    program, passwords = brokers.find_mosquitto(), programs.find("mosquitto_passwd")
    if not program or not passwords:
        pytest.skip("Mosquitto is not installed")
    folder = Path("/var/tmp") / f"fieldpost-{tmp_path.parent.name}-{os.getpid()}"
    one = Containers(folder, free_port(), cluster.new_database(), free_port())
    config, data = folder / "config", folder / "data"
    shutil.copytree(HERE / "mosquitto", config)
    data.mkdir()
    # README.md's own lines.
    readme = (HERE / "README.md").read_text("utf-8")
    lines = re.findall(r"mosquitto_passwd((?: -\w)+) passwords (\w+)", readme)
    assert [name for _, name in lines] == ["collector", "nodes"]
    for given, name in lines:
        command = [passwords, *given.split(), str(config / "passwords"), name, PASSWORD]
        subprocess.run(command, check=True, timeout=30)
    text = (config / "mosquitto.conf").read_text("utf-8")
    places = mounts("mosquitto")
    text = text.replace(places["./mosquitto"], str(config))
    text = text.replace(places["mosquitto"], str(data))
    assert "/mosquitto/" not in text
    text = text.replace("listener 1883", f"listener {one.port} {HOST}")
    if os.geteuid() == 0:
        text += "\nuser root\n"
    (config / "mosquitto.conf").write_text(text)
    broker = subprocess.Popen(
        [program, "-c", str(config / "mosquitto.conf")], stderr=subprocess.DEVNULL
    )
    try:
        yield one
    finally:
        broker.terminate()
        broker.wait(20)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_readings_come_into_the_view_and_those_that_came_while_it_was_away(
    containers: Containers,
) -> None:
    collector = containers.collector()
    try:
        assert collector.stderr
        while "storing into" not in (line := collector.stderr.readline()):
            assert line, "it has ended"
        containers.publish(10)
        wait_until(lambda: containers.stored() == 10)
        collector.terminate()
        # stop_grace_period, less than which systemd's unit has not either.
        assert collector.wait(60) == 0
        containers.publish(_WHILE_AWAY, first=10)
        collector = containers.collector()
        wait_until(lambda: containers.stored() == 10 + _WHILE_AWAY)
    finally:
        collector.terminate()
        collector.communicate(timeout=60)


@pytest.mark.slow
def test_nobody_gets_in_without_a_login(containers: Containers) -> None:
    refused: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda _client, _data, _flags, why, _properties: refused.append(why)
    wait_until(lambda: answers(containers.port))
    client.connect(HOST, containers.port)
    client.loop_start()
    wait_until(lambda: refused)
    client.loop_stop()
    assert refused[0].is_failure


def answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True
