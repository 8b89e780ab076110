"""What a command learns of a board is known to those that come after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fieldpost.board import met
from fieldpost.board.ports import Port

_BRIDGE = Port("/dev/ttyUSB7", "bridge", "")
_OWN_USB = Port("/dev/ttyACM7", "espressif", "", "303A:1001", "24:EC:4A:01")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "fieldpost"


def test_an_interval_is_known_of_the_board_that_was_last_given_one(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    assert met.interval_s(_BRIDGE) is None
    met.remember_interval(_BRIDGE, {"mode": "duty_cycle"})
    assert met.interval_s(_BRIDGE) == 60.0
    last = _BRIDGE
    for n in range(300):
        last = replace(_BRIDGE, device=f"/dev/tty{n}")
        met.remember_interval(last, {"mode": "duty_cycle", "sample_s": n + 1})
    assert met.interval_s(_BRIDGE) is None, "it grows without an end"
    assert met.interval_s(last) == 300.0
    met.remember_interval(last, {"mode": "always_on"})
    assert met.interval_s(last) is None
    for spoilt in "[", "7", '{"/dev/tty299": "x"}':
        (folder / "wakes").write_text(spoilt)
        assert met.interval_s(last) is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null")
    met.remember_interval(last, {"mode": "duty_cycle"})


def test_an_interval_is_known_of_a_board_whose_port_is_away_with_its_serial_number() -> None:
    met.remember(_OWN_USB)
    met.remember_interval(_OWN_USB, {"mode": "duty_cycle", "sample_s": 300})
    assert met.interval_s(Port(_OWN_USB.device, "other", "")) == 300.0


def test_only_a_port_that_may_be_away_while_its_board_sleeps_is_remembered() -> None:
    for port in _BRIDGE, _OWN_USB, Port("socket://host:99", "other", ""):
        met.remember(port)
    assert met.was_met_at(_OWN_USB)
    assert not met.was_met_at(_BRIDGE), "a bridge keeps its port: it was unplugged"
    assert not met.was_met_at(replace(_OWN_USB, device="/dev/ttyACM8"))
