"""An update from its offer to its end: what a node takes, fetches, tries, keeps, and tells."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.updates import BOARD, FAILED, TRIAL, Node, Release, Restart, modules

from fakes.flash import FakeFlash
from fakes.releases import keys_file, modulus
from fieldpost.deploy import pack
from fieldpost.keys.public import PublicKey
from firmware.update.pack_target import PackTarget
from firmware.update.report import board_of

GOOD = pack.make(modules("good new"))


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


def _done(node: Node) -> bool:
    return bool(node.told("done")) and node.record.get("told", False)


def test_a_release_is_fetched_tried_and_stays_once_a_reading_has_arrived(node: Node) -> None:
    release = node.offer(Release(GOOD))
    node.live(lambda: _done(node))
    assert node.running == GOOD
    assert node.staged() == []
    assert node.restarts == 1
    told = node.reports[-1]
    assert told["installed"] == {"version": "0.17.0", "counter": 17, "sha": release.sha[:16]}
    assert told["offer"]["attempt"] == 0 and told["offer"]["counter"] == 17
    states = list(dict.fromkeys(one["state"] for one in node.reports))
    assert states == ["idle", "fetching", "trial", "done"]
    # What the old pack had was not asked for.
    assert sum(size for _, size in node.asked) < len(GOOD) - 4 * 3000
    # The offer stays at the broker, and is known.
    reports = len(node.reports)
    node.begin()
    node.build()
    node.door.connect()
    assert not any(node.step() for _ in range(50)) and len(node.reports) == reports
    assert node.door._agent is None


def test_the_keys_that_it_takes_updates_of_are_told_and_told_again_when_they_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch, keys=(0, 1))
    node.offer(Release(GOOD))
    node.live(lambda: _done(node))
    ids = [PublicKey(int(modulus(number), 16)).node_id for number in (0, 1)]
    assert node.reports[0]["keys"] == node.reports[-1]["keys"] == ids
    assert not any("keys" in one for one in node.reports if one["state"] == "fetching")
    last = node.reports[-1]
    node.flash.files["update.keys"] = keys_file((1,), 10)
    reports = len(node.reports)
    node.begin()
    node.build()
    node.door.connect()
    for _ in range(200):
        node.step()
    assert node.reports[reports:] == [{**last, "keys": ids[1:]}]


def _refused(node: Node, release: Release) -> str:
    node.offer(release)
    before = dict(node.flash.files)
    node.live(lambda: node.told("refused") and node.record.get("told"))
    assert node.asked == []
    changed = {name for name in node.flash.files if node.flash.files[name] != before.get(name)}
    assert changed == {"update.json"} and node.restarts == 0
    told = len(node.reports)
    node.begin()
    node.build()
    node.door.connect()
    for _ in range(20):
        node.step()
    assert len(node.reports) == told, "it is told once"
    return node.reports[-1]["error"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"signer": 9}, "none of this node's keys signed it"),
        ({"counter": 10}, "its counter is 10, and it must be above 10"),
        ({"counter": 3}, "its counter is 3, and it must be above 10"),
        ({"platform": "esp32"}, "it is for esp32, and this board is "),
        ({"mpy": 7}, "its bytecode has version 7, this board takes "),
        ({"least": [9, 1]}, "it needs MicroPython 9.1"),
        ({"least": None}, "it does not say which MicroPython it needs"),
        ({"least": ["1"]}, "it does not say which MicroPython it needs"),
        ({"format": 2}, "format 2 is not known here"),
        ({"kind": "image"}, "it is for None, and this board is rp2040"),
        ({"kind": None}, "updates of the kind None are not known here"),
        ({"size": 500_000}, "it needs 500000 bytes of flash, and "),
        ({"size": 0}, "the manifest has no size"),
        ({"size": True}, "the manifest has no size"),
        ({"version": 5}, "the manifest has no version"),
        ({"version": "x" * 65}, "the manifest has no version"),
        ({"sha256": "ab"}, "the manifest has no sha256"),
        ({"sha256": "z" * 64}, ""),
        ({"counter": "17"}, "the manifest has no counter"),
    ],
)
def test_what_is_not_for_this_node_is_refused_before_a_byte_is_asked_for(
    node: Node, given: dict[str, Any], told: str
) -> None:
    assert told in _refused(node, Release(GOOD, **given))


def test_each_of_two_keys_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    for signer in (0, 1):
        node = Node(monkeypatch, keys=(0, 1))
        node.offer(Release(GOOD, signer=signer))
        node.live(lambda node=node: _done(node))


def _spoilt(release: Release, how: str) -> bytes:
    offer = bytearray(release.offer)
    if how == "signature":
        offer[100] ^= 1
    elif how == "manifest":
        offer[-3] ^= 1
    elif how == "no signature":
        offer[5 : 5 + 384] = bytes(384)
    elif how == "signature above the modulus":
        offer[5 : 5 + 384] = b"\xff" * 384
    elif how == "no more than a head":
        del offer[300:]
    elif how == "no manifest":
        del offer[5 + 384 :]
    elif how == "magic":
        offer[0] ^= 1
    elif how == "too long":
        offer += b" " * 1024
    elif how == "a byte":
        del offer[1:]
    return bytes(offer)


@pytest.mark.parametrize(
    "how",
    [
        "signature",
        "manifest",
        "no signature",
        "signature above the modulus",
        "no more than a head",
        "no manifest",
        "magic",
        "too long",
        "a byte",
    ],
)
def test_an_offer_that_was_tampered_with_is_refused(node: Node, how: str) -> None:
    release = Release(GOOD)
    offer = _spoilt(release, how)
    node.offer(release)
    node.offered = offer
    node.live(lambda: node.told("refused"))
    assert node.asked == [] and node.staged() == []


def test_what_nobody_signed_does_not_push_out_what_was_judged(node: Node) -> None:
    bad = pack.make(modules("crash"))
    first = node.offer(Release(bad))
    node.live(lambda: node.told("back") and node.record["told"])
    for n in range(12):
        node.offer(Release(GOOD, signer=9, counter=20 + n))
        node.live(lambda n=n: len(node.told("refused")) > n and node.record["told"])
    node.offer(first)
    asked = len(node.asked)
    node.begin()
    node.build()
    node.door.connect()
    for _ in range(50):
        node.step()
    assert len(node.asked) == asked


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


@pytest.mark.parametrize("version", ["1", "x" * 64])
def test_a_version_may_be_as_short_as_one_character_and_as_long_as_it_may(
    node: Node, version: str
) -> None:
    node.offer(Release(GOOD, version=version))
    node.live(lambda: _done(node))
    assert node.reports[-1]["installed"]["version"] == version


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
    node.live(lambda: _done(node))
    told = board_of(BOARD)
    assert told["chip"] == "rp2040"
    for one in node.reports:
        assert {key: one[key] for key in told} == told


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
    node.live(lambda: _done(node))
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
    node.live(lambda: _done(node))
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
        node.live(lambda: (node.told("failed") or _done(node)) and node.record["told"])
        if _done(node):
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
    node.live(lambda: _done(node))
    assert min(at for at, _ in node.asked) > have - 8192 - 1024, "of what was synced nothing again"


def test_an_offer_that_is_withdrawn_is_not_fetched_on(node: Node) -> None:
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    node.offered = b""
    node.door.receive(b"fieldpost/n/update/offer", b"")
    node.session(lambda: node.record.get("told") and node.door._agent is None)
    assert node.staged() == [] and node.reports[-1]["state"] == "idle"
    # The same offer again is another wish.
    node.offer(Release(GOOD))
    node.live(lambda: _done(node))


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
    node.live(lambda: _done(node))
    assert node.running == other.data and node.staged() == []


def test_an_offer_that_nobody_signed_stops_no_fetch(node: Node) -> None:
    first = node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    node.door.receive(b"fieldpost/n/update/offer", Release(GOOD, signer=9, counter=40).offer)
    node.step()
    assert node.told("refused") and node.release is first
    node.live(lambda: _done(node))
    assert node.running == GOOD


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
    node.live(lambda: _done(node))


def test_the_pack_that_the_cable_brought_meanwhile_is_not_fetched(node: Node) -> None:
    node.flash.files["firmware.pack"] = GOOD
    node.offer(Release(GOOD))
    node.live(lambda: _done(node))
    assert node.asked == [] and node.restarts == 0
    assert node.reports[-1]["installed"]["counter"] == 17


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
    node.live(lambda: _done(node))


def test_after_an_update_an_older_release_is_none(node: Node) -> None:
    node.offer(Release(GOOD))
    node.live(lambda: _done(node))
    node.offer(Release(pack.make(modules("good older")), counter=17))
    node.live(lambda: node.told("refused"))
    assert "must be above 17" in node.reports[-1]["error"]


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
        assert node.node.stay_awake_until_ms == 0
        awake_ms = node.clock.uptime_ms() - began_ms
        assert awake_ms <= 30_000 + 10_000, "one step before, and one that noticed"
    assert wakes >= 2
    node.live(lambda: _done(node))
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
        before = len(node.asked)
        node.session(lambda: node.door.rests, ms=1000)
        if len(node.asked) > before:
            tried.append(node.deliveries)
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
    node.live(lambda: _done(node))


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
