"""Messages on their way to who prints them: in order, bounded, and in time."""

from __future__ import annotations

import queue
import threading
import time

import pytest
from paho.mqtt.client import MQTTMessage

from fieldpost.messages.arrivals import Arrivals


def test_what_never_ends_is_not_read_beyond_the_time() -> None:
    arrivals, over = Arrivals(waiting_max=10), threading.Event()

    def flood() -> None:
        while not over.is_set():
            arrivals.put(MQTTMessage(topic=b"a"))

    threading.Thread(target=flood, daemon=True).start()
    begin = time.monotonic()
    try:
        with pytest.raises(queue.Empty):
            while time.monotonic() < begin + 20:
                arrivals.get_until(begin + 0.2)
    finally:
        over.set()
    assert time.monotonic() < begin + 10


def test_what_waits_at_the_end_of_the_time_is_taken() -> None:
    arrivals = Arrivals()
    for _ in range(3):
        arrivals.put(MQTTMessage(topic=b"a"))
    for _ in range(3):
        arrivals.get_until(time.monotonic() - 0.1)
    with pytest.raises(queue.Empty):
        arrivals.get_until(time.monotonic() - 0.1)
