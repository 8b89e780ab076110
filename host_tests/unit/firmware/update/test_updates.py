"""An update from its offer to its end: what a node takes, fetches, tries, keeps, and tells."""

from __future__ import annotations

import itertools
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rigs.updates import BOARD, FAILED, GOOD, OFFER, PIECE, TRIAL, Node, Release, Restart, modules

from fakes.flash import FakeFlash
from fieldpost.deploy import pack
from firmware import VERSION
from firmware.update import place
from firmware.update.pack_target import PackTarget
from firmware.update.report import board_of


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


def test_a_release_is_fetched_tried_and_stays_once_a_reading_has_arrived(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = node.offer(Release(GOOD))
    node.live(node.is_done)
    assert node.running == GOOD and place.running_pack() == "/firmware.pack"
    assert node.staged() == []
    assert node.restarts == 1
    told = node.reports[-1]
    assert told["installed"] == {"version": "0.17.0", "counter": 17, "sha": release.sha[:16]}
    assert told["offer"]["attempt"] == 0 and told["offer"]["counter"] == 17
    states = list(dict.fromkeys(one["state"] for one in node.reports))
    assert states == ["idle", "fetching", "trial", "done"]
    assert "update: 0.17.0 is tried from the next start on" in node.lines
    assert "update: 0.17.0 has proven itself" in node.lines
    # What the old pack had was not asked for.
    assert sum(size for _, size in node.asked) < len(GOOD) - 4 * 3000
    # The offer stays at the broker, and is known.
    reports = len(node.reports)
    node.begin()
    node.build()
    node.door.connect()
    node.door.receive(PIECE, b"a late one")
    busy = "firmware.update.agent.Agent"
    monkeypatch.setattr(
        busy, lambda *_: pytest.fail("it costs memory, and there is nothing to do")
    )
    assert not any(node.step() for _ in range(50)) and len(node.reports) == reports
    assert not node.door.came_back() and node.staged() == []


@pytest.mark.parametrize("size", [0, 1, 899, 900, 901, 4096])
def test_a_fetch_goes_on_with_what_is_there_but_never_with_too_much(size: int) -> None:
    flash = FakeFlash(capacity_bytes=64 * 4096)
    flash.mkdir(".deploy")
    flash.files[".deploy/" + "a" * 16] = bytes(size)
    target = PackTarget(flash, "/firmware.pack", "a" * 16, "a" * 64, 900)
    target.begin()
    assert target.have == (size if size <= 900 else 0)
    assert (".deploy/" + "a" * 16 in flash.files) == (size <= 900)


def test_the_board_is_told_with_each_state(node: Node) -> None:
    node.offer(Release(GOOD))
    node.live(node.is_done)
    told = board_of(BOARD)
    assert told["chip"] == "rp2040"
    for one in node.reports:
        assert {key: one[key] for key in told} == told


def test_a_wrong_piece_makes_no_firmware_and_the_next_try_copies_nothing(node: Node) -> None:
    release = node.offer(Release(GOOD))
    right = node.answer
    lies = [True]

    def answer(sha: str, at: list[list[int]]) -> list[bytes]:
        pieces = right(sha, at)
        if lies[0] and any(offset > 2048 for offset, _ in at):
            lies[0] = False
            pieces = [one[:-1] + bytes([one[-1] ^ 1]) for one in pieces]
        return pieces

    node.answer = answer  # type: ignore[method-assign]
    node.live(node.is_done)
    assert node.running == release.data
    assert "update: what came is not what was signed" in node.lines
    assert sum(size for _, size in node.asked) >= len(GOOD)


def test_pieces_that_stay_wrong_end_the_fetch(node: Node) -> None:
    node.offer(Release(GOOD))
    old, right = node.running, node.answer
    node.answer = (
        lambda sha, at: [  # type: ignore[method-assign]
            one[:-1] + bytes([one[-1] ^ 1]) for one in right(sha, at)
        ]
    )
    node.live(lambda: node.told("failed") and node.record["told"])
    assert node.reports[-1]["error"] == "what came is not what was signed"
    assert node.running == old and node.staged() == [] and node.restarts == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pieces: [one[:-1] for one in pieces],
        lambda pieces: [one + b"x" for one in pieces],
        lambda pieces: pieces[1:],
        lambda pieces: pieces[::-1],
        lambda pieces: [b"other   " + one[8:] for one in pieces],
        lambda pieces: [b"", b"x", *pieces, *pieces],
        lambda pieces: [],
    ],
    ids=["cut", "longer", "one lost", "out of order", "of another", "twice", "none"],
)
def test_pieces_that_are_not_the_next_one_are_asked_for_again(node: Node, spoil: Any) -> None:
    node.offer(Release(GOOD))
    right, count = node.answer, [0]

    def answer(sha: str, at: list[list[int]]) -> list[bytes]:
        count[0] += 1
        pieces = right(sha, at)
        return spoil(pieces) if count[0] == 2 else pieces

    node.answer = answer  # type: ignore[method-assign]
    node.live(node.is_done)
    assert node.running == GOOD
    assert "update: what came is not what was signed" not in node.lines


