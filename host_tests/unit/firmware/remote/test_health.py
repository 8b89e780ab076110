"""What a health report says, and when a crash has been told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fakes.flash import FakeFlash
from firmware import files as _files
from firmware.remote import health
from firmware.remote.health import Health

BOARD: Any = SimpleNamespace(
    reset_cause=lambda: "power-on",
    version=lambda: "a board",
    radio=SimpleNamespace(rssi=lambda: -61),
)


def node(**more: Any) -> Any:
    wire = SimpleNamespace(longest_wait_ms=7)
    session = SimpleNamespace(wire=wire, repeats=1, oversized=2, refused=[])
    return SimpleNamespace(
        outbox=SimpleNamespace(depth=3, dropped=4, corrupt=5),
        link=SimpleNamespace(session=session, reconnects=6, causes={}, security=None, pace=None),
        state=b"online",
        identity=SimpleNamespace(boot=8, resets={}, failed_starts=0),
        clock=SimpleNamespace(uptime_ms=lambda: 5_000_999),
        uplink=SimpleNamespace(delivery=SimpleNamespace(delivered=9)),
        sampler=SimpleNamespace(late=0, errors={}),
        settings={"sample_s": 60, "deliver_every": 1, "log_level": "info"},
        **more,
    )


def test_times_are_whole_seconds_and_memory_is_what_is_left_when_garbage_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = [1000]
    gc = SimpleNamespace(collect=lambda: free.__setitem__(0, 5000), mem_free=lambda: free[0])
    monkeypatch.setattr(health, "gc", gc)
    report = Health(BOARD, FakeFlash())(node())
    assert (report["uptime_s"], report["free"]) == (5000, 5000)
    assert (report["rssi"], report["outbox"], report["delivered"]) == (-61, 3, 9)


def test_what_there_is_nothing_of_is_not_in_it() -> None:
    quiet = Health(BOARD, FakeFlash())(node())
    assert not {"refused", "sensor_errors", "tls", "crash", "pace"} & set(quiet)
    loud = node()
    loud.link.session.refused = ["fieldpost/n/cmd"]
    loud.sampler.errors = {"roof": "OSError 110 timed out"}
    loud.link.security = SimpleNamespace(notices=["nothing is verified"])
    loud.link.pace = SimpleNamespace(health=lambda: {"factor": 4})
    report = Health(BOARD, FakeFlash())(loud)
    assert report["pace"] == {"factor": 4}
    assert report["refused"] == ["fieldpost/n/cmd"]
    assert report["sensor_errors"] == {"roof": "OSError 110 timed out"}
    assert report["tls"] == ["nothing is verified"]


def test_a_crash_is_told_until_the_broker_has_it_and_then_never_again() -> None:
    flash = FakeFlash()
    _files.write_atomic(_files.CRASH, b"half a character \xc3", flash)
    told = Health(BOARD, flash)
    for _ in range(2):
        assert told(node())["crash"] == "half a character \ufffd"
    assert "crash" in Health(BOARD, flash)(node()), "it was restarted before the broker had it"
    told.crash_published()
    assert "crash" not in told(node())
    assert "crash" not in Health(BOARD, flash)(node())
