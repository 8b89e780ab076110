"""Where the tests find the firmware: laid out as on a board, with `lib/` on the path.

The stand-ins for MicroPython's own module names come last, so nothing of CPython is hidden.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
for folder in ("host_tests", "tools", "lib", "."):
    sys.path.insert(0, str(ROOT / folder))
sys.path.append(str(ROOT / "tools" / "fieldpost" / "cpython"))

from fieldpost.brokers import Broker, find_mosquitto  # noqa: E402  (found by the lines above)

LONG = {"test_sabotage", "test_tls_node", "test_secrets", "test_wear", "test_battery_command"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What boots the emulated board, or waits for real time-outs, is among the longer proofs."""
    for item in items:
        if item.get_closest_marker("board") or item.path.stem in LONG:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A Mosquitto for the tests of one file."""
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with Broker("mosquitto") as one:
        yield one
