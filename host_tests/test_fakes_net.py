"""The fake network does to a socket what real ones do: every fault, and nothing else."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from fakes.net import Conditions, Connection, Cut, FakeNet, NameFault, Stack
from fakes.world import World

PORTS = ("unix", "esp32", "rp2")


class Echo:
    """A server that keeps what it hears and answers `+` to every segment, or what it is told."""

    def __init__(self, answer: Callable[[Connection, bytes], None] | None = None) -> None:
        self.heard = b""
        self.ends: list[str] = []
        self.connection: Connection | None = None
        self._answer = answer or (lambda connection, data: connection.send(b"+"))

    def accept(self, connection: Connection) -> "Echo":
        self.connection = connection
        return self

    def received(self, data: bytes) -> None:
        self.heard += data
        self._answer(self.connection, data)

    def closed(self, reason: str) -> None:
        self.ends.append(reason)


class Bench:
    """One node, one server, 10 ms each way."""

    def __init__(self, port: str = "unix", answer: Any = None, **conditions: Any) -> None:
        self.world = World()
        self.net = FakeNet(self.world, random.Random(7))
        self.net.conditions = Conditions(**{"latency_ms": 10, **conditions})
        self.server = Echo(answer)
        self.listener = self.net.listen("server", 1883, self.server.accept)
        self.stack: Stack = self.net.node("node", port)
        self.socket = self.stack.socket.socket()

    def address(self, host: str = "server", port: int = 1883) -> Any:
        return self.stack.socket.getaddrinfo(self.net.address(host), port)[0][-1]

    def connect(self, blocking: bool = False) -> Any:
        self.socket.connect(self.address())
        self.socket.setblocking(blocking)
        return self.socket

    def poll(self, mask: int = 5, timeout_ms: int = 1000) -> int:
        poll = self.stack.select.poll()
        poll.register(self.socket, mask)
        found = poll.poll(timeout_ms)
        return found[0][1] if found else 0

    def error(self, action: Callable[[], Any]) -> Any:
        with pytest.raises(OSError) as caught:
            action()
        return caught.value.args[0]


@pytest.mark.parametrize("port", PORTS)
def test_a_connection_takes_one_round_trip_and_an_answer_another(port: str) -> None:
    bench = Bench(port)
    bench.socket.setblocking(False)
    error = bench.error(lambda: bench.socket.connect(bench.address()))
    assert error == {"unix": 115, "esp32": 119, "rp2": 115}[port]
    assert bench.poll(4) == 4
    assert bench.world.now_ms == 20
    assert bench.socket.read(1) is None
    assert bench.socket.write(b"hello") == 5
    assert bench.poll(1) == 1
    assert bench.world.now_ms == 40
    assert bench.socket.read(5) == b"+"
    connection = bench.net.connections[-1]
    assert (connection.segments, connection.bytes_up, connection.bytes_down) == (1, 5, 1)
    assert connection.round_trips == 2


def test_fifty_writes_and_their_answers_in_a_row_are_one_round_trip() -> None:
    bench = Bench()
    sock = bench.connect()
    for _ in range(50):
        sock.write(b"x")
    bench.world.sleep_ms(20)
    assert sock.read(100) == b"+" * 50
    connection = bench.net.connections[-1]
    assert (connection.segments, connection.round_trips) == (50, 2)


def test_a_poll_advances_time_to_its_first_event_or_to_its_time_out() -> None:
    bench = Bench()
    bench.connect()
    assert bench.poll(1, 300) == 0
    assert bench.world.now_ms == 320
    bench.world.after_ms(40, bench.server.connection.send, b"news")
    assert bench.poll(1, 300) == 1
    assert bench.world.now_ms == 370


def test_blocking_reads_gather_all_they_were_asked_for_and_time_out_at_their_limit() -> None:
    bench = Bench(answer=lambda connection, data: None)
    sock = bench.connect(blocking=True)
    for delay_ms, part in ((10, b"ab"), (30, b"cd")):
        bench.world.after_ms(delay_ms, bench.server.connection.send, part)
    assert sock.read(4) == b"abcd"
    sock.settimeout(0.5)
    start_ms = bench.world.now_ms
    assert bench.error(lambda: sock.read(1)) == 110
    assert bench.world.now_ms == start_ms + 500
    buffer = bytearray(4)
    bench.server.connection.send(b"xyz")
    bench.world.sleep_ms(20)
    assert sock.readinto(buffer, 2) == 2
    assert bytes(buffer) == b"xy\0\0"


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("blocking", [False, True])
def test_a_refused_connection_says_so(port: str, blocking: bool) -> None:
    bench = Bench(port, accept="refuse")
    sock = bench.socket
    refused = 104 if port == "rp2" else 111
    if blocking:
        assert bench.error(lambda: sock.connect(bench.address())) == refused
    else:
        sock.setblocking(False)
        bench.error(lambda: sock.connect(bench.address()))
        flags = bench.poll(4)
        assert flags == {"unix": 28, "esp32": 4, "rp2": 20}[port]
        assert bench.error(lambda: sock.write(b"x")) == refused
    assert bench.world.now_ms == 20


def test_a_black_hole_answers_nothing_until_the_port_gives_up() -> None:
    bench = Bench("esp32", accept="black-hole")
    bench.socket.setblocking(False)
    bench.error(lambda: bench.socket.connect(bench.address()))
    assert bench.poll(4, 10_000) == 0
    assert bench.poll(4, 60_000) != 0
    assert bench.world.now_ms == 18_000
    assert bench.error(lambda: bench.socket.write(b"x")) == 113


def test_a_mute_listener_accepts_and_says_nothing() -> None:
    bench = Bench(accept="mute")
    sock = bench.connect()
    assert sock.write(b"hello") == 5
    assert bench.poll(1, 60_000) == 0
    assert bench.server.heard == b""


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("how", ["reset", "close", "silence", "dead"])
def test_the_way_up_can_be_cut_at_any_byte(at: int, how: str) -> None:
    bench = Bench(up=Cut(at, how))
    sock = bench.connect()
    sock.write(b"abc")
    bench.world.sleep_ms(50)
    if at >= 3:
        sock.write(b"def")
        bench.world.sleep_ms(50)
    assert bench.server.heard == b"abcdef"[:at]
    if how in ("silence", "dead"):
        heard_whole = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2}[at]
        if how == "silence":
            assert (sock.read(9) or b"") == b"+" * heard_whole
            assert bench.poll(1, 60_000) == 0
        assert bench.server.ends == []
        bench.world.sleep_ms(1_000_000)
        assert bench.error(lambda: sock.read(9) and sock.read(1)) == 110
    else:
        assert bench.server.ends == [how]
        bench.world.sleep_ms(50)
        if at >= 3:  # the answer to what came whole before the cut
            assert sock.read(1) == b"+"
        if how == "reset":
            assert bench.error(lambda: sock.read(1)) == 104
        else:
            assert sock.read(1) == b""


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("how", ["reset", "close", "silence"])
def test_the_way_down_can_be_cut_at_any_byte(at: int, how: str) -> None:
    bench = Bench(answer=lambda connection, data: connection.send(b"four"), down=Cut(at, how))
    sock = bench.connect()
    sock.write(b"x")
    bench.world.sleep_ms(50)
    assert (sock.read(at) or b"") == b"four"[:at]
    if how == "silence":
        assert sock.read(1) is None
        assert bench.server.ends == []
        sock.write(b"y")
        bench.world.sleep_ms(50)
        assert bench.server.heard == b"xy"
        assert sock.read(1) is None
    else:
        assert bench.server.ends == [how]
        if how == "reset":
            assert bench.error(lambda: sock.read(1)) == 104
        else:
            assert sock.read(1) == b""


def test_a_closed_peer_reads_as_the_end_and_then_breaks_the_pipe() -> None:
    bench = Bench()
    sock = bench.connect()
    bench.server.connection.close()
    assert bench.poll() == 5 - 1
    bench.world.sleep_ms(10)
    assert bench.poll() == 5
    assert sock.read(3) == b""
    assert sock.readinto(bytearray(3)) == 0
    assert sock.write(b"x") == 1
    bench.world.sleep_ms(20)
    assert bench.error(lambda: sock.write(b"x")) == 32
    assert sock.read(1) == b""


@pytest.mark.parametrize("port", PORTS)
def test_a_reset_is_an_error_after_which_only_some_ports_give_what_came_before(port: str) -> None:
    bench = Bench(port)
    sock = bench.connect()
    bench.server.connection.send(b"ab")
    bench.server.connection.reset()
    bench.world.sleep_ms(20)
    if port != "rp2":
        assert sock.read(1) == b"a"
        assert sock.read(1) == b"b"
    assert bench.error(lambda: sock.read(1)) == 104
    if port == "unix":
        assert sock.read(1) == b""
    else:
        assert bench.error(lambda: sock.read(1)) == 104


def test_a_send_window_that_closes_means_would_block_for_a_while() -> None:
    bench = Bench(stalls=((6, 500),))
    sock = bench.connect()
    assert sock.write(b"0123456789") == 6
    assert sock.write(b"6789") is None
    assert bench.error(lambda: sock.send(b"6789")) == 11
    assert bench.poll(4, 2000) == 4
    assert bench.world.now_ms == 520
    assert sock.write(b"6789") == 4
    bench.world.sleep_ms(20)
    assert bench.server.heard == b"0123456789"


def test_a_full_send_buffer_takes_a_part_and_then_nothing_until_it_is_acknowledged() -> None:
    bench = Bench("esp32")
    sock = bench.connect()
    assert sock.write(bytes(6000)) == 5760
    assert sock.write(b"x") is None
    assert bench.poll(4) == 4
    assert bench.world.now_ms == 40
    sock.setblocking(True)
    assert sock.write(bytes(20_000)) == 20_000
    bench.world.sleep_ms(20)
    assert len(bench.server.heard) == 25_760


def test_segments_come_in_pieces_and_writes_go_in_pieces_by_seed() -> None:
    bench = Bench(split=0.7, partial=0.5, jitter_ms=5)
    sock = bench.connect()
    sent = bytes(range(200))
    at = 0
    blocked = 0
    while at < len(sent):
        taken = sock.write(sent[at : at + 20])
        at += taken or 0
        blocked += taken is None
        bench.poll(4)
    bench.world.sleep_ms(100)
    assert bench.server.heard == sent
    assert blocked
    assert bench.net.connections[-1].segments > 10


def test_names_resolve_fail_and_stall_up_to_the_limit_of_the_port() -> None:
    bench = Bench("esp32")
    resolve = bench.stack.socket.getaddrinfo
    assert resolve("server", 1883)[0][-1] == (bench.net.address("server"), 1883)
    assert bench.world.now_ms == 20
    assert bench.error(lambda: resolve("nowhere", 1)) == -202
    bench.net.name_faults["server"] = NameFault(error=-2, stall_ms=3000)
    start_ms = bench.world.now_ms
    assert bench.error(lambda: resolve("server", 1883)) == -202
    assert bench.world.now_ms == start_ms + 3000
    bench.net.name_faults["server"] = NameFault(error=None, stall_ms=10**9)
    start_ms = bench.world.now_ms
    resolve("server", 1883)
    assert bench.world.now_ms == start_ms + bench.stack.port.name_limit_ms
    bench.stack.radio(False)
    assert bench.error(lambda: resolve("server", 1883)) == -202


def test_descriptors_are_counted_and_run_out() -> None:
    bench = Bench("esp32")
    sockets = [bench.stack.socket.socket() for _ in range(15)]
    assert len(bench.stack.open_sockets) == 16
    assert bench.error(bench.stack.socket.socket) == 23
    for sock in sockets:
        sock.close()
        sock.close()
    assert bench.stack.open_sockets == [bench.socket]
    assert bench.error(lambda: sockets[0].read(1)) == 9
    assert bench.stack.most_open == 16


def test_a_radio_that_is_down_looks_like_silence_and_tcp_catches_up_after_it() -> None:
    bench = Bench()
    sock = bench.connect()
    bench.stack.radio(False)
    sock.write(b"abc")
    assert bench.poll(1, 20_000) == 0
    assert bench.server.heard == b""
    bench.stack.radio(True)
    assert bench.poll(1, 60_000) == 1
    assert bench.server.heard == b"abc"
    assert sock.read(1) == b"+"


def test_a_close_without_radio_reaches_the_server_once_the_radio_is_back() -> None:
    bench = Bench()
    sock = bench.connect()
    bench.stack.radio(False)
    sock.write(b"last words")
    sock.close()
    bench.world.sleep_ms(5_000)
    assert bench.server.ends == []
    bench.stack.radio(True)
    bench.world.sleep_ms(10_000)
    assert bench.server.heard == b"last words"
    assert bench.server.ends == ["close"]


def test_a_port_that_notices_the_lost_radio_ends_its_connections() -> None:
    bench = Bench("esp32")
    sock = bench.connect()
    bench.stack.radio(False, drop=True)
    assert bench.error(lambda: sock.read(1)) == 128
    sock.close()
    assert bench.stack.open_sockets == []
    assert bench.server.ends == []


def test_a_node_without_power_tells_nobody_and_its_next_life_resets_what_is_left() -> None:
    bench = Bench()
    bench.connect()
    bench.stack.power_off()
    assert bench.stack.open_sockets == []
    bench.world.sleep_ms(10_000)
    assert bench.server.ends == []
    bench.stack.power_on()
    bench.server.connection.send(b"are you there?")
    bench.world.sleep_ms(100)
    assert bench.server.ends == ["reset"]


@pytest.mark.parametrize("how", ["close", "reset", "dark"])
def test_a_server_that_dies_says_so_or_not(how: str) -> None:
    bench = Bench()
    sock = bench.connect()
    bench.listener.stop(how)
    bench.world.sleep_ms(20)
    if how == "close":
        assert sock.read(1) == b""
    elif how == "reset":
        assert bench.error(lambda: sock.read(1)) == 104
    else:
        sock.write(b"x")
        assert bench.poll(1, 60_000) == 0
    other = bench.stack.socket.socket()
    other.settimeout(5)
    refused = bench.error(lambda: other.connect(bench.address()))
    assert refused == (110 if how == "dark" else 111)
    bench.listener.start()
    if how == "dark":
        assert bench.poll(1, 120_000) != 0
        assert bench.error(lambda: sock.read(1)) == 104
    third = bench.stack.socket.socket()
    third.connect(bench.address())
    third.write(b"hello")
    assert third.read(1) == b"+"


def test_datagrams_are_answered_lost_and_silenced_by_the_radio() -> None:
    bench = Bench("esp32")
    bench.net.listen_udp("time", 123, lambda data, source: data[::-1])
    sock = bench.stack.socket.socket(2, 2)
    sock.settimeout(1)
    address = bench.address("time", 123)
    sock.sendto(b"abc", address)
    assert sock.recv(48) == b"cba"
    bench.stack.radio(False)
    sock.sendto(b"abc", address)
    assert bench.error(lambda: sock.recv(48)) == 116
    bench.stack.radio(True)
    bench.net.datagram_loss = 1.0
    sock.sendto(b"abc", address)
    assert bench.error(lambda: sock.recvfrom(48)) == 116


def test_conditions_are_planned_for_each_connection() -> None:
    bench = Bench()
    bench.net.next_conditions.append(Conditions(accept="refuse"))
    bench.net.plan = lambda stack, listener, number: Conditions(latency_ms=100 * number)
    assert bench.error(lambda: bench.socket.connect(bench.address())) == 111
    start_ms = bench.world.now_ms
    other = bench.stack.socket.socket()
    other.connect(bench.address())
    assert bench.world.now_ms - start_ms == 400


def test_poll_objects_keep_to_the_rules_of_the_port() -> None:
    bench = Bench()
    poll = bench.stack.select.poll()
    assert bench.error(lambda: poll.modify(bench.socket, 1)) == 2
    poll.unregister(bench.socket)
    poll.register(bench.socket, 1)
    assert poll.poll(1) == [(bench.socket, 16)]
    poll.register(bench.socket, 5)
    assert list(poll.ipoll(1)) == [(bench.socket, 20)]
    bench.socket.close()
    assert poll.poll(1) == [(bench.socket, 32)]
    with pytest.raises(TypeError):
        bench.stack.socket.socket().connect(("10.0.0.2", 1883))
