"""Several collectors at one broker divide what comes among them, where the broker can do that."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from rigs.collecting import LOSES_NOTHING, Collecting, Stream
from rigs.command_line import fieldpost
from rigs.mosquitto import need_mosquitto
from rigs.nats_mqtt import nats_mqtt
from rigs.port_node import wait_until

from fieldpost.collect.sources.mqtt.share import NotShared, try_share
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.url import parse as parse_broker
from fieldpost.store.address import parse as parse_store
from fieldpost.store.opened import open_store

Key = tuple[str, int, int]


def test_a_message_of_ours_comes_back_through_a_group_of_mosquittos() -> None:
    need_mosquitto("amqtt knows no groups")
    with Broker("mosquitto") as broker:
        try_share(parse_broker(broker.url), None, "fieldpost")


def test_a_broker_that_grants_a_group_and_hands_nothing_on_is_not_trusted(tmp_path: Path) -> None:
    with nats_mqtt(tmp_path) as url:
        ran = fieldpost(
            *("collect", "--broker", url, "--share", "all", "--json"),
            *("--store", f"sqlite:///{tmp_path}/readings.db"),
        )
    told = json.loads(ran.out.splitlines()[-1])
    assert ran.status == 1 and told["error"]["code"] == "broker_denied"
    assert "hands nothing on" in told["error"]["message"]
    assert not (tmp_path / "readings.db").exists()


def test_an_account_that_may_not_publish_is_told_what_to_do(tmp_path: Path) -> None:
    """With one beside it that may, there is an answer."""
    need_mosquitto("amqtt has no rules")
    rules = "user collector\ntopic read fieldpost/#\nuser owner\ntopic fieldpost/#\n"
    (tmp_path / "acl").write_text(rules)
    (tmp_path / "acl").chmod(0o600)
    users = {"collector": "a", "owner": "b"}
    with Broker("mosquitto", users=users, more=(f"acl_file {tmp_path}/acl",)) as broker:
        collector, owner = (
            parse_broker(broker.url.replace("://", f"://{user}:{password}@"))
            for user, password in users.items()
        )
        with pytest.raises(NotShared, match="--publisher"):
            try_share(collector, None, "fieldpost", limit_s=0.5)
        try_share(collector, owner, "fieldpost")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--share a/b", "name of a group"),
        ("--share=", "name of a group"),
        ("--share g --forget", "--leave alone"),
        ("--share g --from amqp://127.0.0.1", "are for MQTT"),
        ("--leave --from amqp://127.0.0.1", "are for MQTT"),
        ("--quiet 5", "no length of time"),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path: Path, words: str, said: str) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    ran = fieldpost("collect", "--store", store, *words.split())
    assert ran.status == 2 and said in " ".join(ran.err.split())


def keys(store: str) -> set[Key]:
    opened = open_store(parse_store(store))
    try:
        with opened.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT node, boot, seq FROM readings").all()
    finally:
        opened.close()
    return {(node, boot, seq) for node, boot, seq in found}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_what_a_dead_member_has_not_acknowledged_waits_for_it(tmp_path: Path) -> None:
    """Mosquitto hands it to no other, and keeps a share of what comes for the dead one, too. So it
    comes back under its id, or leaves in order: then nothing is lost."""
    need_mosquitto("amqtt knows no groups")
    stores = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]

    def member(number: int, *more: str) -> Collecting:
        name = f"member-{number}"
        return Collecting(broker, stores[number], "--share", "g", "--client-id", name, *more)

    with (
        Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as broker,
        member(0) as first,
        member(1) as second,
    ):
        for one in (first, second):
            one.says("storing into")
        stream = Stream(broker)
        wait_until(lambda: keys(stores[0]) and keys(stores[1]))
        first.kill()
        time.sleep(2)
        published = set(stream.published)
        time.sleep(2)
        # Half of it waits for the dead one.
        left = published - keys(stores[0]) - keys(stores[1])
        assert len(left) > len(published) / 10

        with member(0) as again:
            again.says("storing into")
            wait_until(lambda: not published - keys(stores[0]) - keys(stores[1]))
            again.kill()
        time.sleep(1)
        with member(0, "--leave") as last:
            assert last.wait() == 0, last.lines
        after = len(keys(stores[0]))
        time.sleep(1)
        stream.end()
        wait_until(lambda: not stream.published - keys(stores[0]) - keys(stores[1]))
        assert len(keys(stores[0])) == after, "it has left, and is sent nothing"
        assert not keys(stores[0]) & keys(stores[1]), "each comes to one of them"
        assert second.terminate() == 0
