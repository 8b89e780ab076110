"""The fake network carries bytes as real ones do: late, in pieces, through buffers that fill."""

import pytest

from fakes.bench import Bench
from fakes.net import Conditions

PORTS = ("unix", "esp32", "rp2")


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