def test_a_head_that_somebody_made_up_costs_neither_memory_nor_the_node(node: Node) -> None:
    release = node.offer(Release(GOOD))
    right, lies = node.answer, [3]

    def answer(sha: str, at: list[list[int]]) -> list[bytes]:
        pieces = right(sha, at)
        if at[0][0] == 0 and lies[0]:
            lies[0] -= 1
            head = [b"FPK1\xff\xff\xff\xff", b"FPK1\x20\0\0\0" + b"\xff" * 40, b"\0" * 48][lies[0]]
            pieces[0] = pieces[0][:12] + head + pieces[0][12 + len(head) :]
        return pieces

    node.answer = answer  # type: ignore[method-assign]
    for _ in range(3):
        node.live(lambda: (node.told("failed") or node.is_done()) and node.record["told"])
        if node.is_done():
            break
        node.reports.clear()
        release.attempt += 1  # The same offer is known.
        node.offer(release)
    assert node.running == GOOD


def test_a_fetch_goes_on_after_a_break_of_the_link_and_after_a_restart(node: Node) -> None:
    node.offer(Release(pack.make(modules("good new", **{"lib/more.mpy": "x" * 30_000}))))
    node.begin()
    node.build()
    node.session(lambda: sum(size for _, size in node.asked) > 12_000)
    node.pieces.clear()
    node.session(lambda: sum(size for _, size in node.asked) > 24_000)
    have = node.door._agent._target.have  # type: ignore[union-attr]
    node.pieces.clear()
    node.asked.clear()
    node.flash.power_off()
    node.flash.power_on()
    node.live(node.is_done)
    assert min(at for at, _ in node.asked) > have - 8192 - 1024, "of what was synced nothing again"


def test_an_offer_that_is_withdrawn_is_not_fetched_on(node: Node) -> None:
    node.offer(Release(GOOD, signer=9))
    node.live(lambda: node.told("refused") and node.record.get("told"))
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    node.offered = b""
    node.forbid_removal_of_open_files()
    node.door.receive(OFFER, b"")
    node.session(lambda: node.record.get("told") and node.door._agent is None)
    assert node.staged() == [] and node.reports[-1]["state"] == "idle"
    assert "update: not fetched: it is offered no more" in node.lines
    # The same offer again is another wish.
    node.offer(Release(GOOD))
    node.live(node.is_done)


def test_what_was_withdrawn_while_the_node_was_away_is_given_up_when_nobody_answers(
    node: Node,
) -> None:
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    node.offered, node.answers = None, False
    node.pieces.clear()
    node.begin()
    node.build()
    node.session(lambda: not node.staged() and node.record.get("told"), ms=1000)
    assert node.reports[-1]["state"] == "idle"


def test_another_offer_in_the_middle_takes_its_place(node: Node) -> None:
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    other = node.offer(Release(pack.make(modules("good other")), counter=18))
    node.forbid_removal_of_open_files()
    node.door.receive(OFFER, node.offered)
    with pytest.raises(Restart):
        for _ in range(500):
            node.step()
    node.live(node.is_done)
    assert node.running == other.data and node.staged() == []


@pytest.mark.parametrize("state", ["refused", "done"])
def test_an_offer_that_is_not_to_be_fetched_stops_no_fetch(node: Node, state: str) -> None:
    """Nobody signed it, or it runs already."""
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    other = {"refused": Release(GOOD, signer=9), "done": Release(node.running, counter=40)}[state]
    node.door.receive(OFFER, other.offer)
    with pytest.raises(Restart):
        for _ in range(500):
            node.step()
    assert node.told(state)
    assert len([line for line in node.lines if "update: fetching" in line]) == 1
    node.live(lambda: node.running == GOOD)


