"""Whatever a phone looks up while the page is open, it finds the board; garbage finds nothing."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest
from rigs.portal import HOST, dns_query
from rigs.portal_board import DNS_PORT, LOOPBACK, Sockets

from firmware.portal.dns import Names, answer

_ADDRESS = b"\xc0\xa8\x04\x01"
_PLAIN = b"\x00\x00"  # the flags of a query that asks for no recursion


def query_of(length: int) -> bytes:
    """One whose name, of labels of up to 63 letters, makes it so long."""
    letters = length - len(dns_query("")) + 1
    labels = ["x" * 63] * (letters // 64)
    if letters % 64:
        labels.append("x" * (letters % 64 - 1))
    made = dns_query(".".join(labels))
    assert len(made) == length
    return made


def test_every_name_leads_to_the_board() -> None:
    for name in ("captive.apple.com", "connectivitycheck.gstatic.com", "a"):
        asked = dns_query(name)
        got = answer(asked, _ADDRESS)
        assert got and got[:2] == asked[:2]
        assert got[2] & 0x81 == 0x81 and got[3] & 0x0F == 0  # an answer, recursion, no error
        assert got[4:12] == b"\0\1\0\1\0\0\0\0"
        assert got[12 : len(asked)] == asked[12:]
        assert got[-4:] == _ADDRESS


def test_even_the_root_has_the_boards_address() -> None:
    asked = b"\xab\xcd\x01\x00\0\1\0\0\0\0\0\0" + b"\0" + b"\0\1\0\1"
    got = answer(asked, _ADDRESS)
    assert got and got[12:17] == asked[12:] and got[-4:] == _ADDRESS


@pytest.mark.parametrize("flags", [_PLAIN, b"\x01\x00"])
def test_an_answer_says_that_recursion_was_asked_for_only_if_it_was(flags: bytes) -> None:
    got = answer(dns_query("a", flags=flags), _ADDRESS)
    # RFC 1035 4.1.1: QR, AA, and RD as in the query; RA, and no error.
    assert got and got[2:4] == bytes((0x84 | flags[0], 0x80))


def test_what_a_resolver_adds_to_its_question_is_not_repeated() -> None:
    asked = dns_query("captive.apple.com")
    # RFC 6891: a pseudo-record about the size of answers, of which the header counts one.
    extended = asked[:11] + b"\x01" + asked[12:] + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    assert answer(extended, _ADDRESS) == answer(asked, _ADDRESS)


def test_another_type_than_an_address_is_there_and_empty() -> None:
    asked = dns_query("captive.apple.com", 28)
    got = answer(asked, b"\1\2\3\4")
    assert got and got[3] & 0x0F == 0 and got[6:8] == b"\0\0" and got[12:] == asked[12:]


def test_a_label_has_up_to_63_letters() -> None:
    assert answer(dns_query("x" * 63 + ".org"), _ADDRESS)
    assert answer(dns_query("x" * 64 + ".org"), _ADDRESS) is None


@pytest.mark.parametrize("seed", range(5))
def test_garbage_gets_no_answer_and_raises_nothing(seed: int) -> None:
    rng = random.Random(seed)
    whole = dns_query("captive.apple.com")
    for end in range(len(whole)):
        assert answer(whole[:end], bytes(4)) is None
    assert answer(dns_query("x", flags=b"\x81\x00"), bytes(4)) is None  # an answer is no question
    for _ in range(2000):
        data = bytearray(rng.choice([whole, rng.randbytes(rng.randrange(64))]))
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        got = answer(bytes(data), bytes(4))
        assert got is None or len(got) <= len(data) + 16


# The service ------------------------------------------------------------------------------------


class Asker:
    """A phone that asks the service, which takes one step for each question."""

    def __init__(self) -> None:
        sockets = Sockets()
        self.names = Names(sockets, HOST, DNS_PORT)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(0.2)
        self.sock.connect((LOOPBACK, sockets.port(DNS_PORT)))

    def ask(self, query: bytes) -> bytes | None:
        self.sock.send(query)
        self.names.step()
        try:
            return self.sock.recv(1024)
        except TimeoutError:
            return None


@pytest.fixture
def asker() -> Iterator[Asker]:
    one = Asker()
    yield one
    one.sock.close()
    one.names.sock.close()


def test_a_phone_gets_the_boards_address_over_the_network(asker: Asker) -> None:
    asked = dns_query("captive.apple.com")
    assert asker.ask(asked) == answer(asked, _ADDRESS)


def test_garbage_gets_silence_and_the_next_question_its_answer(asker: Asker) -> None:
    assert asker.ask(b"garbage") is None
    assert asker.ask(dns_query("a"))


def test_a_question_that_has_gone_keeps_nobody_waiting(asker: Asker) -> None:
    asker.names.step()
    assert asker.ask(dns_query("a"))


def test_a_question_may_fill_a_datagram_and_no_more(asker: Asker) -> None:
    assert asker.ask(query_of(512))  # RFC 1035 2.3.4
    assert asker.ask(query_of(513)) is None
