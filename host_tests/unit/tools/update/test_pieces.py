"""What is given to whoever asks in a node's name: what it was offered, within bounds."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from rigs.update_keys import make_keys
from rigs.update_release import make_release

from fieldpost.release.folder import Artefact
from fieldpost.update.pieces import PIECE_MAX, Pieces


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    return make_release(make_keys(tmp_path / "keys"), size=9000).artefacts[0]


@pytest.fixture
def pieces(artefact: Artefact, clock: Clock) -> Pieces:
    found = Pieces(clock)
    found.offer("n", artefact)
    return found


def ask(artefact: Artefact, *at: object) -> bytes:
    return json.dumps({"sha": artefact.manifest.sha16, "at": at}).encode()


def test_the_pieces_of_a_whole_pack_make_it(
    artefact: Artefact, pieces: Pieces, clock: Clock
) -> None:
    got = bytearray()
    size = len(artefact.data)
    while len(got) < size:
        clock.now_s += 0.1
        begin = len(got)
        wanted = [[at, min(2048, size - at)] for at in range(begin, min(begin + 8192, size), 2048)]
        given = pieces.answer("n", ask(artefact, *wanted))
        for (at, length), one in zip(wanted, given, strict=True):
            assert one[:8] == bytes.fromhex(artefact.manifest.sha16)
            assert int.from_bytes(one[8:12], "little") == at and len(one) == 12 + length
            got += one[12:]
        assert pieces.reached("n") == len(got)
    assert hashlib.sha256(got).hexdigest() == artefact.manifest.sha256
    assert not pieces.refused


_BAD = [
    b"",
    b"[]",
    b"{}",
    b"\xff" * 20,
    b"[" * 400,
    b'{"at": [[0, 1]]}' + b" " * 600,
    b'{"sha": 1, "at": [[0, 1]]}',
]


@pytest.mark.parametrize("message", _BAD)
def test_what_is_no_ask_is_not_answered(pieces: Pieces, message: bytes) -> None:
    assert pieces.answer("n", message) == [] and pieces.refused == 1


@pytest.mark.parametrize(
    "at",
    [
        [],
        [[0, 1]] * 5,
        [[0, PIECE_MAX + 1]],
        [[0, 0]],
        [[-1, 5]],
        [[1 << 40, 5]],
        [[0.5, 5]],
        [[True, 5]],
        [["0", 5]],
        [[0]],
        [[0, 1, 2]],
        [0, 1],
        [None],
        [[[0], [1]]],
    ],
)
def test_an_ask_out_of_its_bounds_is_not_answered(
    artefact: Artefact, pieces: Pieces, at: list[object]
) -> None:
    assert pieces.answer("n", ask(artefact, *at)) == []


def test_nobody_gets_what_was_not_offered_to_it(artefact: Artefact, pieces: Pieces) -> None:
    good = ask(artefact, [0, 100])
    assert pieces.answer("another", good) == []
    assert pieces.answer("n", good.replace(artefact.manifest.sha16.encode(), b"0" * 16)) == []
    assert len(pieces.answer("n", good)) == 1
    pieces.withdraw("n")
    assert pieces.answer("n", good) == [] and pieces.reached("n") == 0


def test_a_node_that_asks_as_fast_as_it_can_costs_no_more_than_a_board_could_take(
    artefact: Artefact, pieces: Pieces, clock: Clock
) -> None:
    message = ask(artefact, *[[0, 1]] * 4)
    given = 0
    for _ in range(10_000):
        clock.now_s += 0.001
        given += len(pieces.answer("n", message))
    assert given < 64 + 10 * 200 + 4


def test_no_node_gets_the_same_bytes_without_an_end(
    artefact: Artefact, pieces: Pieces, clock: Clock
) -> None:
    message = ask(artefact, *[[0, PIECE_MAX]] * 4)
    for _ in range(1000):
        clock.now_s += 1
        pieces.answer("n", message)
    assert pieces.exhausted("n") and pieces.answer("n", message) == []
    pieces.offer("n", artefact)
    assert pieces.answer("n", message), "a new offer is a new beginning"


def test_no_garbage_harms_it(artefact: Artefact, pieces: Pieces, clock: Clock) -> None:
    dice = random.Random(7)
    good = ask(artefact, [0, 2048], [2048, 100])
    for _ in range(5000):
        clock.now_s += 0.01
        message = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            message[dice.randrange(len(message))] = dice.randrange(256)
        for one in pieces.answer("n", bytes(message)):
            begin = int.from_bytes(one[8:12], "little")
            assert one[12:] == artefact.data[begin : begin + len(one) - 12]
