"""The wire over TLS in MicroPython, against OpenSSL: verified, bounded, closed in every case."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.port import run_port

TIMEOUT_MS = 1500

# The scripts count their descriptors in /proc.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc here")


def certificate(folder: Path, name: str, host: str) -> Path:
    """A self-made certificate for `host` and its key: NAME.pem, NAME.key, NAME.der."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    options = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    try:
        subprocess.run([*command.split(), *options, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: no certificate to test with")
    text = (folder / f"{name}.pem").read_text()
    (folder / f"{name}.der").write_bytes(ssl.PEM_cert_to_DER_cert(text))
    return folder


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "good", "broker.example")
    return certificate(folder, "stranger", "broker.example")


class Server:
    """Echoes over TLS; `silent`: accepts and never says anything; `garbage`: no TLS at all;
    `leaves`: closes in the middle of the handshake."""

    def __init__(self, folder: Path, name: str, manner: str = "echo") -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for one in self._kept:
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._kept.append(peer)
            if self._manner == "garbage":
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
            elif self._manner == "leaves":
                peer.recv(100)
                peer.close()
            elif self._manner == "echo":
                try:
                    with self._context.wrap_socket(peer, server_side=True) as secured:
                        while data := secured.recv(5000):
                            secured.sendall(data)
                except OSError:
                    peer.close()


@pytest.fixture
def servers(certificates: Path) -> Iterator[dict[str, Server]]:
    made = {
        "good": Server(certificates, "good"),
        "stranger": Server(certificates, "stranger"),
        **{how: Server(certificates, "good", how) for how in ("silent", "garbage", "leaves")},
    }
    yield made
    for server in made.values():
        server.close()


def walk(certificates: Path, *connections: tuple[Server, str]) -> list[str]:
    arguments = [f"{server.port}={name}" for server, name in connections]
    output = run_port("tls_walk.py", str(certificates / "good.der"), *arguments)
    return output.splitlines()


def test_bytes_go_both_ways_over_a_verified_connection(
    certificates: Path, servers: dict[str, Server]
) -> None:
    lines = walk(certificates, *[(servers["good"], "broker.example")] * 3)
    assert [line.split(maxsplit=1)[1] for line in lines[:-1:2]] == [
        "hello world 3000 None False"
    ] * 3
    assert lines[-1] == "descriptors left 0"


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("stranger", "broker.example"),  # another authority
        ("good", "other.example"),  # another name
        ("garbage", "broker.example"),
        ("leaves", "broker.example"),
    ],
)
def test_what_cannot_be_verified_is_refused_at_once_and_closed(
    certificates: Path, servers: dict[str, Server], server: str, name: str
) -> None:
    lines = walk(certificates, *[(servers[server], name)] * 3)
    for result, took in zip(lines[:-1:2], lines[1:-1:2], strict=True):
        assert " error " in result
        assert result.endswith("False")
        assert int(took.split()[2]) < TIMEOUT_MS
    assert lines[-1] == "descriptors left 0"


def test_a_peer_that_is_silent_in_the_handshake_is_given_up_at_the_deadline(
    certificates: Path, servers: dict[str, Server]
) -> None:
    """Complaint 2, under TLS: the connection is gone and nothing raises."""
    lines = walk(certificates, (servers["silent"], "broker.example"))
    assert lines[0].endswith("error 110 False")
    words = lines[1].split()
    assert TIMEOUT_MS <= int(words[2]) <= TIMEOUT_MS + 300
    assert int(words[-1]) <= 500 + 100
    assert lines[-1] == "descriptors left 0"
