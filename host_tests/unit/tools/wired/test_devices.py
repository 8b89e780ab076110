"""`--device`: what is wired to a board and does not stand in its configuration."""

from __future__ import annotations

import pytest

from fieldpost.errors import CommandError
from fieldpost.wired import devices

_INDOOR = {"type": "bme280", "scl": 5, "sda": 4}


def test_a_type_alone_is_wired_where_a_pico_w_has_its_first_bus() -> None:
    (one,) = devices.parse(["bme280"])
    assert (one["name"], one["bus"], one["scl"], one["sda"], one["address"]) == (
        "bme280",
        0,
        5,
        4,
        0x76,
    )


def test_address_pins_and_name_can_be_said() -> None:
    (one,) = devices.parse(["sht3x@0x45,bus=1,scl=7,sda=6,name=attic"])
    assert (one["name"], one["bus"], one["scl"], one["address"]) == ("attic", 1, 7, 0x45)
    (pin,) = devices.parse(["digital,pin=15,field=door"])
    assert pin["pin"] == 15


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["bme820"], "'bme820' is no type of sensor; there are .*bme280"),
        (["bme280@0x50"], "--device bme280@0x50.address"),
        (["bme280,scl"], "'scl' is no KEY=VALUE"),
        (["bme280,colour=red"], "--device bme280,colour=red.colour: unknown key"),
        (["bme280"], "--device bme280"),  # The address is taken.
    ],
)
def test_what_cannot_be_wired_is_refused_in_its_own_words(texts: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        devices.parse(texts, [_INDOOR])


def test_a_device_goes_beside_the_sensors_of_a_configuration() -> None:
    (one,) = devices.parse(["bme280@0x77,name=second"], [_INDOOR])
    assert one["name"] == "second" and one["address"] == 0x77
