"""MicroPython itself over the air: tried for one start, and the chip's bootloader goes back."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from rigs.updates import DEEP_SLEEP, PROGRAM, TRIAL, FakeSlots, Node, Release, Restart

from fakes.flash import FakeFlash
from fakes.flash_file import PowerCut
from firmware.update.image_target import ImageTarget

SIZE = 30_001


def image(kind: str, size: int = SIZE) -> bytes:
    return (PROGRAM + kind.encode()).ljust(size, b"\x5a")


def release(data: bytes, **given: Any) -> Release:
    changes = {"kind": "image", "platform": "esp32", "chip": "esp32c3", "mpy": None, "least": None}
    return Release(data, **{**changes, **given})


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr("sys.platform", "esp32")
    return Node(monkeypatch, slots=FakeSlots(image("good old")))


def slots(node: Node) -> FakeSlots:
    assert node.slots
    return node.slots


def ends_in(node: Node, state: str) -> dict[str, Any]:
    node.live(lambda: node.told(state) and node.record.get("told"))
    return node.reports[-1]


def test_a_good_one_stays_once_a_reading_has_arrived(node: Node) -> None:
    before = node.running
    node.offer(release(image("good new"), counter=11))
    told = ends_in(node, "done")
    assert slots(node).running == "ota_1" and slots(node).state == "valid"
    assert slots(node).images["ota_1"][:SIZE] == image("good new")
    assert node.running == before and node.staged() == []
    # The firmware is still the one before: its counter goes its own way.
    assert node.record["image_counter"] == 11 and node.record.get("counter") is None
    assert told["offer"]["counter"] == 11
    node.live(lambda: node.starts >= 6, starts=9)
    assert slots(node).running == "ota_1", "and it starts from now on"


@pytest.mark.parametrize("kind", ["crash", "silent", "deaf"])
def test_a_bad_one_is_gone_after_one_start(node: Node, kind: str) -> None:
    node.offer(release(image(f"{kind} new")))
    told = ends_in(node, "back")
    if kind == "crash":
        assert told["error"] == "1 start came to nothing"
    assert slots(node).running == "ota_0"
    assert told["offer"]["version"] == "0.17.0" and told["error"]
    assert node.staged() == [] and "image_counter" not in node.record
    starts = node.starts
    node.live(lambda: node.starts >= starts + 3, starts=4)
    assert slots(node).running == "ota_0", "it is not tried again by itself"


def test_a_node_that_sleeps_has_to_prove_it_before_it_sleeps(node: Node) -> None:
    node.sleeps = True
    node.offer(release(image("silent new")))
    node.begin()
    node.build()
    with pytest.raises(Restart):
        node.session(lambda: False)
    assert node.begin() == "silent"
    node.build()
    assert node.trial.is_open and node.trial.awake_s == 300
    wake: Any = type("Wake", (), {"up_ms": 5})
    node.flash.write_error = 28
    assert node.trial.over(node.node, wake), "it restarts, and the bootloader goes back"
    node.flash.write_error = None
    assert node.trial.over(node.node, wake), "and it notes why"
    node.cause = DEEP_SLEEP
    assert node.begin() == "good" and slots(node).running == "ota_0"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"chip": "esp32s3"}, "it is for esp32s3, and this board is esp32c3"),
        ({"platform": "rp2"}, "it is for esp32c3, and this board is esp32c3"),
        ({"size": 70_000}, "it has 70000 bytes, and the slot 65536"),
        ({"counter": 10}, "its counter is 10, and it must be above 10"),
    ],
)
def test_what_is_not_for_this_chip_is_refused(node: Node, given: Any, why: str) -> None:
    node.offer(release(image("good new"), **given))
    assert ends_in(node, "refused")["error"] == why
    assert node.asked == [] and slots(node).images["ota_1"] == bytes(FakeSlots.size)


@pytest.mark.parametrize("size", [4096, 4097, FakeSlots.size])
def test_one_may_end_with_a_block_with_a_byte_of_it_or_with_the_slot(
    node: Node, size: int
) -> None:
    node.offer(release(image("good new", size)))
    ends_in(node, "done")
    assert slots(node).images["ota_1"][:size] == image("good new", size)


def test_a_piece_that_was_wrong_once_is_fetched_again(node: Node) -> None:
    right, lies = node.answer, [True]

    def answer(sha: str, at: list[list[int]]) -> list[bytes]:
        pieces = right(sha, at)
        if lies.pop():
            pieces[0] = pieces[0][:-1] + b"?"
        lies.append(False)
        return pieces

    node.answer = answer  # type: ignore[method-assign]
    node.offer(release(image("good new")))
    ends_in(node, "done")
    assert "update: what came is not what was signed" in node.lines


class _Slots:
    """Takes blocks, and has one place for 40 of them."""

    size = 40 * 4096

    def write(self, block: int, data: bytearray) -> None:
        assert len(data) == 4096 and 0 <= block < 40


def _target(note: bytes | None = None) -> tuple[FakeFlash, ImageTarget]:
    flash = FakeFlash()
    flash.mkdir(".deploy")
    if note is not None:
        flash.files[".deploy/name"] = note
    target = ImageTarget(flash, _Slots(), "name", "a" * 64, 39 * 4096 + 5)
    target.begin()
    return flash, target


def test_a_power_cut_costs_64_kib_of_one_at_most() -> None:
    flash, target = _target()
    while target.have < target.size:
        target.write(bytes(min(target.wanted(), 1024)))
        noted = int(flash.files.get(".deploy/name", b"0"))
        assert target.have - noted < 16 * 4096 and noted <= target.have
    target.drop()
    target.begin()
    assert target.have == 0, "nothing of what was wrong is gone on with"


@pytest.mark.parametrize(
    ("note", "have"),
    [
        (b"8192", 8192),
        (b"159749", 159749),
        (b"159750", 0),
        (b"8193", 0),
        (b"", 0),
        (b"half", 0),
    ],
)
def test_it_goes_on_where_a_note_says_that_can_be_true(note: bytes, have: int) -> None:
    assert _target(note)[1].have == have


def test_a_board_with_one_place_for_it_says_so(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.board, "slots", lambda: None)
    node.offer(release(image("good new")))
    assert "no second place for MicroPython" in ends_in(node, "refused")["error"]


def test_what_is_no_program_is_told_and_never_started(node: Node) -> None:
    node.offer(release(b"no program".ljust(SIZE)))
    told = ends_in(node, "failed")
    assert "ESP_ERR_OTA_VALIDATE_FAILED" in told["error"]
    assert slots(node).state == "valid" and TRIAL not in node.flash.files


def test_a_piece_that_was_replaced_is_found_when_it_is_read_back(node: Node) -> None:
    good = release(image("good new"))
    node.offer(good)
    good.data = image("evil new")
    assert ends_in(node, "failed")["error"] == "what came is not what was signed"
    assert slots(node).state == "valid"


def test_a_fetch_goes_on_at_a_whole_block(node: Node) -> None:
    node.offer(release(image("good new")))
    node.begin()
    node.build()
    node.session(lambda: len(node.asked) > 12)
    assert node.door._agent
    node.door._agent._life.close()  # The link is gone, and what was being done with it.
    (staged,) = [name for name in node.staged() if len(name) == 24]
    have = int(node.flash.files[staged])
    assert 0 < have < SIZE and have % 4096 == 0
    node.asked.clear()
    ends_in(node, "done")
    assert min(at for at, _ in node.asked) == have


def test_power_may_fail_at_any_operation_of_flash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "esp32")
    numbers = itertools.count(1)
    cuts = sum(iter(lambda: 1 if _is_cut(monkeypatch, next(numbers)) else 0, 0))
    assert cuts > 15


def _is_cut(monkeypatch: pytest.MonkeyPatch, number: int) -> bool:
    """A whole update with the power failing at that operation; False: there were fewer."""
    node = Node(monkeypatch, slots=FakeSlots(image("good old")))
    left = number

    def decide(*_: object) -> str | None:
        nonlocal left
        left -= 1
        return None if left else ("before", "within", "after")[number % 3]

    def operate() -> None:
        if decide():
            node.flash.power_off()
            raise PowerCut("at a slot")

    node.flash.decide, slots(node).operate = decide, operate
    node.offer(release(image("good new")))
    node.live(lambda: (node.told("done") or node.told("back")) and node.record.get("told"))
    # It runs the new one, or the one before, and says which.
    is_new = slots(node).running == "ota_1"
    assert slots(node).state == ("valid" if is_new else "aborted"), number
    assert node.reports[-1]["state"] == ("done" if is_new else "back"), number
    assert not [name for name in node.staged() if not name.endswith(".new")], number
    assert json.loads(node.flash.files["update.json"])["told"]
    return left <= 0
