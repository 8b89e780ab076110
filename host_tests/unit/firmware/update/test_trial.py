"""A firmware on trial: how long it has to prove itself, and what becomes of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.updates import FAILED, GOOD, TRIAL, Node, Release, modules

from fieldpost.deploy import pack


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("joins", "limit_s"), [(True, 900), (False, 86_400)])
def test_a_firmware_has_its_time_to_prove_itself_and_no_second_more(
    node: Node, joins: bool, limit_s: int, restarts: bool
) -> None:
    """Restarts in order neither count as starts that came to nothing, nor give it more time."""
    node.offer(Release(GOOD))
    node.live(lambda: node.trial and node.trial.is_open)
    node.joins = joins
    left_s = limit_s - 1
    if restarts:
        for _ in range(4):
            node.begin()
            node.build()
            node.time.advance_ms(limit_s * 200)
            assert not node.trial.step(node.node)
            node.door.leave()
            assert json.loads(node.flash.files[TRIAL])["starts"] == 0
        left_s -= 4 * limit_s // 5
    node.begin()
    node.build()
    node.time.advance_ms(left_s * 1000)
    assert not node.trial.step(node.node)
    node.time.advance_ms(999)
    assert not node.trial.step(node.node)
    node.time.advance_ms(1)
    node.flash.files["config.checked"] = b"by the new firmware"
    assert node.trial.step(node.node)
    assert "config.checked" not in node.flash.files
    assert not node.trial.is_open and FAILED in node.flash.files


@pytest.mark.parametrize("path", ["firmware.pack", "update.json"])
def test_while_flash_refuses_a_proof_is_noted_again_after_a_minute(
    node: Node, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    node.offer(Release(GOOD))
    node.live(lambda: node.trial and node.trial.is_open)
    node.node.uplink.delivery.delivered = 1
    tried: list[int] = []
    rename = node.flash.rename

    def refuses(old: str, new: str) -> None:
        if new == path:
            tried.append(node.clock.uptime_ms())
            raise OSError(5)
        rename(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(node.flash, "rename", refuses)
        for _ in range(250):
            assert not node.trial.step(node.node)
            node.time.advance_ms(1000)
    first = tried[0]
    starts = [at for at in dict.fromkeys(tried) if at != first]
    assert starts == [first + 60_000 * n for n in range(1, len(starts) + 1)] and len(starts) > 2
    assert node.trial.is_open
    node.time.advance_ms(60_000)
    node.trial.step(node.node)
    assert not node.trial.is_open and node.running == GOOD


@pytest.mark.parametrize("kind", ["crash", "silent", "deaf"])
def test_a_firmware_that_does_not_prove_itself_goes_back_and_the_reason_is_told(
    node: Node, kind: str
) -> None:
    old = node.running
    node.flash.files["config.checked"] = b"{}"
    node.flash.files["crash.txt"] = b"Traceback:\n  of a line\nMemoryError: 512 bytes\n"
    node.offer(Release(pack.make(modules(kind))))
    node.live(lambda: node.told("back") and node.record["told"])
    assert node.running == old and node.staged() == []
    told = node.reports[-1]
    why = {
        "crash": "3 starts came to nothing: MemoryError: 512 bytes",
        "silent": "15 minutes on the network, and no reading arrived",
        "deaf": "24 hours, and hardly a network",
    }
    assert told["state"] == "back" and told["error"] == why[kind]
    assert f"update: back to the firmware before: {told['error']}" in node.lines or kind == "crash"
    assert told["offer"]["counter"] == 17 and "counter" not in told["installed"]
    # It is not tried again as it is; a new attempt is.
    node.offer(Release(pack.make(modules(kind)), attempt=1))
    node.live(lambda: len(node.told("back")) > 1 and node.record["told"])
    assert "counter" not in node.record, "only what has proven itself raises it"


def test_a_node_waits_for_a_trial_of_its_settings(node: Node) -> None:
    node.settings_trial = SimpleNamespace(is_open=True, verdict=None, awake_s=0)
    node.offer(Release(GOOD))
    node.again(3000)
    assert node.restarts == 0 and TRIAL not in node.flash.files
    node.settings_trial.is_open = False
    node.settings_trial = None
    node.live(node.is_done)


def test_no_proof_no_end_the_trial_goes_on_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wakes that had no network do not count; those that had one do."""
    node = Node(monkeypatch, sleeps=True)
    node.offer(Release(pack.make(modules("good new"))))
    node.until_restart()
    lonely = SimpleNamespace(up_ms=None, delivers=True)
    joined = SimpleNamespace(up_ms=5, delivers=True)
    for _ in range(30):
        node.begin()
        node.build()
        assert node.trial.is_open and not node.trial.over(node.node, lonely)
        assert json.loads(node.flash.files[TRIAL])["starts"] == 0
        node.time.advance_ms(86_400_000)
        assert not node.trial.step(node.node), "wakes count, and no time"
    for n in range(5):
        node.begin()
        node.build()
        assert node.trial.over(node.node, joined) == (n == 4)
    node.sleeps = False
    node.live(lambda: node.told("back"))
    assert "5 wakes on the network" in node.reports[-1]["error"]


