"""What a `Watch` sees of a handshake that passes through it: records as mbedTLS reads them."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import pytest

from firmware.net import tls_alert
from firmware.net.tls_alert import Watch

POLLIN, GET_STATE, CLOSE = 1, 3, 4
SERVER_HELLO = (b"\x16\x03\x03\x00\x02", b"\x02\x00")
CERTIFICATE_REQUEST = (b"\x16\x03\x03\x00\x02", b"\x0d\x00")
UNKNOWN_CA: tuple[bytes, ...] = (b"\x15\x03\x03\x00\x02", b"\x02\x30")
HANDSHAKE_FAILURE = (b"\x15\x03\x03\x00\x02", b"\x02\x28")


class Raw:
    """A TCP socket that gives what it was given, one piece a read."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []
        self.blocking = True

    def readinto(self, buffer: bytearray) -> int | None:
        if not self.pieces:
            return None
        piece = self.pieces.pop(0)
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int) -> bytes | None:
        whole = b"".join(self.pieces)
        self.pieces = []
        return whole[:size] or None

    def write(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def setblocking(self, flag: bool) -> None:
        self.blocking = flag


class Poll:
    """MicroPython's: readable is what has pieces left. Notes how long it is waited for."""

    def __init__(self) -> None:
        self.waits_ms: list[int] = []

    def register(self, raw: Raw, mask: int) -> None:
        self.raw, self.mask = raw, mask

    def ipoll(self, timeout_ms: int) -> list[tuple[Raw, int]]:
        self.waits_ms.append(timeout_ms)
        return [(self.raw, self.mask & POLLIN)] if self.raw.pieces else []


@pytest.fixture
def poll(monkeypatch: pytest.MonkeyPatch) -> Poll:
    made = Poll()
    monkeypatch.setattr(tls_alert, "select", SimpleNamespace(poll=lambda: made))
    return made


def _read_all(watch: Watch, raw: Raw) -> None:
    buffer = bytearray(100)
    while raw.pieces:
        watch.readinto(buffer)


def test_an_alert_is_seen_by_its_number(poll: Poll) -> None:
    raw = Raw(*SERVER_HELLO, *HANDSHAKE_FAILURE)
    watch = Watch(raw)
    _read_all(watch, raw)
    assert (watch.alert, watch.wants_certificate) == (40, False)


def test_that_a_certificate_is_wanted_is_seen(poll: Poll) -> None:
    raw = Raw(*SERVER_HELLO, *CERTIFICATE_REQUEST)
    watch = Watch(raw)
    _read_all(watch, raw)
    assert (watch.alert, watch.wants_certificate) == (None, True)


@pytest.mark.parametrize("body", [b"\x0d" + bytes(4), b"\x02\x30", b"\x0d\x00"])
def test_what_is_no_alert_and_no_request_is_neither(poll: Poll, body: bytes) -> None:
    """Data of an application may look like either."""
    raw = Raw(*SERVER_HELLO, b"\x17\x03\x03\x00\x02", body)
    watch = Watch(raw)
    _read_all(watch, raw)
    assert (watch.alert, watch.wants_certificate) == (None, False)


def test_what_follows_our_certificate_waits_for_what_the_broker_says_of_it(poll: Poll) -> None:
    raw = Raw(*SERVER_HELLO)
    watch = Watch(raw)
    watch.write(b"hello")
    assert poll.waits_ms == []
    _read_all(watch, raw)
    watch.write(b"certificate")
    assert poll.waits_ms == [], "nobody can have judged it yet"
    watch.write(b"finished")
    assert poll.waits_ms == [300]
    assert raw.sent == [b"hello", b"certificate", b"finished"]
    raw.pieces = list(UNKNOWN_CA)
    with pytest.raises(OSError) as ended:
        watch.write(b"readings")
    assert ended.value.args == (32,)
    assert (watch.alert, raw.sent[-1]) == (48, b"finished"), "more would destroy the alert"


def test_after_the_brokers_last_answer_nothing_waits(poll: Poll) -> None:
    raw = Raw(*SERVER_HELLO)
    watch = Watch(raw)
    _read_all(watch, raw)
    watch.write(b"certificate")
    raw.pieces = [b"\x14\x03\x03\x00\x01"]
    _read_all(watch, raw)
    watch.write(b"readings")
    assert poll.waits_ms == []


def test_the_state_of_the_socket_is_known_and_nothing_else(poll: Poll) -> None:
    raw = Raw(b"x")
    watch = Watch(raw)
    assert watch.ioctl(GET_STATE, POLLIN) == POLLIN
    assert watch.ioctl(CLOSE, 0) == 0, "whoever made it closes it"
    raw.pieces = []
    assert watch.ioctl(GET_STATE, POLLIN) == 0
    assert set(poll.waits_ms) == {0}, "nobody waits to be told a state"
    watch.setblocking(False)
    assert not raw.blocking


def test_each_alert_has_the_name_that_openssl_has_for_it() -> None:
    """By OpenSSL's words an alert's number is found, so they have to be the same."""
    names = {
        number.value: number.name[len("ALERT_DESCRIPTION_") :].lower().replace("_", " ")
        for number in ssl.AlertDescription
    }
    known = {number: name for number, name in tls_alert._NAMES.items() if number in names}
    assert known == {number: names[number] for number in known}
    # RFC 8446 section 6 and, of TLS 1.2 and before, RFC 5246: Python has no word for these.
    assert {number: tls_alert._NAMES[number] for number in set(tls_alert._NAMES) - set(known)} == {
        41: "no certificate",
        86: "inappropriate fallback",
        109: "missing extension",
        116: "certificate required",
        120: "no application protocol",
    }