def test_nobody_answers_an_always_on_node_which_asks_ever_more_seldom(node: Node) -> None:
    node.offer(Release(GOOD))
    node.answers = False
    node.begin()
    node.build()
    node.door.connect()
    times = []
    for _ in range(30_000):
        before = len(node.asked)
        node.step(1000)
        if len(node.asked) > before:
            times.append(node.time.elapsed_ms // 1000)
    waits = [b - a for a, b in itertools.pairwise(times)]
    assert max(waits) <= 3700 and waits.count(10) + waits.count(11) > 6
    assert [wait for wait in waits if wait > 20][:3] == sorted(
        wait for wait in waits if wait > 20
    )[:3]
    node.answers = True
    node.live(node.is_done)


def test_the_pack_that_the_cable_brought_meanwhile_is_not_fetched(node: Node) -> None:
    node.flash.files["firmware.pack"] = GOOD
    node.offer(Release(GOOD))
    node.live(node.is_done)
    assert node.asked == [] and node.restarts == 0
    assert node.reports[-1]["installed"]["counter"] == 17


def test_what_the_cable_brings_after_an_update_is_told_as_what_runs(node: Node) -> None:
    node.offer(Release(GOOD))
    node.live(node.is_done)
    by_cable = Release(pack.make(modules("good by cable")))
    node.flash.files["firmware.pack"] = by_cable.data
    reports = len(node.reports)
    node.live(lambda: len(node.reports) > reports and node.record["told"])
    assert node.reports[-1]["state"] == "idle" and "offer" not in node.reports[-1]
    assert node.reports[-1]["installed"] == {"version": VERSION, "sha": by_cable.sha[:16]}


def test_a_sleeper_fetches_over_several_wakes_and_rests_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch, sleeps=True)
    whole = pack.make(modules("good new", **{"lib/more.mpy": "x" * 60_000}))
    node.offer(Release(whole))
    wakes = 0
    while TRIAL not in node.flash.files:
        wakes += 1
        assert wakes < 12
        node.deliveries += 1
        node.begin()
        node.build()
        began_ms = node.clock.uptime_ms()
        try:
            node.session(lambda node=node: node.door.rests, ms=5000)
        except Restart:
            break
        assert node.node.stay_awake_until_ms == 0 and node.record["silent"] == 0
        awake_ms = node.clock.uptime_ms() - began_ms
        assert awake_ms <= 30_000 + 10_000, "one step before, and one that noticed"
    assert wakes >= 2
    node.live(node.is_done)
    assert node.running == whole


def test_a_sleeper_that_nobody_answers_tries_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch, sleeps=True)
    node.offer(Release(GOOD))
    node.answers = False
    tried = []
    for _ in range(80):
        node.deliveries += 1
        node.begin()
        node.build()
        assert not node.door.works, "without a network nothing keeps it awake"
        before, began_ms = len(node.asked), node.clock.uptime_ms()
        node.session(lambda: node.door.rests, ms=1000)
        if len(node.asked) > before:
            tried.append(node.deliveries)
            awake_s = (node.clock.uptime_ms() - began_ms) // 1000
            assert 0 <= awake_s - node.settings["awake_limit_s"] <= 2
    assert tried[:2] == [1, 2] and tried[-1] - tried[-2] == 16
    node.answers = True
    for _ in range(20):
        node.deliveries += 1
        node.begin()
        node.build()
        try:
            node.session(lambda: node.door.rests, ms=20)
        except Restart:
            break
    node.live(node.is_done)


def _run(monkeypatch: pytest.MonkeyPatch, kind: str, number: int, when: str) -> tuple[Node, bool]:
    """The power fails at that operation of an update; whether there was one of that number."""
    flash = FakeFlash(capacity_bytes=512 * 1024)
    node = Node(monkeypatch, flash=flash)
    flash.cut_at(number, when)
    node.offer(Release(pack.make(modules(kind))))
    state = "done" if kind.startswith("good") else "back"
    node.live(lambda: node.told(state) and node.record.get("told"), starts=16)
    return node, bool(flash.cuts)