@pytest.mark.parametrize(("delivers", "limit"), [(True, 100), (False, 3000)])
def test_a_firmware_that_never_joins_comes_back_from_a_sleeper_too(
    monkeypatch: pytest.MonkeyPatch, delivers: bool, limit: int
) -> None:
    node = Node(monkeypatch, sleeps=True)
    node.offer(Release(pack.make(modules("good new"))))
    node.until_restart()
    node.begin()
    node.build()
    wakes = 1
    while not node.trial.over(node.node, SimpleNamespace(up_ms=None, delivers=delivers)):
        wakes += 1
    assert wakes == limit, "most wakes of a batch are not to deliver, and say nothing"
    node.sleeps = False
    node.live(lambda: node.told("back"))
    assert f"{limit} wakes" in node.reports[-1]["error"]


def test_the_starts_of_one_firmware_are_not_held_against_the_other(node: Node) -> None:
    """Three that failed would begin the next in safe mode, where no reading is taken."""
    node.offer(Release(pack.make(modules("crash new"))))
    node.live(lambda: node.expected == [0])
    assert node.starts == 1 + 3 + 1
    assert node.door.came_back(), "once"
    node.begin()
    node.build()
    assert not node.door.came_back(), "or one that fails as well never came to safe mode"


def _on_trial(node: Node, settings: Any) -> Any:
    """The trial of a node whose settings are on trial as well."""
    node.offer(Release(GOOD))
    node.until_restart()
    node.settings_trial = settings
    node.begin()
    node.build()
    return node.trial


@pytest.mark.parametrize(
    ("is_up", "failed", "is_stepped"),
    [(False, None, True), (False, 2, False), (True, 0, True), (False, 3, True)],
)
def test_settings_on_trial_are_judged_by_a_network_or_by_wakes_that_had_none(
    node: Node, is_up: bool, failed: int | None, is_stepped: bool
) -> None:
    """failed: wakes in a row of a node that sleeps."""
    settings = SimpleNamespace(
        is_open=True, verdict={"ok": False}, awake_s=7, wakes=3, step=lambda node: True
    )
    trial = _on_trial(node, settings)
    node.node.link.is_up = is_up
    if failed is not None:
        node.node.grid = SimpleNamespace(failed=failed)
    assert trial.step(node.node) == is_stepped, "then the settings of before are back"
    assert trial.awake_s == 7 and trial.verdict == {"ok": False}
    settings.is_open = False
    assert not trial.step(node.node) and trial.awake_s == 0


def test_without_settings_on_trial_nothing_is_awake_for_them(node: Node) -> None:
    trial = _on_trial(node, None)
    assert trial.awake_s == 0 and trial.verdict is None and trial.wakes == 0


def test_where_a_file_replaces_none_the_proven_pack_takes_its_place_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT."""
    rename = node.flash.rename

    def rename_to_none(old: str, new: str) -> None:
        if new == "firmware.pack" and new in node.flash.files:
            raise OSError(17)
        rename(old, new)

    monkeypatch.setattr(node.flash, "rename", rename_to_none)
    node.offer(Release(GOOD))
    node.live(node.is_done)
    assert node.running == GOOD and node.staged() == []
    assert not node.door.over(node.node, SimpleNamespace(up_ms=5, delivers=True)), "it stays"
