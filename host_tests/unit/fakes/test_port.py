"""The fake sockets of the port "unix" answer as those of the real unix port do, line by line."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from rigs.port import micropython

from fakes.net import Conditions, Connection, FakeNet
from fakes.world import NodeTime, World

# What the server does with each connection in turn: (ms to wait, bytes to send or "close" or
# "reset"); it reads and drops what it gets.
SERVER: list[list[tuple[int, bytes | str]]] = [
    [(200, b"ab"), (200, b"cdef")],
    [(100, b"xy"), (100, "close")],
    [(100, b"xy"), (100, "reset")],
    [(100, b"xy"), (300, b"z")],
    [],
]

# What the client does, on both sides; `address` is the server's, `nobody` refuses.
SCRIPT = r"""
def t(action):
    try:
        print(repr(action()))
    except Exception as error:
        print(repr(error).replace(",)", ")"))
def flags(mask, timeout_ms):
    poller.register(s, mask)
    found = [event for _, event in poller.ipoll(timeout_ms)]
    poller.unregister(s)
    return found
b = bytearray(5)
poller = select.poll()

print("a connection that does not block")
s = socket.socket()
t(lambda: flags(5, 10))
t(lambda: s.read(1))
t(lambda: s.write(b"x"))
s.close()
s = socket.socket()
s.setblocking(False)
t(lambda: s.connect(address))
t(lambda: flags(4, 2000))
t(lambda: s.read(3))
t(lambda: s.readinto(b))
t(lambda: s.recv(3))
t(lambda: flags(1, 20))
t(lambda: s.write(b"hello"))
t(lambda: s.write(bytearray(b"hello"), 2))
t(lambda: s.write(b"hello", 1, 3))
t(lambda: s.write(b""))
t(lambda: flags(1, 2000))
t(lambda: s.readinto(b, 1))
t(lambda: s.read(10))
t(lambda: flags(1, 2000))
t(lambda: (s.readinto(b), bytes(b)))
t(lambda: flags(5, 10))
s.close()
t(lambda: s.read(1))
t(lambda: s.write(b"x"))
t(lambda: s.setblocking(True))
t(lambda: s.close())
t(lambda: flags(1, 10))

print("a peer that closes")
s = socket.socket()
s.connect(address)
t(lambda: s.read(5))
s.setblocking(False)
t(lambda: flags(5, 10))
t(lambda: s.read(5))
t(lambda: s.readinto(b))
t(lambda: s.write(b"x"))
time.sleep_ms(100)
t(lambda: flags(5, 10))
t(lambda: s.write(b"x"))
t(lambda: s.read(1))
s.close()

print("a peer that resets")
s = socket.socket()
s.connect(address)
s.setblocking(False)
time.sleep_ms(300)
t(lambda: flags(5, 10))
t(lambda: s.read(1))
t(lambda: s.read(1))
t(lambda: s.read(1))
t(lambda: s.read(1))
t(lambda: flags(5, 10))
t(lambda: s.write(b"x"))
s.close()

print("a time-out loses what it had")
s = socket.socket()
s.settimeout(0.2)
s.connect(address)
t(lambda: s.read(4))
t(lambda: s.read(1))
t(lambda: s.read(1))
s.close()

print("refused")
s = socket.socket()
t(lambda: s.connect(nobody))
s.close()
s = socket.socket()
s.setblocking(False)
t(lambda: s.connect(nobody))
t(lambda: flags(4, 2000))
t(lambda: s.write(b"x"))
t(lambda: s.write(b"x"))
t(lambda: s.read(1))
t(lambda: flags(1, 10))
s.close()

print("poll")
s = socket.socket()
s.connect(address)
t(lambda: poller.modify(s, 1))
t(lambda: poller.unregister(s))
t(lambda: poller.register(s, 1))
t(lambda: poller.poll(10))
t(lambda: poller.register(s, 4))
t(lambda: [event for _, event in poller.poll(10)])
t(lambda: poller.modify(s, 1))
t(lambda: poller.poll(10))
s.close()
t(lambda: [event for _, event in poller.poll(10)])
"""


class Scripted:
    """The server in the fake network."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scripts = iter(SERVER)

    def accept(self, connection: Connection) -> "Scripted":
        delay_ms = 0
        for pause_ms, action in next(self.scripts):
            delay_ms += pause_ms
            if isinstance(action, bytes):
                self.world.after_ms(delay_ms, connection.send, action)
            else:
                self.world.after_ms(delay_ms, getattr(connection, action))
        return self

    def received(self, data: bytes) -> None:
        pass

    def closed(self, reason: str) -> None:
        pass


def fake_lines() -> list[str]:
    world = World()
    net = FakeNet(world)
    net.conditions = Conditions(latency_ms=0.05)
    net.listen("server", 1883, Scripted(world).accept)
    stack = net.node("node", "unix")
    resolve = stack.socket.getaddrinfo
    lines: list[str] = []
    names = {
        "socket": stack.socket,
        "select": stack.select,
        "time": NodeTime(world),
        "address": resolve("server", 1883)[0][-1],
        "nobody": resolve("server", 9)[0][-1],
        "print": lines.append,
    }
    exec(SCRIPT, names)
    return lines


def serve(listener: socket.socket) -> None:
    def one(connection: socket.socket, script: list[tuple[int, bytes | str]]) -> None:
        threading.Thread(target=drain, args=(connection,), daemon=True).start()
        for pause_ms, action in script:
            time.sleep(pause_ms / 1000)
            try:
                if isinstance(action, bytes):
                    connection.sendall(action)
                elif action == "close":
                    connection.shutdown(socket.SHUT_RD)
                    connection.close()
                else:
                    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    connection.shutdown(socket.SHUT_RD)
                    connection.close()
            except OSError:
                return

    def drain(connection: socket.socket) -> None:
        try:
            while connection.recv(100):
                pass
        except OSError:
            pass

    kept = []
    for script in SERVER:
        connection = listener.accept()[0]
        kept.append(connection)
        threading.Thread(target=one, args=(connection, script), daemon=True).start()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def test_sockets_and_poll_answer_as_those_of_the_unix_port(port: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        closed_port = closed.getsockname()[1]
    head = (
        "import socket, select, time\n"
        f"address = socket.getaddrinfo('127.0.0.1', {port})[0][-1]\n"
        f"nobody = socket.getaddrinfo('127.0.0.1', {closed_port})[0][-1]\n"
    )
    real = subprocess.run(
        [micropython(), "-c", head + SCRIPT],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.splitlines()
    assert fake_lines() == real
