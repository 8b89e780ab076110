"""The stages of a rollout and its patience, on a clock of their own: nothing here waits."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from rigs.update_keys import make_keys
from rigs.update_release import make_release

from fieldpost.release.folder import Release
from fieldpost.update import show
from fieldpost.update.node import TRIED, UNDER_WAY, Node
from fieldpost.update.rollout import ASK, OFFER, PIECE, REPORT, STATUS, Rollout, Wishes, hear

STEP_S = 10.0


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return make_release(make_keys(tmp_path / "keys"), size=9000)


class Stage:
    """A rollout to nodes of which only what is told here is known."""

    def __init__(self, release: Release, count: int = 3, **wishes: Any) -> None:
        self.sent: list[tuple[str, str, bytes, bool]] = []
        self.release = release
        self.now_s = 1000.0
        self.nodes = [Node(f"n{n}") for n in range(count)]
        self.rollout = Rollout(
            release, self.nodes, Wishes(**wishes), lambda *one: self.sent.append(one)
        )
        for one in self.nodes:
            hear(one, STATUS, b'{"state": "online"}', is_kept=True, now=0.0)
            hear(one, REPORT, self._report("idle", None), is_kept=True, now=0.0)

    def begin(self) -> Stage:
        self.rollout.begin(self.now_s)
        self.rollout.step(self.now_s)
        return self

    def _report(self, state: str, attempt: int | None, **more: Any) -> bytes:
        told: dict[str, Any] = {"state": state, "platform": "rp2", "mpy": 6, **more}
        told.setdefault("installed", {"version": "0.1.0", "counter": 0, "sha": "0" * 16})
        if attempt is not None:
            manifest = self.release.artefacts[0].manifest
            told["offer"] = {"version": "0.2.0", "counter": manifest.counter, "attempt": attempt}
            told["offer"]["sha"] = manifest.sha16
        return json.dumps(told).encode()

    def tell(self, name: str, state: str, attempt: int | None = 0, **more: Any) -> None:
        if state == "done":
            told = self.release.artefacts[0].manifest
            installed = {"version": "0.2.0", "counter": told.counter, "sha": told.sha16}
            more["installed"] = installed
        message = self._report(state, attempt, **more)
        self.rollout.hear(name, REPORT, message, is_kept=False, now=self.now_s)

    def status(self, name: str, **told: Any) -> None:
        message = json.dumps(told).encode()
        self.rollout.hear(name, STATUS, message, is_kept=False, now=self.now_s)

    def ask(self, name: str, offset: int = 0) -> None:
        told = {"sha": self.release.artefacts[0].manifest.sha16, "at": [[offset, 100]]}
        self.rollout.hear(name, ASK, json.dumps(told).encode(), is_kept=False, now=self.now_s)

    def pass_(self, seconds: float) -> None:
        end = self.now_s + seconds
        while self.now_s < end:
            self.now_s += STEP_S
            self.rollout.step(self.now_s)

    def states(self) -> list[str]:
        return [one.state for one in self.nodes]

    def offers(self) -> dict[str, int]:
        """What the broker keeps, by node: bytes."""
        kept = {name: len(message) for name, topic, message, _ in self.sent if topic == OFFER}
        return {name: size for name, size in kept.items() if size}


# Stages --------------------------------------------------------------------------------------


def test_only_canaries_are_offered_it_until_all_of_them_have_proved_it(release: Release) -> None:
    stage = Stage(release, 4, canaries=2).begin()
    assert stage.states() == ["offered", "offered", "waiting", "waiting"]
    stage.tell("n0", "done")
    stage.pass_(STEP_S)
    assert stage.states() == ["done", "offered", "waiting", "waiting"]
    stage.tell("n1", "done")
    stage.pass_(STEP_S)
    assert stage.states() == ["done", "done", "offered", "offered"]


def test_so_many_at_once_and_no_more(release: Release) -> None:
    stage = Stage(release, 5, at_once=2).begin()
    seen = set()
    while not stage.rollout.is_over():
        under_way = [one.name for one in stage.nodes if one.state in UNDER_WAY]
        assert len(under_way) <= 2
        seen.update(under_way)
        stage.tell(under_way[0], "done")
        stage.pass_(STEP_S)
    assert len(seen) == 5 and stage.states() == ["done"] * 5


@pytest.mark.parametrize("state", ["refused", "failed", "back"])
def test_a_failure_calls_the_others_off_but_a_trial_ends_by_itself(
    release: Release, state: str
) -> None:
    stage = Stage(release, 5, at_once=4).begin()
    stage.tell("n1", "fetching", have=100)
    stage.tell("n2", "trial")
    stage.tell("n3", state, error="why")
    stage.pass_(STEP_S)
    assert stage.states() == ["stopped", "stopped", "trial", state, "stopped"]
    assert list(stage.offers()) == ["n2"], "an empty offer calls a node's fetching off"
    assert not stage.rollout.is_over()
    stage.tell("n2", "done")
    assert stage.rollout.is_over() and not stage.offers()
    assert "not offered, as n3 failed" in stage.nodes[4].text
    assert "called off" in stage.nodes[0].text


def test_a_node_that_cannot_be_offered_anything_stops_nobody(release: Release) -> None:
    stage = Stage(release, 3)
    stage.nodes[0].report = None
    stage.nodes[1].status = {"state": "offline"}
    stage.begin()
    assert stage.states() == ["no keys", "offline", "offered"]


def test_a_rollout_that_was_cut_short_goes_on_where_each_node_is(release: Release) -> None:
    stage = Stage(release, 3, canaries=1)
    for n, state in (1, "fetching"), (2, "trial"):
        hear(stage.nodes[n], REPORT, stage._report(state, 5), is_kept=True, now=0.0)
    stage.begin()
    assert stage.states() == ["offered", "fetching", "trial"]
    # With the attempt that the node has, or it would begin anew.
    assert {message[4] for name, _, message, _ in stage.sent if name != "n0"} == {5}
    stage.ask("n1")
    assert stage.sent[-1][:2] == ("n1", PIECE)


def test_a_verdict_about_another_offer_means_nothing(release: Release) -> None:
    stage = Stage(release, 1).begin()
    stage.tell("n0", "back", attempt=1)
    other = {"version": "9", "counter": 9, "sha": "f" * 16}
    stage.tell("n0", "refused", attempt=None, offer=other)
    assert stage.states() == ["offered"]
    stage.tell("n0", "back", attempt=0)
    assert stage.states() == ["back"]


def test_on_demand_each_node_waits_until_somebody_wants_it_and_may_be_asked_again(
    release: Release,
) -> None:
    stage = Stage(release, 3, on_demand=True).begin()
    stage.pass_(100_000)
    assert stage.states() == ["waiting"] * 3 and not stage.offers()
    stage.rollout.demand("n1")
    stage.rollout.demand("nobody")
    stage.pass_(STEP_S)
    assert stage.states() == ["waiting", "offered", "waiting"]
    stage.tell("n1", "back", error="why")
    stage.pass_(STEP_S)
    assert stage.states() == ["waiting", "back", "waiting"] and not stage.rollout.is_over()
    stage.rollout.demand("n1")
    stage.pass_(STEP_S)
    assert stage.states()[1] == "offered" and stage.nodes[1].attempt == 1
    stage.tell("n1", "done", attempt=1)
    stage.rollout.demand("n1")
    stage.pass_(STEP_S)
    assert stage.states() == ["waiting", "up to date", "waiting"] and not stage.offers()


# Patience ------------------------------------------------------------------------------------


def test_a_node_that_is_awake_takes_an_offer_within_two_minutes_or_is_given_up(
    release: Release,
) -> None:
    stage = Stage(release, 1).begin()
    stage.pass_(110)
    assert stage.states() == ["offered"]
    stage.pass_(20)
    assert stage.states() == ["silent"] and not stage.offers()


def test_one_that_stops_asking_is_given_up_and_one_that_goes_on_is_not(release: Release) -> None:
    stage = Stage(release, 2, keep_going=True).begin()
    stage.ask("n0")
    for n in range(20):
        stage.ask("n1", n * 100)
        stage.pass_(60)
    assert stage.states() == ["silent", "fetching"]


def test_a_sleeper_is_waited_for_as_long_as_it_sleeps(release: Release) -> None:
    stage = Stage(release, 1)
    due = time.time() + 86_400
    hear(
        stage.nodes[0],
        STATUS,
        json.dumps({"state": "asleep", "until": due}).encode(),
        is_kept=True,
        now=0.0,
    )
    stage.begin().pass_(80_000)
    assert stage.states() == ["offered"]


def test_a_sleeper_that_wakes_in_vain_is_given_up(release: Release) -> None:
    stage = Stage(release, 1).begin()
    for _ in range(4):
        assert stage.states() == ["offered"]
        stage.status("n0", state="online")
        stage.status("n0", state="asleep", until=time.time() + 600)
        stage.pass_(STEP_S)
    assert stage.states() == ["silent"] and "woke 4 times" in stage.nodes[0].text


def test_a_sleeper_that_fetches_a_little_at_each_wake_is_not(release: Release) -> None:
    stage = Stage(release, 1).begin()
    for n in range(60):
        stage.ask("n0", n * 100)
        stage.status("n0", state="asleep", until=time.time() + 600)
        stage.pass_(STEP_S)
    assert stage.states() == ["fetching"]


def test_a_sleeper_that_does_not_wake_is_given_up(release: Release) -> None:
    stage = Stage(release, 1).begin()
    stage.status("n0", state="asleep", until=time.time() - 700)
    stage.pass_(590)
    assert stage.states() == ["offered"]
    stage.pass_(30)
    assert stage.states() == ["silent"]


def test_a_sleeper_is_told_of_with_the_time_when_it_is_due(release: Release) -> None:
    stage = Stage(release, 1).begin()
    node = stage.nodes[0]
    assert show.words(node) == ""
    due = time.time() + 480
    stage.status("n0", state="asleep", until=due)
    at = time.strftime("%H:%M", time.localtime(due))
    assert show.words(node) == f"asleep, due at {at}, in 8 min"
    assert show.as_json(node)["due_in_s"] in (479, 480)
    stage.status("n0", state="asleep", until=time.time() - 5)
    assert show.words(node) == "asleep, due now"
    stage.status("n0", state="asleep")
    assert show.words(node) == "asleep"


def test_a_sleeper_that_does_not_know_the_time_is_waited_for_as_long_as_it_says(
    release: Release,
) -> None:
    stage = Stage(release, 1).begin()
    stage.status("n0", state="asleep", for_s=3600)
    stage.pass_(3600 + 590)
    assert stage.states() == ["offered"]
    stage.pass_(30)
    assert stage.states() == ["silent"] and "due" in stage.nodes[0].text


# What somebody else may send -----------------------------------------------------------------


def test_no_message_harms_a_rollout_and_it_comes_to_an_end(release: Release) -> None:
    for seed in range(60):
        dice = random.Random(seed)
        stage = Stage(release, 3, keep_going=bool(seed % 2), canaries=seed % 3).begin()
        good = [
            stage._report(state, dice.choice([None, 0, 1]), have=dice.randrange(1 << 33))
            for state in ("idle", "fetching", "trial", "done", "refused", "failed", "back")
        ]
        good += [b'{"state": "asleep", "until": 1e18}', b'{"state": "online"}', b"{}", b"\xff"]
        for _ in range(300):
            message = bytearray(dice.choice(good))
            for _ in range(dice.randrange(3)):
                message[dice.randrange(len(message))] = dice.randrange(256)
            topic = dice.choice([STATUS, REPORT, ASK, OFFER])
            name = dice.choice(["n0", "n1", "n2", "nobody"])
            kept = dice.random() < 0.2
            stage.rollout.hear(name, topic, bytes(message), is_kept=kept, now=stage.now_s)
            stage.pass_(STEP_S)
        for one in stage.nodes:
            one.status = {"state": "online"}
        stage.pass_(30_000)
        assert stage.rollout.is_over(), (seed, stage.states())
        assert not stage.offers(), seed
        for one in stage.nodes:
            assert one.text or one.state not in TRIED, (seed, one)