@pytest.mark.parametrize(
    "when", ["within", *(pytest.param(one, marks=pytest.mark.slow) for one in ("before", "after"))]
)
@pytest.mark.parametrize("kind", ["good new", "crash", "silent"])
def test_power_may_fail_at_any_operation_of_any_update(
    monkeypatch: pytest.MonkeyPatch, kind: str, when: str
) -> None:
    old = pack.make(modules("good old"))
    new = pack.make(modules(kind))
    number, was_cut = 0, True
    while was_cut:
        number += 1
        node, was_cut = _run(monkeypatch, kind, number, when)
        assert node.running == (new if kind.startswith("good") else old), number
        assert TRIAL not in node.flash.files and FAILED not in node.flash.files
        assert node.reports[-1]["installed"]["sha"] == node.record["sha"]
    print(f"{number - 1} operations of flash")
    assert number > 40


def test_a_release_that_power_left_in_its_place_counts_though_it_is_offered_no_more(
    node: Node,
) -> None:
    """Or an older one could come after it."""
    node.offer(Release(GOOD))

    def decide(operation: Any) -> str | None:
        is_in_place = operation.kind == "rename" and operation.path == "firmware.pack"
        return "after" if is_in_place else None

    node.flash.decide = decide
    node.live(lambda: node.flash.cuts)
    node.flash.decide, node.offered = None, None
    node.live(node.is_done)
    assert node.running == GOOD and node.record["counter"] == node.record["runs"] == 17


@pytest.mark.parametrize("answers", [True, False])
def test_progress_is_told_at_once_then_at_each_tenth_or_every_ten_seconds(
    node: Node, answers: bool
) -> None:
    size = 50_000
    node.offer(Release(pack.make(modules("good new", **{"lib/more.mpy": "x" * size}))))
    node.answers = answers
    node.begin()
    node.build()
    node.door.connect()
    times: list[int] = []
    try:
        while node.time.elapsed_ms < 35_000:  # After three silences it waits.
            told = len(node.told("fetching"))
            node.step(100)
            times += [node.time.elapsed_ms] * (len(node.told("fetching")) - told)
    except Restart:
        pass
    if answers:
        told = [one["have"] for one in node.told("fetching")]
        assert told[0] < 4096 and 8 <= len(told) <= 12
        assert all(after - have > size // 10 for have, after in itertools.pairwise(told))
    else:
        waits = [after - before for before, after in itertools.pairwise(times)]
        assert times[0] < 1000 and len(waits) == 3
        assert all(10_000 <= wait <= 10_200 for wait in waits)


def test_while_pieces_come_no_more_of_the_updates_is_loaded_than_they_need(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, package = "firmware.update.", sys.modules["firmware.update"]
    for name in [one for one in sys.modules if one.startswith(start)]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
        monkeypatch.setattr(package, name.removeprefix(start), sys.modules[name], raising=False)
    board = {**vars(sys.implementation), "name": "micropython"}
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(**board))

    def loaded() -> set[str]:
        found = {one.removeprefix(start) for one in sys.modules if one.startswith(start)}
        assert found == {
            name for name, one in vars(package).items() if isinstance(one, ModuleType)
        }
        return found

    always = {"doorway", "place", "record"}
    place.forget(*(loaded() - always))
    seen = []
    right = node.answer

    def answer(sha: str, at: list[list[int]]) -> list[bytes]:
        seen.append(loaded())
        return right(sha, at)

    node.answer = answer  # type: ignore[method-assign]
    node.offer(Release(GOOD))
    node.until_restart()
    assert seen and seen == [always | {"agent", "fetch", "pack_target"}] * len(seen)
    # Power fails once it is in its place.
    node.flash.rename(f".deploy/{Release(GOOD).sha[:16]}", "firmware.pack")
    for state in ("done", "refused"):
        node.begin()
        node.build()
        node.session(lambda state=state: node.told(state) and not node.door._agent)
        assert loaded() == always
        node.offer(Release(GOOD, signer=9))


def test_what_flash_does_not_take_of_the_record_is_logged_or_raised(node: Node) -> None:
    node.begin()
    node.build()
    node.flash.write_error = 28
    node.door.save()
    assert node.lines == ["update: not noted, flash refuses"]
    with pytest.raises(OSError, match="28"):
        node.door.save(True)
