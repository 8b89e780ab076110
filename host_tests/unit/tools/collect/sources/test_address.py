"""Addresses from which readings are taken: what is understood, and what is said of the rest."""

from pathlib import Path

import pytest

from fieldpost.collect.sources.address import ClusterAddress, parse
from fieldpost.errors import Usage
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import BrokerAddress


def test_a_cluster_has_several_hosts_one_login_and_a_path() -> None:
    address = parse("amqp://me:p%40ss%2Fword@one,two:5673,[::1]:5674/plant%2F7")
    assert address == ClusterAddress(
        "amqp",
        (("one", 5672), ("two", 5673), ("::1", 5674)),
        user="me",
        password="p@ss/word",
        path="plant/7",
    )
    assert str(address) == "amqp://one:5672,two:5673,[::1]:5674/plant/7"
    assert "word" not in repr(address)


@pytest.mark.parametrize(
    ("url", "port"),
    [("amqp://h", 5672), ("amqps://h/", 5671), ("nats://h", 4222), ("tls://h", 4222)],
)
def test_each_kind_has_its_port(url: str, port: int) -> None:
    address = parse(url)
    assert isinstance(address, ClusterAddress)
    assert address.hosts == (("h", port),) and address.path is None and address.user is None
    assert (address.tls is not None) == (url.startswith(("amqps", "tls")))


def test_all_else_is_a_broker_of_mqtt() -> None:
    assert parse("mqtt://h:1884") == parse("h:1884") == BrokerAddress("h", 1884)
    with pytest.raises(Usage, match="begins with kafka://"):
        parse("kafka://h")


def test_files_are_for_tls_alone() -> None:
    files = ClientFiles(ca=Path("ca.crt"))
    address = parse("amqps://h", files)
    assert isinstance(address, ClusterAddress) and address.tls == files
    with pytest.raises(Usage, match="write amqps://"):
        parse("amqp://h", files)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("amqp://", "a host is missing"),
        ("amqp://a,,b", "a host is missing"),
        ("amqp://h:0", "a port must be"),
        ("nats://h:99999", "a port must be"),
        ("nats://h:x", "a port must be"),
        ("amqp://me:secret/7@h", "write / as %2F"),
        ("amqp://h?secret", "no \\? or # may follow"),
        ("amqp://me:secret%ff@h", "do not make UTF-8"),
        (f"amqp://{'secret' * 20}.", "no host can have the name"),
    ],
)
def test_what_is_wrong_is_said_without_what_may_be_a_password(url: str, words: str) -> None:
    with pytest.raises(Usage, match=words) as raised:
        parse(url)
    assert "secret" not in str(raised.value)
