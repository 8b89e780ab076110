"""Hosts, addresses and countries that look right and cannot be: each an error at its key."""

from typing import Any

import pytest
from rigs.configurations import SECRETS

from firmware.config.check import check


def errors_of(secrets: Any = SECRETS, **change: Any) -> list[str]:
    return check({"node": "n", "mqtt": {"host": "h"}, **change}, secrets)[1]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.168.1.10:1883", 'must be "192.168.1.10"; the port goes into mqtt.port'),
        ("broker.example:8883", 'must be "broker.example"; the port goes into mqtt.port'),
        ("fd00::1", "IPv6"),
        ("::1", "IPv6"),
        ("192.168.1.300", "four numbers up to 255"),
        ("192.168.1", "four numbers up to 255"),
        ("1.2.3.4.5", "four numbers up to 255"),
        ("..", "between its dots"),
        ("a..b", "between its dots"),
        (".a", "between its dots"),
        ("0.0.0.0", "one host"),
        ("239.1.1.1", "one host"),
        ("255.255.255.255", "one host"),
    ],
)
def test_a_host_that_cannot_be_one_is_named_with_what_to_write(host: str, words: str) -> None:
    (error,) = errors_of(mqtt={"host": host})
    assert error.startswith(f'mqtt.host: found "{host}"') and words in error
    (error,) = errors_of(ntp={"host": host})
    assert error.startswith(f'ntp.host: found "{host}"') and "mqtt.port" not in error


@pytest.mark.parametrize(
    "host", ["10.0.0.2", "127.0.0.1", "localhost", "b", "a-b.c_d", "x.local."]
)
def test_a_host_that_can_be_one_is_taken(host: str) -> None:
    assert errors_of(mqtt={"host": host}) == []


STATIC = {"address": "192.168.1.20", "gateway": "192.168.1.1"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"address": "192.168.1.0"}, "address"),
        ({"address": "192.168.1.255"}, "address"),
        ({"address": "192.168.1.1"}, "address"),
        ({"gateway": "192.168.1.255"}, "gateway"),
        ({"gateway": "192.168.1.0"}, "gateway"),
        ({"address": "10.0.15.255", "gateway": "10.0.0.1", "mask": "255.255.240.0"}, "address"),
        ({"address": "127.0.0.2", "gateway": "127.0.0.1"}, "address"),
        ({"address": "224.0.0.5", "gateway": "224.0.0.1"}, "address"),
        ({"address": "0.0.0.5", "gateway": "0.0.0.1"}, "address"),
        ({"dns": "0.0.0.0"}, "dns"),
        ({"dns": "127.0.0.1"}, "dns"),
        ({"dns": "255.255.255.255"}, "dns"),
    ],
)
def test_an_address_that_no_host_can_have_is_an_error(change: dict[str, str], key: str) -> None:
    errors = errors_of(wifi={"static": STATIC | change})
    assert errors and errors[0].startswith(f"wifi.static.{key}: ")


@pytest.mark.parametrize("first", [0, 127, 224, 239, 255])
def test_an_address_of_no_network_of_hosts_is_told_as_that(first: int) -> None:
    change = {"address": f"{first}.9.9.5", "gateway": f"{first}.9.9.1"}
    errors = errors_of(wifi={"static": change})
    assert errors == [
        f'wifi.static.{key}: found "{value}", must be the address of one host on a network'
        for key, value in change.items()
    ]
    assert errors_of(wifi={"static": {"address": "223.9.9.5", "gateway": "223.9.9.1"}}) == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"dns": "1.1.1.1"},
        {"address": "10.0.15.255", "gateway": "10.0.0.1", "mask": "255.255.0.0"},
        {"address": "10.0.1.0", "gateway": "10.0.0.1", "mask": "255.255.0.0"},
        {"address": "10.0.0.0", "gateway": "10.0.0.1", "mask": "255.255.255.254"},
    ],
)
def test_an_address_that_a_host_can_have_is_taken(change: dict[str, str]) -> None:
    assert errors_of(wifi={"static": STATIC | change}) == []


@pytest.mark.parametrize(
    ("code", "meant"), [("UK", "GB"), ("EL", "GR"), ("ZZ", None), ("DA", None)]
)
def test_two_letters_that_are_no_country_are_an_error(code: str, meant: str | None) -> None:
    (error,) = errors_of(wifi={"country": code})
    assert error.startswith(f'wifi.country: found "{code}"')
    assert (f'did you mean "{meant}"?' in error) == bool(meant)


@pytest.mark.parametrize("code", ["GB", "DE", "US", "AD", "ZW", "JP", "GR"])
def test_a_country_is_taken(code: str) -> None:
    assert errors_of(wifi={"country": code}) == []


@pytest.mark.parametrize(
    ("password", "taken"),
    [
        ("0123456789abcdefABCDEF" + 42 * "0", True),
        ("g" * 64, False),
        ("0" * 63, True),
        ("0" * 65, False),
    ],
)
def test_a_password_of_64_characters_is_a_key_in_hexadecimal(password: str, taken: bool) -> None:
    errors = errors_of({"wifi": [{"ssid": "home", "password": password}]})
    assert (errors == []) == taken
    assert taken or password not in errors[0]


@pytest.mark.parametrize("first", [True, False])
def test_advice_about_a_driver_of_ones_own_works_when_it_is_followed(first: bool) -> None:
    driver = {"type": "driver", "driver": "mine:Mine", "pin": 1}
    dht = {"type": "dht", "pin": 2}
    (error,) = errors_of(sensors=[driver, dht] if first else [dht, driver])
    whom = "give sensors[0] a prefix" if first else "give this one"
    assert whom in error
    followed = {**driver, "prefix": True}
    assert errors_of(sensors=[followed, dht] if first else [dht, followed]) == []


@pytest.mark.parametrize("key", ["alarms", "calibration", "fields"])
@pytest.mark.parametrize("value", [5, None, [], "x"])
def test_what_is_no_entry_of_a_list_is_an_error_at_its_key(key: str, value: Any) -> None:
    errors = errors_of(sensors=[{"type": "internal", key: [value]}], mode="duty_cycle")
    assert errors and all(error.startswith(f"sensors[0].{key}") for error in errors)
