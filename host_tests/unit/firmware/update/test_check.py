"""Which offers a node takes, and why it refuses the others: before a byte is asked for."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.updates import BOARD, GOOD, OFFER, Node, Release, Restart, modules

from fakes.flash import Operation
from fakes.releases import keys_file, modulus
from fieldpost.deploy import pack
from fieldpost.keys.public import PublicKey
from firmware.update.report import board_of


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


def test_the_keys_that_it_takes_updates_of_are_told_and_told_again_when_they_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch, keys=(0, 1))
    node.offer(Release(GOOD))
    node.live(node.is_done)
    ids = [PublicKey(int(modulus(number), 16)).node_id for number in (0, 1)]
    assert node.reports[0]["keys"] == node.reports[-1]["keys"] == ids
    beside = [one for one in node.reports if one["state"] in ("fetching", "trial")]
    assert beside and not any("keys" in one for one in beside), "pieces need the room"
    last = node.reports[-1]
    node.flash.files["update.keys"] = keys_file((1,), 10)
    reports = len(node.reports)
    node.again(200)
    assert node.reports[reports:] == [{**last, "keys": ids[1:]}]


def _refused(node: Node, release: Release) -> str:
    node.offer(release)
    before = dict(node.flash.files)
    node.live(lambda: node.told("refused") and node.record.get("told"))
    assert node.asked == []
    changed = {name for name in node.flash.files if node.flash.files[name] != before.get(name)}
    assert changed == {"update.json"} and node.restarts == 0
    told = len(node.reports)
    node.again(20)
    assert len(node.reports) == told, "it is told once"
    why = node.reports[-1]["error"]
    assert node.lines == [f"update: refused: {why}"]
    return why


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
        node.live(node.is_done)


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
    node.again(50)
    assert len(node.asked) == asked


@pytest.mark.parametrize("version", ["1", "x" * 64])
def test_a_version_may_be_as_short_as_one_character_and_as_long_as_it_may(
    node: Node, version: str
) -> None:
    node.offer(Release(GOOD, version=version))
    node.live(node.is_done)
    assert node.reports[-1]["installed"]["version"] == version


def test_after_an_update_an_older_release_is_none(node: Node) -> None:
    node.offer(Release(GOOD))
    node.live(node.is_done)
    node.offer(Release(pack.make(modules("good older")), counter=17))
    node.live(lambda: node.told("refused"))
    assert "must be above 17" in node.reports[-1]["error"]


@pytest.mark.parametrize(
    "keys", [None, b"", b"{", b"[]", b"{}", b'{"keys": ["zz"], "counter": 1}', b'{"keys": []}']
)
def test_with_keys_that_cannot_be_read_nothing_is_signed(node: Node, keys: bytes | None) -> None:
    if keys is None:
        del node.flash.files["update.keys"]
    else:
        node.flash.files["update.keys"] = keys
    assert _refused(node, Release(GOOD)) == "none of this node's keys signed it"


def test_of_versions_no_more_is_told_than_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits above that of bytecode are the processor's, and a release is for all of them."""
    board = {**vars(sys.implementation), "_mpy": 0x2B06, "version": (1, 28, 0, "")}
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(**board))
    told = board_of(BOARD)
    assert told["mpy"] == 6 and told["micropython"] == [1, 28, 0]


def test_the_first_release_is_taken_by_keys_that_are_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch, counter=0)
    node.offer(Release(GOOD, counter=1))
    node.live(node.is_done)


@pytest.mark.parametrize("path", [".deploy/offer", "update.json.new"])
def test_an_offer_that_flash_does_not_take_is_refused_with_the_reason(
    node: Node, path: str
) -> None:
    """Itself, or the note that it is taken."""

    def decide(operation: Operation) -> None:
        is_taken = operation.path == ".deploy/offer" or ".deploy/offer" in node.flash.files
        if operation.path == path and is_taken:
            node.flash.decide = None
            raise OSError(28)

    node.flash.decide = decide
    node.offer(Release(GOOD))
    node.live(lambda: node.told("refused"))
    assert node.reports[-1]["error"] == "flash refuses (28)"


def test_one_without_room_for_it_costs_the_one_that_is_fetched_its_beginning_alone(
    node: Node,
) -> None:
    node.offer(Release(pack.make(modules("good new", **{"lib/more.mpy": "x" * 50_000}))))
    node.begin()
    node.build()
    node.session(lambda: len(node.asked) > 20)
    node.door.receive(
        OFFER, Release(pack.make(modules("good other")), counter=18, size=500_000).offer
    )
    with pytest.raises(Restart):
        for _ in range(2000):
            node.step()
    assert "bytes of flash" in node.told("refused")[0]["error"]
    node.live(node.is_done)


def test_what_was_left_of_another_makes_room(node: Node) -> None:
    left = ".deploy/" + "0" * 16
    node.flash.mkdir(".deploy")
    node.flash.files[left] = bytes(1000)
    node.offer(Release(GOOD))
    node.begin()
    node.build()
    node.session(lambda: node.asked)
    assert left not in node.flash.files
