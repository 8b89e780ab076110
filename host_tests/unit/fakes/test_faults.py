"""The fake network does each fault to a socket that it was asked for, and nothing else."""

import struct

import pytest

from fakes.bench import Bench
from fakes.net import Cut, NameFault
from fakes.ntp import NtpServer

PORTS = ("unix", "esp32", "rp2")


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


@pytest.mark.parametrize("skew_s", [0, -3600, 86_400])
def test_a_time_server_tells_its_own_idea_of_the_time(skew_s: int) -> None:
    bench = Bench("esp32")
    server = NtpServer(bench.world, unix_s=1_800_000_000)
    server.serve(bench.net)
    server.skew_s = skew_s
    sock = bench.stack.socket.socket(2, 2)
    sock.settimeout(1)
    question = b"\x1b" + bytes(39) + b"question"
    sock.sendto(question, bench.address("pool.ntp.org", 123))
    answer = sock.recv(48)
    assert answer[0] & 7 == 4
    assert answer[24:32] == b"question"
    seconds = struct.unpack(">I", answer[40:44])[0] - 2_208_988_800
    assert seconds == 1_800_000_000 + skew_s
    sock.sendto(b"no question", bench.address("pool.ntp.org", 123))
    assert bench.error(lambda: sock.recv(48)) == 116
    server.short = True
    sock.sendto(question, bench.address("pool.ntp.org", 123))
    assert len(sock.recv(48)) == 24
