"""The desktop's board is the same under MicroPython and CPython, down to its sockets."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from port_modules import SelectModule, Socket, SocketModule, TimeModule
from rigs.port import SCRIPTS, micropython, port_environment

from fieldpost.paths import ROOT
from firmware.board import Board

CPYTHON_PATH = [ROOT, ROOT / "lib", ROOT / "tools" / "fieldpost" / "cpython"]
POLLIN, POLLOUT = 1, 4


@pytest.fixture(params=["micropython", "cpython"])
def run(request: pytest.FixtureRequest):
    def run_board(ending: str, **environment: str) -> tuple[int, str]:
        if request.param == "micropython":
            command, variables = [micropython()], port_environment()
        else:
            command = [sys.executable]
            path = os.pathsep.join(str(folder) for folder in CPYTHON_PATH)
            variables = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            [*command, str(SCRIPTS / "board_walk.py"), ending],
            env={**variables, **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    return run_board


def test_an_ordinary_desktop(run) -> None:
    status, text = run("nothing")
    assert status == 0
    assert "family unix\n" in text
    assert "cause power-on\n" in text
    assert "set True True\n" in text
    assert "unix_s 1795368917 (2026, 11, 22, 17, 35) True\n" in text
    assert "supply None" in text
    assert "radio off \nradio up 127.0.0.1\n" in text
    assert "random 20\n" in text
    assert "LED" not in text


def test_what_the_environment_chooses(run) -> None:
    _, text = run(
        "nothing",
        FIELDPOST_UNIX_RESET_CAUSE="deep-sleep",
        FIELDPOST_UNIX_CLOCK="unset",
        FIELDPOST_UNIX_UID="c0ffee",
        FIELDPOST_UNIX_SUPPLY_MV="3711",
        FIELDPOST_UNIX_TEMPERATURE_C="21.5",
        FIELDPOST_UNIX_LED="1",
    )
    assert "cause deep-sleep\n" in text
    assert "set False False\n" in text
    assert "unix_s 1795368917 (2026, 11, 22, 17, 35) True\n" in text
    assert "uid c0ffee\n" in text
    assert "supply 3711 die 21.5\n" in text
    assert "LED on\n" in text


@pytest.mark.parametrize(
    ("ending", "expected"), [("restart", 3), ("deep-sleep", 4), ("watchdog", 5)]
)
def test_how_it_ended_is_the_exit_status(run, ending: str, expected: int) -> None:
    status, text = run(ending)
    assert status == expected
    assert ("watchdog: not fed for more than 30 ms" in text) == (ending == "watchdog")


def connected() -> tuple[Socket, socket.socket]:
    """One of the adapter's sockets, non-blocking, and its plain peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = Socket()
        sock.connect(listener.getsockname())
        peer, _ = listener.accept()
    sock.setblocking(False)
    return sock, peer


def test_would_block_is_none_and_the_end_is_empty() -> None:
    sock, peer = connected()
    with sock, peer:
        buffer = bytearray(4)
        assert sock.read(4) is None
        assert sock.readinto(buffer) is None
        peer.sendall(b"abcdef")
        poll = SelectModule.poll()
        poll.register(sock, POLLIN)
        assert poll.poll(2000) == [(sock, POLLIN)]
        assert sock.readinto(buffer) == 4
        assert bytes(buffer) == b"abcd"
        assert sock.read(4) == b"ef"
        peer.close()
        assert poll.poll(2000)
        assert sock.read(4) == b""
        assert sock.readinto(buffer) == 0


def test_write_takes_the_limits_that_micropython_takes() -> None:
    sock, peer = connected()
    with sock, peer:
        assert sock.write(b"abcdef") == 6
        assert sock.write(bytearray(b"ghijkl"), 2) == 2
        assert sock.write(memoryview(b"mnopqr"), 1, 3) == 3
        assert peer.recv(64) == b"abcdefghnop"


def test_a_full_buffer_is_none_too() -> None:
    sock, peer = connected()
    with sock, peer:
        block = bytes(1 << 20)
        for _ in range(100):
            if sock.write(block) is None:
                break
        else:
            pytest.fail("a hundred megabytes went into a socket that nobody reads")
        poll = SelectModule.poll()
        poll.register(sock, POLLIN)
        poll.modify(sock, POLLOUT)
        assert poll.poll(20) == []
        poll.unregister(sock)
        assert list(poll.ipoll(0)) == []


def test_errors_have_linux_numbers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with SocketModule.socket() as sock, pytest.raises(OSError) as caught:
        sock.connect(address)
    assert caught.value.errno == 111
    with SocketModule.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(OSError) as caught:
            sock.connect(address)
        assert caught.value.errno in (111, 115)
    with pytest.raises(OSError) as caught:
        SocketModule.getaddrinfo("no-such-host.invalid", 1883)
    assert caught.value.errno == -2


def test_a_closed_socket_in_a_poll_is_reported_not_waited_for() -> None:
    sock, peer = connected()
    poll = SelectModule.poll()
    poll.register(sock, POLLIN)
    sock.close()
    peer.close()
    assert poll.poll(5000) == [(sock, 32)]


def test_ticks_wrap_as_on_a_board() -> None:
    assert 0 <= TimeModule.ticks_ms() < 1 << 30
    late = TimeModule.ticks_add(0, -5)
    assert late == (1 << 30) - 5
    assert TimeModule.ticks_diff(TimeModule.ticks_add(late, 10), late) == 10
    assert len(TimeModule.gmtime(0)) == 8


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for `localhost`."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    options = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    try:
        subprocess.run([*command.split(), *options, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: no certificate to test with")
    return folder


def exchange(sock, poll, message: bytes, size: int) -> bytes:
    """Writes, then reads `size` bytes, waiting with poll alone: as the wire does."""
    deadline = TimeModule.ticks_add(TimeModule.ticks_ms(), 10_000)
    received = b""
    while len(received) < size:
        assert TimeModule.ticks_diff(deadline, TimeModule.ticks_ms()) > 0, "it hangs"
        if message:
            message = message[sock.write(message) or 0 :]
            poll.modify(sock, POLLIN | POLLOUT if message else POLLIN)
        else:
            data = sock.read(size - len(received))
            assert data != b""
            received += data or b""
            if data is not None:
                continue
        poll.poll(500)
    return received


@pytest.mark.parametrize("name", ["localhost", "other"])
def test_tls_is_verified_and_never_blocks(certificate: Path, name: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    sock, peer = connected()

    def serve() -> None:
        try:
            with context.wrap_socket(peer, server_side=True) as server:
                server.sendall(server.recv(64) * 2000)
                server.recv(64)
        except OSError:
            peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    der = ssl.PEM_cert_to_DER_cert((certificate / "cert.pem").read_text())
    secured = (
        Board()
        .tls_context(der)
        .wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    )
    poll = SelectModule.poll()
    poll.register(secured, POLLIN)
    with secured:
        if name == "localhost":
            assert exchange(secured, poll, b"ping", 8000) == b"ping" * 2000
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                exchange(secured, poll, b"ping", 8000)
    thread.join(5)
    assert not thread.is_alive()
