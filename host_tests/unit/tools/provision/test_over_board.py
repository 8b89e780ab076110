"""A whole configuration over what a board has: what is said counts, all else stays, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpost.config import pins
from fieldpost.errors import CommandError
from fieldpost.provision.over_board import Wanted, make

OLD: dict[str, Any] = {
    "node": "old",
    "mqtt": {"host": "10.0.0.1", "keepalive_s": 90},
    "sensors": [{"type": "internal"}],
}
HIDDEN: dict[str, Any] = {
    "wifi": [{"ssid": "desk", "password": "old password"}, {"ssid": "other", "password": ""}],
    "mqtt": {"user": "node", "password": "of the broker"},
}
NEW = Wanted(
    {"node": "new", "mqtt": {"host": "10.0.0.1"}, "sample_s": 30},
    {"wifi": [{"ssid": "desk", "password": "new password"}]},
)


def test_what_is_not_said_stays_as_it_is_on_the_board() -> None:
    files = make(NEW, (OLD, HIDDEN))
    assert files.config == {
        "node": "new",
        "mqtt": {"host": "10.0.0.1", "keepalive_s": 90},
        "sensors": [{"type": "internal"}],
        "sample_s": 30,
    }
    assert [one["ssid"] for one in files.secrets["wifi"]] == ["desk", "other"]
    assert files.secrets["wifi"][0]["password"] == "new password"
    assert files.secrets["mqtt"] == HIDDEN["mqtt"]


def test_or_nothing_of_it_stays() -> None:
    wanted = Wanted(NEW.config, NEW.secrets, keeps=False)
    files = make(wanted, (OLD, HIDDEN))
    assert (files.config, files.secrets) == (NEW.config, NEW.secrets)


def test_a_login_is_shown_to_no_other_broker() -> None:
    config = {**NEW.config, "mqtt": {"host": "10.0.0.2"}}
    assert "mqtt" not in make(Wanted(config, NEW.secrets), (OLD, HIDDEN)).secrets


def test_a_board_that_has_nothing_gets_what_is_said() -> None:
    assert make(NEW).config == NEW.config


def test_pins_that_the_board_does_not_have_are_refused() -> None:
    wanted = Wanted({**NEW.config, "sensors": [{"type": "dht", "pin": 25}]}, NEW.secrets)
    assert make(wanted).config
    with pytest.raises(CommandError, match="pin 25 of the RP2040"):
        make(wanted, chip=pins.CHIPS["RP2040"])


def test_a_certificate_that_is_named_comes_along_or_is_there() -> None:
    tls = {"host": "10.0.0.1", "tls": {"ca_file": "ca.der"}}
    wanted = Wanted({**NEW.config, "mqtt": tls}, NEW.secrets, {"ca.der": b"1", "x.der": b"2"})
    assert make(wanted).others == {"ca.der": b"1"}
    without = Wanted(wanted.config, NEW.secrets)
    with pytest.raises(CommandError, match="choose it on the page"):
        make(without)
    assert make(without, names=["/ca.der"]).others == {}
