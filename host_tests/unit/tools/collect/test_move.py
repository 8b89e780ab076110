"""A fleet moves from Mosquitto and SQLite to RabbitMQ and PostgreSQL while it publishes, by the
steps of docs/scale.md: in the end the new store has every reading once."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rigs.collecting import LOSES_NOTHING, Collecting
from rigs.command_line import fieldpost
from rigs.commanded_node import Node
from rigs.door import Door
from rigs.mosquitto import need_mosquitto
from rigs.port_node import taken, wait_until
from rigs.rabbitmq import RabbitMq
from rigs.stores import new_store

from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT
from fieldpost.store.address import parse
from fieldpost.store.opened import open_store

Key = tuple[str, int, int]
_NODES, _MINUTES = 60, 1.2
# Longer than any node here sleeps.
_QUIET = "8s"
_NEW_HOST = "127.231.1.9"


def keys(store: str) -> list[Key]:
    opened = open_store(parse(store))
    try:
        with opened.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT node, boot, seq FROM readings").all()
            assert not connection.exec_driver_sql("SELECT count(*) FROM conflicts").scalar()
            assert not connection.exec_driver_sql("SELECT count(*) FROM rejected").scalar()
    finally:
        opened.close()
    return [(node, boot, seq) for node, boot, seq in rows]


def told_of(ledger: Path) -> tuple[set[Key], set[Key]]:
    """What the swarm's nodes have taken on; and of that, what a broker has acknowledged to them.
    Of the rest, a node that sleeps had gathered some when the swarm ended."""
    with ledger.open(encoding="utf-8") as file:
        rows = {
            (row["node"], int(row["boot"]), int(row["seq"])): row["acknowledged"]
            for row in csv.DictReader(file)
        }
    return set(rows), {key for key, moment in rows.items() if moment}


@contextmanager
def swarm(port: int, ledger: Path) -> Iterator[subprocess.Popen[str]]:
    """Half of it sleeps. Nobody but collectors counts what arrives."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "fieldpost", "swarm", "--broker", f"mqtt://127.0.0.1:{port}"),
            *("--nodes", str(_NODES), "--minutes", str(_MINUTES), "--every", "2"),
            *("--sleeping", "0.5", "--deliver-every", "2", "--spread", "2", "--drain", "90"),
            *("--no-watch", "--ledger", str(ledger), "--json"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def commanded(folder: Path, name: str, broker: Broker) -> Iterator[Node]:
    folder.mkdir()
    node = Node(folder, name, broker)
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(280)
def test_a_fleet_moves_and_every_reading_is_stored_once(tmp_path: Path) -> None:
    need_mosquitto("amqtt keeps nothing across a restart")
    old, new = f"sqlite:///{tmp_path}/readings.db", new_store("postgresql", tmp_path)
    ledger = tmp_path / "ledger.csv"
    with (
        Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as broker,
        # At an address of its own, with MQTT on the port of the old one.
        RabbitMq(f"mqtt.listeners.tcp.2 = {_NEW_HOST}:{broker.port}") as cluster,
        Door(("127.0.0.1", broker.port)) as door,
        Collecting(broker, old, "--client-id", "collector") as before,
    ):
        before.says("storing into")
        with (
            swarm(door.port, ledger) as fleet,
            commanded(tmp_path / "one", "one", broker) as one,
        ):
            wait_until(lambda: len(keys(old)) > 50)

            # (a) The collector of the old broker goes on in its session, into the new store.
            assert before.terminate() == 0
            words = "--client-id", "collector", "--quiet", _QUIET
            with (
                Collecting(broker, new, *words) as at_old,
                Collecting(broker, new, "--from", cluster.url) as at_new,
            ):
                at_old.says("storing into")
                wait_until(lambda: len(keys(new)) > 20)

                # (b) What the old store has comes over meanwhile.
                copied = json.loads(fieldpost("stores", "copy", old, new, "--json").out)
                assert copied["ok"] and copied["checked"]["missing"] == 0, copied
                assert fieldpost("gaps", "--store", new).status == 0

                # (c) A collector reads from the new broker, before any node is there.
                at_new.says("storing into")

                # (d) One node is told, on trial; for the others the name leads elsewhere. Those
                # that are connected come over when the old broker restarts.
                ran = fieldpost(
                    *("cmd", "one", "set", f"mqtt.host={_NEW_HOST}", "--broker", broker.url)
                )
                assert ran.status == 0, ran.out + ran.err
                one.wait_for_restart()
                door.leads_to = (_NEW_HOST, broker.port)
                time.sleep(4)
                broker.stop()
                broker.start()
                moved = len(keys(new))
                wait_until(lambda: len(keys(new)) > moved + 20)

                # (e) The old collector ends when the old broker has been silent for so long.
                assert at_old.wait(120) == 0, at_old.lines
                assert fleet.poll() is None, "nodes still publish"
                told = json.loads(fleet.communicate(timeout=170)[0])
                assert told["ok"] and not told["waiting"], told
                of_one = [("one", boot, seq) for boot, seq in taken(one.lines)]
                assert len({boot for _, boot, _ in of_one}) == 2 and not one.config().get("trial")
                wait_until(lambda: set(of_one) <= set(keys(new)))
                one.interrupt()
                accepted, acknowledged = told_of(ledger)
                try:
                    wait_until(lambda: acknowledged <= set(keys(new)))
                finally:
                    assert at_new.terminate() == 0
        with Collecting(broker, new, "--client-id", "collector", "--leave") as last:
            assert last.wait() == 0, last.lines

    stored = keys(new)
    assert len(accepted) == told["accepted"] > _NODES * 20
    assert len(accepted) - len(acknowledged) <= _NODES
    assert len(stored) == len(set(stored))
    assert acknowledged <= {key for key in stored if key[0] != "one"} <= accepted
    assert set(keys(old)) <= set(stored)
    ran = fieldpost("gaps", "--store", new, "--json")
    assert ran.status == 0, ran.out
