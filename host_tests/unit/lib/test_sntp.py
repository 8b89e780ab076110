"""Asking the time never hangs, never believes a wrong answer, and leaves no socket open."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import port_modules
import pytest
from rigs.port import run_port
from sntp import Sntp

UNIX_S = 1_795_368_917
EPOCH_S = 2_208_988_800  # from 1900 to 1970
Answer = Callable[[bytes], "bytes | None"]


def reply(question: bytes, unix_s: float = UNIX_S, **changes: Any) -> bytes:
    """A server's answer (RFC 4330, section 4), with changes by field."""
    stamp = struct.pack("!Q", round((unix_s + EPOCH_S) * (1 << 32)) % (1 << 64))
    fields = {"leap": 0, "version": 4, "mode": 4, "stratum": 2, "code": b"GPS\0"}
    fields |= {"mark": question[40:48], "received": stamp, "sent": stamp, **changes}
    head = bytes([fields["leap"] << 6 | fields["version"] << 3 | fields["mode"]])
    head += bytes([fields["stratum"], 6, 0xEC]) + bytes(8) + fields["code"] + bytes(8)
    return head + fields["mark"] + fields["received"] + fields["sent"]


@contextmanager
def server(*answers: Answer) -> Iterator[int]:
    """Port of a responder on the loopback; each question gets the result of every answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)

        def serve() -> None:
            try:
                while True:
                    question, source = sock.recvfrom(512)
                    if question == b"stop":
                        return
                    for answer in answers:
                        data = answer(question)
                        if data is not None:
                            sock.sendto(data, source)
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        port = sock.getsockname()[1]
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(b"stop", ("127.0.0.1", port))
            thread.join()


class CountedSockets(port_modules.SocketModule):
    """The genuine module; knows which sockets were made."""

    made: list[socket.socket]

    def __init__(self) -> None:
        self.made = []

    def socket(self, *arguments: int) -> socket.socket:  # type: ignore[override]
        self.made.append(port_modules.Socket(*arguments))
        return self.made[-1]


class Bench:
    def __init__(self, timeout_ms: int = 300) -> None:
        self.sockets = CountedSockets()
        self.time = port_modules.TimeModule()
        self.sntp = Sntp(self.sockets, port_modules.SelectModule, self.time, timeout_ms)

    def ask(self, port: int) -> int:
        try:
            self.sntp.start("127.0.0.1", port)
            while (unix_s := self.sntp.poll()) is None:
                self.time.sleep_ms(1)
            return unix_s
        finally:
            assert self.sockets.made
            assert all(sock.fileno() == -1 for sock in self.sockets.made), "a socket stayed open"


def test_the_time_is_what_the_server_says() -> None:
    bench = Bench()
    with server(reply) as port:
        assert bench.ask(port) == UNIX_S
        assert bench.ask(port) == UNIX_S
    assert len(bench.sockets.made) == 2


def test_the_question_is_a_clients_and_different_each_time() -> None:
    questions = []
    bench = Bench()
    with server(lambda question: questions.append(question) or reply(question)) as port:
        bench.ask(port)
        bench.ask(port)
    assert [len(question) for question in questions] == [48, 48]
    assert {question[0] for question in questions} == {0x23}
    assert questions[0][40:48] != questions[1][40:48]
    assert questions[0][1:40] == bytes(39)


@pytest.mark.parametrize(
    ("unix_s", "expected"),
    [
        (UNIX_S + 0.2, UNIX_S),
        (UNIX_S + 0.7, UNIX_S + 1),
        (2_085_978_495, 2_085_978_495),  # the last second of the era, 7 February 2036
        (2_085_978_496.25, 2_085_978_496),  # the first of the next
        (2_085_978_497, 2_085_978_497),
        (3_000_000_000, 3_000_000_000),
    ],
)
def test_the_time_is_rounded_and_outlives_2036(unix_s: float, expected: int) -> None:
    with server(lambda question: reply(question, unix_s)) as port:
        assert Bench().ask(port) == expected


class SlowPath:
    """A socket whose answer takes `delay_ms`, on a clock of its own."""

    AF_INET, SOCK_DGRAM = 2, 2

    def __init__(self, time: Any, delay_ms: int, held_s: float) -> None:
        self.time, self.delay_ms, self.held_s = time, delay_ms, held_s

    def getaddrinfo(self, host: str, port: int, *_: int) -> list[Any]:
        return [(2, 2, 0, "", (host, port))]

    def socket(self, *_: int) -> SlowPath:
        return self

    def setblocking(self, _: bool) -> None: ...
    def close(self) -> None: ...
    def register(self, *_: Any) -> None: ...

    def sendto(self, question: bytes, _: Any) -> None:
        self.question, self.sent_at = bytes(question), self.time.ticks_ms()

    def poll(self, timeout_ms: int | None = None) -> Any:
        if timeout_ms is None:
            return self
        return self.time.ticks_diff(self.time.ticks_ms(), self.sent_at) >= self.delay_ms

    def recvfrom(self, _: int) -> tuple[bytes, None]:
        early = struct.pack("!Q", round((UNIX_S - self.held_s + EPOCH_S) * (1 << 32)))
        return reply(self.question, received=early), None


@pytest.mark.parametrize(
    ("delay_ms", "held_s", "later_s", "round_trip_ms"),
    [
        (0, 0, 0, 0),
        (900, 0, 0, 900),
        (1100, 0, 1, 1100),
        (3000, 0, 2, 3000),
        (3000, 2.5, 0, 500),
        (2000, 2, 0, 0),  # All of the time was the server's.
        (500, 7, 0, 500),  # A server that says it kept the question longer than we waited.
    ],
)
def test_half_the_way_there_and_back_is_added(
    delay_ms: int, held_s: float, later_s: int, round_trip_ms: int
) -> None:
    from fakes.clock import TICKS_PERIOD, FakeTime

    time = FakeTime(start_ticks_ms=TICKS_PERIOD - 100)
    path = SlowPath(time, delay_ms, held_s)
    sntp = Sntp(path, path, time)
    sntp.start("ntp")
    while (unix_s := sntp.poll()) is None:
        time.sleep_ms(10)
    assert unix_s == UNIX_S + later_s
    assert sntp.round_trip_ms == round_trip_ms


def test_nothing_is_waited_for_at_its_socket() -> None:
    bench = Bench()
    with server(lambda _: None) as port:
        bench.sntp.start("127.0.0.1", port)
        assert not bench.sockets.made[0].getblocking()
        assert bench.sntp.poll() is None
        bench.sntp.close()


def test_silence_ends_at_the_deadline() -> None:
    bench = Bench(timeout_ms=150)
    begun = bench.time.ticks_ms()
    with server(lambda _: None) as port, pytest.raises(OSError) as caught:
        bench.ask(port)
    assert caught.value.args[0] == 110
    assert 150 <= bench.time.ticks_diff(bench.time.ticks_ms(), begun) < 1000
    with pytest.raises(OSError):
        bench.sntp.poll()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stratum": 0, "code": b"RATE"}, "refuses: RATE"),
        ({"stratum": 0, "code": b"\0\0\0\0"}, "refuses: no reason given"),
        ({"stratum": 16}, "not synchronised"),
        ({"leap": 3}, "not synchronised"),
        ({"sent": bytes(8)}, "not synchronised"),
    ],
)
def test_a_server_that_cannot_tell_is_named_at_once(changes: dict[str, Any], said: str) -> None:
    with (
        server(lambda question: reply(question, **changes)) as port,
        pytest.raises(OSError, match=said),
    ):
        Bench(timeout_ms=5000).ask(port)


@pytest.mark.parametrize("seed", range(12))
def test_what_does_not_answer_the_question_is_passed_over(seed: int) -> None:
    rng = random.Random(seed)
    strange: list[Answer] = [
        lambda question: reply(question, 1_000, mark=rng.randbytes(8)),
        lambda question: reply(question, 1_000, mode=rng.choice([0, 1, 2, 3, 5, 6, 7])),
        lambda question: reply(question, 1_000)[: rng.randrange(48)],
        lambda _: rng.randbytes(rng.randrange(1, 400)),
        lambda _: rng.randbytes(48),
        lambda question: question,
        lambda question: reply(question, 1_000, mark=b"\0" * 8, stratum=0, code=b"DENY"),
    ]
    answers = [rng.choice(strange) for _ in range(rng.randrange(1, 20))]
    with server(*answers, reply) as port:
        assert Bench(timeout_ms=3000).ask(port) == UNIX_S


@pytest.mark.parametrize("seed", range(5))
def test_a_flood_of_strange_answers_holds_the_node_no_longer_than_one_step(seed: int) -> None:
    rng = random.Random(seed)
    with server(*[lambda _: rng.randbytes(48)] * 60) as port:
        bench = Bench(timeout_ms=10_000)
        bench.sntp.start("127.0.0.1", port)
        bench.time.sleep_ms(100)
        begun = bench.time.ticks_ms()
        assert bench.sntp.poll() is None
        assert bench.time.ticks_diff(bench.time.ticks_ms(), begun) < 100
        assert bench.sntp._poll.poll(0), "all sixty datagrams were read in one step"
        bench.sntp.close()


def test_a_name_that_is_not_found_leaves_nothing_open() -> None:
    bench = Bench()
    with pytest.raises(OSError):
        bench.sntp.start("no-such-host.invalid")
    assert bench.sockets.made == []


def test_a_question_that_cannot_be_sent_leaves_nothing_open() -> None:
    bench = Bench()
    with pytest.raises(OSError):
        bench.ask(0)
    assert bench.sntp._sock is None


def test_a_new_question_gives_up_the_old_one() -> None:
    bench = Bench()
    with server(lambda _: None) as silent, server(reply) as port:
        bench.sntp.start("127.0.0.1", silent)
        assert bench.ask(port) == UNIX_S


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply, f"unix_s {UNIX_S}"),
        (lambda question: reply(question, 2_085_978_496.25), "unix_s 2085978496"),
        (lambda question: reply(question, stratum=0, code=b"RATE"), "refuses: RATE"),
        (lambda question: reply(question)[:47], "110"),
        (lambda _: None, "110"),
    ],
)
def test_micropython_asks_and_judges_the_same(answer: Answer, expected: str) -> None:
    with server(answer) as port:
        lines = run_port("sntp_walk.py", str(port)).splitlines()
    assert expected in lines[0]
    assert int(lines[1].split()[1]) < 3000
