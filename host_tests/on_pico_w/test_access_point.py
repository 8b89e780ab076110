"""The one access point in reach of an emulated Pico W."""

from __future__ import annotations

import pytest
from rigs.pico_w import image

from fieldpost.board.link import open_link
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.pico_w import PICO_W

pytestmark = pytest.mark.board

_JOIN = """
import network, time
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
for ssid in {names!r}:
    wlan.connect(ssid, "eight characters")
    end = time.ticks_add(time.ticks_ms(), 8000)
    while wlan.status() in (1, 2) and time.ticks_diff(end, time.ticks_ms()) > 0:
        time.sleep_ms(50)
    print(wlan.status(), wlan.isconnected())
    wlan.disconnect()
"""
_NO_SUCH_NETWORK, _JOINED = "-2 False", "3 True"


@pytest.mark.timeout(90)
def test_another_networks_name_is_not_found_and_its_own_is_joined_then() -> None:
    names = ["NOPE", PICO_W.ssid, PICO_W.ssid + "S", PICO_W.ssid[:-1]]
    with Emulator(image(), files={}) as board, open_link(board.console) as link:
        said = link.exec(_JOIN.format(names=names), 60).decode().split("\r\n")
    assert said[:4] == [_NO_SUCH_NETWORK, _JOINED, _NO_SUCH_NETWORK, _NO_SUCH_NETWORK]
