"""A firmware on trial: how long it has to prove itself, and what becomes of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rigs.updates import FAILED, GOOD, TRIAL, Node, Release, Restart, modules

from fieldpost.deploy import pack


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


@pytest.mark.parametrize(("joins", "limit_s"), [(True, 900), (False, 86_400)])
def test_a_firmware_has_its_time_to_prove_itself_and_no_second_more(
    node: Node, joins: bool, limit_s: int
) -> None:
    node.offer(Release(GOOD))
    node.live(lambda: node.trial and node.trial.is_open)
    node.joins = joins
    node.node.link.station.is_up = lambda: joins
    begin_ms, step_ms = node.clock.uptime_ms(), 10_000
    while not node.trial.step(node.node):
        node.time.advance_ms(step_ms)
        assert node.clock.uptime_ms() - begin_ms <= limit_s * 1000
    assert node.clock.uptime_ms() - begin_ms == limit_s * 1000
    assert not node.trial.is_open and FAILED in node.flash.files


def test_while_flash_refuses_a_proof_is_noted_again_after_a_minute(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.offer(Release(GOOD))
    node.live(lambda: node.trial and node.trial.is_open)
    node.node.uplink.delivery.delivered = 1
    tried: list[int] = []

    def refuses(old: str, new: str) -> None:
        tried.append(node.clock.uptime_ms())
        raise OSError(5)

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
    node.offer(Release(pack.make(modules(kind))))
    node.live(lambda: node.told("back") and node.record["told"])
    assert node.running == old and node.staged() == []
    told = node.reports[-1]
    why = {"crash": "3 starts", "silent": "15 minutes on the network", "deaf": "24 hours"}[kind]
    assert told["state"] == "back" and why in told["error"]
    assert told["offer"]["counter"] == 17 and "counter" not in told["installed"]
    # It is not tried again as it is; a new attempt is.
    node.offer(Release(pack.make(modules(kind)), attempt=1))
    node.live(lambda: len(node.told("back")) > 1 and node.record["told"])
    assert "counter" not in node.record, "only what has proven itself raises it"


def test_a_node_waits_for_a_trial_of_its_settings(node: Node) -> None:
    node.settings_trial = SimpleNamespace(is_open=True, verdict=None, awake_s=0)
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.door.connect()
    for _ in range(3000):
        node.step()
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
    with pytest.raises(Restart):
        node.begin()
        node.build()
        node.session(lambda: False)
    lonely = SimpleNamespace(up_ms=None, delivers=True)
    joined = SimpleNamespace(up_ms=5, delivers=True)
    for _ in range(30):
        node.begin()
        node.build()
        assert node.trial.is_open and not node.trial.over(node.node, lonely)
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
    with pytest.raises(Restart):
        node.begin()
        node.build()
        node.session(lambda: False)
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
    while node.begin() == "crash":
        pass
    node.build()
    assert node.door.came_back(), "once"
    node.begin()
    node.build()
    assert not node.door.came_back(), "or one that fails as well never came to safe mode"
