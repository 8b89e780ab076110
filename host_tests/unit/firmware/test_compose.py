"""A node as it is put together: each part has what the settings say of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.clock import FakeTime
from fakes.flash import FakeFlash
from firmware import compose
from firmware import files as _files
from firmware.board import unix
from firmware.clock import Clock
from firmware.config import check
from firmware.node import AlwaysOn
from firmware.readings.boot_count import FAILED_STARTS_MAX, Identity
from firmware.readings.sampler import Sampler
from firmware.update import place

SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


class Built:
    def __init__(self, flash: FakeFlash | None = None, **more: Any) -> None:
        self.time = FakeTime()
        self.flash = flash or FakeFlash()
        self.lines: list[str] = []
        self.fed = 0
        parts = {name: more.pop(name) for name in ("state", "records") if name in more}
        settings, errors = check.check({"node": "n", "mqtt": {"host": "h"}, **more}, SECRETS)
        assert errors == []
        self.node = compose.build(
            unix.Board(self.time),
            Clock(self.time),
            settings,
            lambda text, *_: self.lines.append(text),
            self.flash,
            self._feed,
            **parts,
        )

    def _feed(self) -> None:
        self.fed += 1


def test_the_network_is_joined_as_the_settings_say() -> None:
    static = {"address": "10.1.2.3", "gateway": "10.1.2.1"}
    wifi = {"join_timeout_s": 7, "country": "GB", "hostname": "roof", "static": static}
    station = Built(wifi=wifi).node.link.station
    assert station._networks == [("home", "correct horse")]
    assert (station._join_timeout_ms, station._hostname, station._country) == (7000, "roof", "GB")
    assert station._static == ("10.1.2.3", "255.255.255.0", "10.1.2.1", "10.1.2.1")
    assert Built().node.link.station._hostname == "n", "a node is called by its name"


def test_the_session_has_the_deadline_of_the_settings() -> None:
    node = Built(mqtt={"host": "h", "timeout_s": 7, "keepalive_s": 90}).node
    assert (node.link.session.timeout_ms, node.link.session.keepalive) == (7000, 90)


def test_readings_are_taken_and_kept_as_the_settings_say() -> None:
    node = Built(sample_s=15, outbox={"ram_readings": 9, "flash_kib": 64}).node
    assert isinstance(node.sampler, Sampler) and node.sampler.interval_ms == 15_000
    assert (node.outbox._ram_max, node.outbox._segments_max) == (9, 16)
    without = Built(outbox={"flash_kib": 0}).node.outbox
    assert without._directory is None


def test_while_a_broker_is_waited_for_the_watchdog_is_fed_and_readings_are_taken() -> None:
    built = Built(sample_s=15, sensors=[{"type": "simulated"}])
    idle = built.node.link.session.wire._idle
    assert built.fed == 0
    for _ in range(20):
        built.time.advance_ms(1000)
        idle()
    assert built.fed == 20
    assert built.node.outbox.depth >= 1


def test_while_a_broker_is_waited_for_a_node_that_sleeps_takes_no_reading() -> None:
    built = Built(mode="duty_cycle", sample_s=15, sensors=[{"type": "simulated"}])
    for _ in range(20):
        built.time.advance_ms(1000)
        built.node.link.session.wire._idle()
    assert (built.fed, built.node.outbox.depth) == (20, 0)


def test_what_a_sleep_kept_is_in_the_outbox_again_in_its_order() -> None:
    kept = (b"first", b"second")
    # An always-on node takes them too: it may have been told so in its last wake.
    node = Built(state={"boot": 7, "seq": 41}, records=kept).node
    assert [node.outbox.peek(n) for n in range(node.outbox.first, node.outbox.end)] == list(kept)
    assert (node.identity.boot, node.identity.seq) == (7, 41)


@pytest.mark.parametrize("failed", [FAILED_STARTS_MAX - 1, FAILED_STARTS_MAX])
def test_a_node_whose_starts_have_failed_so_often_is_in_safe_mode(failed: int) -> None:
    flash = FakeFlash()
    for _ in range(failed):
        Identity(flash)
    built = Built(flash, mode="duty_cycle", sensors=[{"type": "simulated"}])
    is_safe = failed == FAILED_STARTS_MAX
    assert (built.node.state == b"safe_mode") == is_safe
    assert isinstance(built.node, AlwaysOn) == is_safe, "it stays where it can be reached"


def test_a_node_that_sleeps_reports_its_health_when_the_interval_is_over() -> None:
    built = Built(mode="duty_cycle", health_s=600, sensors=[{"type": "simulated"}])
    reports_ms: list[int] = []
    uplink: Any = SimpleNamespace(
        connect=lambda status: None,
        closed=lambda: None,
        publish_health=lambda node, more: reports_ms.append(built.time.elapsed_ms),
    )
    built.node.uplink = uplink
    for wait_ms in (5000, 599_999, 1, 600_000):
        built.time.advance_ms(wait_ms)
        built.node.connect()
    assert reports_ms == [5000, 605_000, 1_205_000]
    built.node.closed()
    built.node.connect()
    assert reports_ms[3:] == [1_205_000], "nobody knows whether the one before has arrived"


def test_a_node_that_goes_closes_its_connection() -> None:
    node = Built().node
    closed: list[bool] = []
    close = node.link.close
    node.link.close = lambda: closed.append(True) or close()
    compose.stop(node)
    assert closed == [True]


@pytest.mark.parametrize("is_over", [False, True])
def test_a_trial_that_failed_restarts_the_node_in_order(
    is_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(unix.Board, "restart", lambda board: done.append("restart"))
    monkeypatch.setattr(compose, "stop", lambda node: done.append("stop"))
    node = Built().node
    node.trial = SimpleNamespace(is_open=True, step=lambda node: is_over)
    node.step()
    assert done == ["stop", "restart"] * is_over


def test_a_new_interval_is_in_seconds() -> None:
    node: Any = Built().node
    node.apply("sample_s", 15)
    assert (node.settings["sample_s"], node.sampler.interval_ms) == (15, 15_000)


def test_a_node_that_goes_keeps_its_readings_and_what_it_was_told() -> None:
    built = Built()
    node = built.node
    node.outbox.put(b"a reading")
    node.uplink.commands.receive(b"fieldpost/n/cmd", b'{"id": "1", "do": "sample"}', False)
    compose.stop(node)
    assert node.outbox.on_flash == 1
    assert _files.read(_files.OWED, built.flash) is not None
    again = Built(built.flash)
    assert again.node.outbox.depth == 1
    assert not again.node.uplink.commands.is_idle()


def test_a_node_without_keys_takes_no_updates_and_loads_nothing_for_them() -> None:
    node = Built().node
    assert node.uplink.updates is None and node.trial is None


@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
@pytest.mark.parametrize("on_trial", [False, True])
def test_a_node_with_keys_listens_for_offers_and_knows_whether_it_is_on_trial(
    mode: str, on_trial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = FakeFlash()
    flash.files["update.keys"] = b'{"counter":1,"keys":[]}'
    flash.folders.add(".deploy")
    flash.files[".deploy/trial"] = b'{"kind":"pack","sha":"0123456789abcdef","starts":1}'
    monkeypatch.setattr(place, "is_on_trial", lambda: on_trial)
    node = Built(flash, mode=mode).node
    assert node.uplink.updates.topic == b"fieldpost/n/update"
    assert bool(node.trial) == on_trial
    assert on_trial == (node.trial is node.uplink.updates.trial and node.trial is not None)
    compose.stop(node)
    starts = json.loads(flash.files[".deploy/trial"])["starts"]
    assert starts == (0 if on_trial else 1), "a restart in order is no failed start"
