"""Each setting of RabbitMQ that loses readings is found at a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs.command_line import fieldpost
from rigs.rabbitmq import RabbitMq

from fieldpost.collect.sources.address import DEFAULT_QUEUE
from fieldpost.collect.sources.amqp.flaws import of_queue
from fieldpost.stores import amqp_limits

_AS_MADE = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}


def looked(url: str, folder: Path) -> tuple[int, dict[str, str]]:
    """The status, and what is not as it should be, with its state."""
    store = f"sqlite:///{folder}/x.db"
    ran = fieldpost("stores", "doctor", "--store", store, "--from", url, "--json")
    told = json.loads(ran.out)["checks"]
    return ran.status, {
        one["name"]: one["state"]
        for one in told
        if one["state"] != "ok" and one["name"] != "not seen"
    }


def make(rabbit: RabbitMq, arguments: dict[str, Any], **flags: bool) -> None:
    with rabbit.channel() as channel:
        channel.queue_declare(DEFAULT_QUEUE, arguments=arguments, **{"durable": True, **flags})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "name", "state"),
    [
        ({"x-max-length": 9}, "x-max-length", "missing"),
        ({"x-max-length-bytes": 999}, "x-max-length-bytes", "missing"),
        ({"x-max-length": 9, "x-overflow": "reject-publish"}, "x-max-length", "note"),
        ({"x-message-ttl": 60_000}, "x-message-ttl", "missing"),
        ({"x-expires": 60_000}, "x-expires", "missing"),
        ({"x-delivery-limit": 5}, "x-delivery-limit", "missing"),
        ({"x-delivery-limit": -1}, "x-delivery-limit", "missing"),
        ({"x-quorum-initial-group-size": 1}, "x-quorum-initial-group-size", "note"),
        ({"x-queue-type": "classic"}, "x-queue-type", "missing"),
        ({"x-queue-type": "stream"}, "x-queue-type", "missing"),
    ],
)
def test_a_queue_that_loses_readings_is_found(
    rabbit: RabbitMq, tmp_path: Path, more: dict[str, Any], name: str, state: str
) -> None:
    arguments = {**_AS_MADE, **more}
    if arguments["x-queue-type"] != "quorum":
        del arguments["x-delivery-limit"]
    make(rabbit, arguments)
    status, found = looked(rabbit.url, tmp_path)
    assert found == {"queue": "note", name: state} and status == (state == "missing")


@pytest.mark.slow
def test_what_a_policy_does_is_not_seen_and_said_not_to_be(
    rabbit: RabbitMq, tmp_path: Path
) -> None:
    make(rabbit, _AS_MADE)
    definition = '[{<<"max-length">>, 5}], 0, <<"queues">>, <<"test">>'
    home = "rabbit_policy"
    assert rabbit.ask(f'{home}:set(<<"/">>, <<"p">>, <<".*">>, {definition}).') == "ok"
    store = f"sqlite:///{tmp_path}/x.db"
    ran = fieldpost("stores", "doctor", "--store", store, "--from", rabbit.url, "--json")
    rabbit.ask(f'{home}:delete(<<"/">>, <<"p">>, <<"test">>).')
    (unseen,) = (one for one in json.loads(ran.out)["checks"] if one["name"] == "not seen")
    assert "policies" in unseen["text"] and "effective_policy_definition" in unseen["fix"]


@pytest.mark.slow
def test_all_that_is_wrong_with_a_queue_is_found_at_once(rabbit: RabbitMq, tmp_path: Path) -> None:
    arguments = {"x-max-length": 9, "x-message-ttl": 9, "x-dead-letter-exchange": "elsewhere"}
    make(rabbit, arguments, durable=False, auto_delete=True)
    _, found = looked(rabbit.url, tmp_path)
    wrong = {"x-queue-type", "x-max-length", "x-message-ttl", "durable", "auto-delete"}
    assert {name for name, state in found.items() if state == "missing"} == wrong


@pytest.mark.slow
def test_one_as_collectors_make_it_is_sound_and_one_that_is_not_there_loses_all(
    rabbit: RabbitMq, tmp_path: Path
) -> None:
    assert looked(rabbit.url, tmp_path) == (1, {"queue": "missing"})
    assert looked(rabbit.url, tmp_path) == (1, {"queue": "missing"}), "looking made it"
    make(rabbit, _AS_MADE)
    assert looked(rabbit.url, tmp_path) == (0, {"queue": "note"})
    with rabbit.channel() as channel:
        channel.basic_consume(DEFAULT_QUEUE, lambda *_given: None)
        assert looked(rabbit.url, tmp_path) == (0, {})


@pytest.mark.slow
def test_looking_leaves_no_binding(rabbit: RabbitMq, tmp_path: Path) -> None:
    make(rabbit, _AS_MADE)
    looked(rabbit.url, tmp_path)
    of_the_exchange = 'rabbit_misc:r(<<"/">>, exchange, <<"amq.topic">>)'
    assert rabbit.ask(f"rabbit_binding:list_for_source({of_the_exchange}).") == "[]"


@pytest.mark.slow
def test_what_an_account_may_not_ask_is_told_as_not_seen(rabbit: RabbitMq, tmp_path: Path) -> None:
    home = "rabbit_auth_backend_internal"
    only_reads = '<<"^$">>, <<"^$">>, <<"^fieldpost$">>'
    rabbit.ask(f'{home}:add_user(<<"reader">>, <<"word">>, <<"test">>).')
    rabbit.ask(f'{home}:set_permissions(<<"reader">>, <<"/">>, {only_reads}, <<"test">>).')
    make(rabbit, {**_AS_MADE, "x-max-length": 9})
    url = rabbit.url.replace("amqp://", "amqp://reader:word@")
    expected = {"queue": "note", "settings": "note", "binding": "note"}
    assert looked(url, tmp_path) == (0, expected)


@pytest.mark.slow
def test_a_full_disk_is_told_although_it_may_not_publish(rabbit: RabbitMq, tmp_path: Path) -> None:
    make(rabbit, _AS_MADE)
    limit = "rabbit_disk_monitor:set_disk_free_limit({}).".format
    rabbit.ask(limit('"900000GB"'))
    try:
        status, found = looked(rabbit.url, tmp_path)
    finally:
        rabbit.ask(limit("50000000"))
    assert (status, found["alarm"]) == (1, "missing")


def test_from_version_4_a_queue_without_a_limit_has_one() -> None:
    def grades(arguments: dict[str, object], version: str) -> list[str]:
        return [one.grade for one in of_queue("fieldpost", arguments, version)]

    assert grades({"x-queue-type": "quorum"}, "4.1.0") == ["loses"]
    assert grades({"x-queue-type": "quorum"}, "3.13.7") == ["note"]
    assert grades({"x-queue-type": "quorum", "x-delivery-limit": -1}, "4.1.0") == []
    assert grades(_AS_MADE, "4.1.0") == grades(_AS_MADE, "3.10.8") == []


def test_hosts_of_two_clusters_are_told() -> None:
    assert amqp_limits._one_cluster(["a", "a", "a"]) == []
    assert amqp_limits._one_cluster(["a", "b", "a"])[0].state == "missing"


def test_where_nothing_listens_it_is_told(tmp_path: Path) -> None:
    assert looked("amqp://127.0.0.1:1", tmp_path) == (1, {"broker": "missing"})
