"""The boards' own access point: opens under its own name alone, and closed it leaves nothing."""

import pytest

from fakes.machine import Chip, load_board


@pytest.fixture(params=["ESP32", "ESP32C3", "RP2040", "RP2350"])
def chip(request: pytest.FixtureRequest) -> Chip:
    return Chip(request.param)


def test_it_opens_with_its_own_name_and_password(chip: Chip) -> None:
    point = load_board(chip).access_point()
    point.begin("CH")
    point.open("fieldpost-2f35", "abcd-efgh-jkmn")
    assert chip.network.is_open and chip.network.country_at_start == "CH"
    last = chip.network.opened[-1]
    assert (last["ssid"], last["key"]) == ("fieldpost-2f35", "abcd-efgh-jkmn")
    if chip.is_esp32:
        # Without it, ESP-IDF takes no password.
        assert last["security"] == 3
    else:
        assert len(chip.network.opened) == 1


def test_it_hears_what_is_in_range_and_which_of_it_is_open(chip: Chip) -> None:
    chip.network.in_range = [
        (b"Home", b"\1\2\3\4\5\6", 6, -50, 3, 1),
        (b"Caf\xc3\xa9", b"\1\2\3\4\5\7", 11, -70, 0, 1),
    ]
    point = load_board(chip).access_point()
    with pytest.raises(OSError):
        point.scan()
    point.begin()
    assert point.scan() == [(b"Home", -50, False), ("Café".encode(), -70, True)]


def test_closed_it_leaves_nothing_on_and_the_node_can_join(chip: Chip) -> None:
    board = load_board(chip)
    point = board.access_point()
    point.begin()
    point.open("fieldpost-2f35", "abcd-efgh-jkmn")
    point.close()
    assert not chip.network.is_open and not chip.network.is_active
    if not chip.is_esp32:
        assert not chip.network.powered
    board.radio.on()
    board.radio.join("net", "password")
    assert board.radio.state() == "up"
    load_board(chip).access_point().close()  # one that was never opened
