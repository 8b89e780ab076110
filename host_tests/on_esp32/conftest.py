"""Each test here runs on a genuine ESP32-C3 image of the cache, the oldest, which most QEMUs can
run; with FIELDPOST_EVERY_IMAGE set on each of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rigs import emulated
from rigs.esp32_c3 import at_prompt
from rigs.mosquitto import need_mosquitto

from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.errors import CommandError
from fieldpost.paths import cache_folder

_JOIN = (
    "import network, time\n"
    "w = network.WLAN(network.STA_IF)\n"
    "w.active(True)\n"
    f"w.connect({ESP32_C3.ssid!r}, {ESP32_C3.password!r})\n"
    "for _ in range(100):\n"
    " if w.isconnected(): break\n"
    " time.sleep_ms(100)\n"
    "print(w.isconnected())\n"
)
_JOIN_S = 20.0
_found = sorted((cache_folder() / "images").glob(f"{ESP32_C3.board}-*{ESP32_C3.suffix}"))
if "FIELDPOST_EVERY_IMAGE" not in os.environ:
    _found = _found[:1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them boot a board."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.board)


@pytest.fixture(scope="session", params=_found or [None], ids=lambda one: one and one.stem)
def genuine(request: pytest.FixtureRequest) -> Path:
    """An image that boots and joins here; skips, saying why, where there is none."""
    image = emulated.image(ESP32_C3, request.param and str(request.param))
    need_mosquitto("a board's session has to last")
    joined = b""
    for _ in range(2):
        try:
            with at_prompt(image, {}) as (_, link):
                joined = link.exec(_JOIN, _JOIN_S)
        except CommandError as error:
            joined = str(error).encode()
        if b"True" in joined:
            return image
    pytest.skip(f"this QEMU's Wi-Fi is not what {image.name} needs: it does not join ({joined!r})")
