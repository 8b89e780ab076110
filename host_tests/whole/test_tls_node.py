"""A node and a real Mosquitto over TLS: what is let through, what is refused, why, in words."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rigs.command_line import fieldpost
from rigs.tls import HOST, INTERPRETERS, Node, Peer, TlsBroker, readings, wait_until

from fieldpost.certs.authority import Authority
from fieldpost.node_process import Interpreter


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.create("Test CA")
    made.issue_server([HOST, "127.0.0.1"])
    for name in ("kitchen", "cellar"):
        made.issue_node(name)
    for name in ("alice", "operator"):
        made.issue_person(name)
    return made


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, with a node of the same name."""
    made = Authority(tmp_path_factory.mktemp("other"))
    made.create("Other CA")
    made.issue_node("kitchen")
    return made


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    with TlsBroker(authority, tmp_path_factory.mktemp("broker")) as running:
        yield running


def _subscribe(client: paho.Client, *_: Any) -> None:
    client.subscribe("fieldpost/#", 1)


@pytest.fixture
def arrived(authority: Authority, broker: TlsBroker) -> Iterator[list[paho.MQTTMessage]]:
    """What alice reads of all nodes, while the test runs."""
    messages: list[paho.MQTTMessage] = []
    ready = threading.Event()
    own = authority.folder / "people" / "alice"
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.tls_set(str(own / "ca.crt"), str(own / "client.crt"), str(own / "client.key"))
    client.on_message = lambda _client, _data, message: messages.append(message)
    client.on_connect = _subscribe
    client.on_subscribe = lambda *_: ready.set()
    client.connect(HOST, broker.port)
    client.loop_start()
    assert ready.wait(10)
    yield messages
    client.disconnect()
    client.loop_stop()


@pytest.fixture(params=INTERPRETERS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return request.param


def files(authority: Authority, node: str = "kitchen") -> Path:
    return authority.folder / "nodes" / node


def health_of(arrived: list[paho.MQTTMessage]) -> list[bytes]:
    """The health reports of the node that runs; what the broker kept is of another test's."""
    return [
        bytes(m.payload) for m in arrived if m.topic == "fieldpost/kitchen/health" and not m.retain
    ]


# Let through -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_the_right_authority_lets_readings_through(
    tmp_path: Path,
    authority: Authority,
    broker: TlsBroker,
    arrived: list[paho.MQTTMessage],
    interpreter: Interpreter,
    host: str,
) -> None:
    tls = {"server_name": host}
    with Node(tmp_path, broker.port, files(authority), interpreter=interpreter, tls=tls) as node:
        node.says("link: up")
        found = []

        def enough() -> bool:
            found[:] = [m for m in arrived if m.topic == "fieldpost/kitchen/telemetry"]
            return len(found) >= 2

        assert wait_until(enough)
        assert readings([bytes(m.payload) for m in found])[:2] == [0, 1]
        assert wait_until(lambda: health_of(arrived))
        assert b'"tls"' not in health_of(arrived)[0]
        assert node.count("TLS:") == 0


@pytest.mark.slow
def test_a_node_obeys_the_pace_that_is_asked_of_its_fleet(
    tmp_path: Path, authority: Authority, broker: TlsBroker, arrived: list[paho.MQTTMessage]
) -> None:
    """By the rights that `fieldpost certs mosquitto` gives it."""
    own = authority.folder / "people" / "operator"

    def pace(*words: str) -> None:
        at = ("--broker", f"mqtts://{HOST}:{broker.port}", "--ca", f"{own}/ca.crt")
        files = ("--cert", f"{own}/client.crt", "--key", f"{own}/client.key")
        assert fieldpost("pace", *words, *at, *files).status == 0

    def times() -> list[float]:
        """When each reading came that was not the first to do so."""
        return [m.timestamp for m in arrived if m.topic == "fieldpost/kitchen/telemetry"][1:]

    with Node(tmp_path, broker.port, files(authority), pace=True) as node:
        node.says("link: up")
        pace("3", "--for", "60")
        node.says("pace: 3 times as slow")
        before = len(times())
        assert wait_until(lambda: len(times()) >= before + 6)
        # A reading a second, of which three come at once.
        together = [after - at < 0.5 for at, after in pairwise(times()[before:])]
        assert together.count(True) >= 3, together
        pace("--clear")
        node.says("pace: 1 times as slow")


def test_pem_files_are_as_good_as_der(
    tmp_path: Path, authority: Authority, broker: TlsBroker, interpreter: Interpreter
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    pem, own = tmp_path / "pem", files(authority)
    pem.mkdir()
    encoding = serialization.Encoding.PEM
    for name in ("ca", "cert"):
        one = x509.load_der_x509_certificate((own / f"{name}.der").read_bytes())
        # Two authorities in one file: any of them may have signed.
        text = one.public_bytes(encoding) * (2 if name == "ca" else 1)
        (pem / f"{name}.der").write_bytes(b"A comment, as openssl writes it\n" + text)
    key = serialization.load_der_private_key((own / "key.der").read_bytes(), None)
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    text = key.private_bytes(encoding, traditional, serialization.NoEncryption())
    (pem / "key.der").write_bytes(text)
    with Node(tmp_path / "node", broker.port, pem, interpreter=interpreter) as node:
        node.says("link: up")


# Refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("wrong authority", "the broker's certificate is not signed by the authority in"),
        ("wrong name", 'the broker\'s certificate is not for "broker.example"'),
        ("wrong address", 'the broker\'s certificate is not for "127.0.0.9"'),
        ("no client certificate", "wants a client certificate"),
        ("a stranger's certificate", "the broker refuses our certificate"),
    ],
)
def test_a_refusal_is_told_in_words(
    tmp_path: Path,
    authority: Authority,
    stranger: Authority,
    broker: TlsBroker,
    interpreter: Interpreter,
    case: str,
    expected: str,
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for file in files(authority).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tls: dict[str, object] = {}
    if case == "wrong authority":
        (folder / "ca.der").write_bytes((files(stranger) / "ca.der").read_bytes())
    elif case == "wrong name":
        tls = {"server_name": "broker.example"}
    elif case == "wrong address":
        tls = {"server_name": "127.0.0.9"}
    elif case == "no client certificate":
        tls = {"cert_file": None, "key_file": None}
    else:
        for name in ("cert.der", "key.der"):
            (folder / name).write_bytes((files(stranger) / name).read_bytes())
    with Node(tmp_path / "node", broker.port, folder, interpreter=interpreter, tls=tls) as node:
        line = node.says("link: ")
        # What a broker that closes leaves to be seen is a matter of timing.
        closed = "the broker closed the connection in the TLS handshake" in line
        asking = "the broker ended the TLS handshake: asking once more why" in line
        assert expected in line or ((closed or asking) and "certificate" in case), line
        if case in ("no client certificate", "a stranger's certificate"):
            node.says(expected, 30)
        assert node.count("link: up") == 0


def test_an_expired_certificate_of_the_broker_is_refused(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    authority = Authority(tmp_path / "certs")
    authority.create("Test CA")
    authority.issue_server([HOST], days=-2)
    authority.issue_node("kitchen")
    with (
        TlsBroker(authority, tmp_path) as broker,
        Node(tmp_path / "node", broker.port, files(authority), interpreter=interpreter) as node,
    ):
        assert "the broker's certificate has expired" in node.says("link: ")


def test_a_node_with_anothers_certificate_says_so_and_its_readings_are_dropped(
    tmp_path: Path,
    authority: Authority,
    broker: TlsBroker,
    arrived: list[paho.MQTTMessage],
) -> None:
    """Mosquitto acknowledges to an MQTT 3.1.1 client what its ACL denies: the node can't see it.
    It can see whose certificate it has."""
    with Node(tmp_path, broker.port, files(authority, "cellar")) as node:
        line = node.says("TLS: ")
        assert 'certificate of "cellar", not of this node' in line
        node.says("link: up")
        assert wait_until(lambda: "fieldpost/kitchen/telemetry" in broker.log())
        node.says("delivered ")
    assert not [m for m in arrived if m.topic == "fieldpost/kitchen/telemetry"]
    denied = [line for line in broker.log().splitlines() if "Denied PUBLISH from cellar" in line]
    assert any("fieldpost/kitchen/telemetry" in line for line in denied)


@pytest.mark.parametrize("own", [True, False], ids=["with a certificate", "without"])
def test_a_broker_of_another_version_is_told_by_its_own_alert(
    tmp_path: Path, authority: Authority, own: bool
) -> None:
    """It has nothing to do with certificates. CPython speaks 1.3 and never meets it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    server = authority.folder / "broker"
    context.load_cert_chain(server / "server.crt", server / "server.key")

    def treat(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            """The handshake fails."""

    tls = {} if own else {"cert_file": None, "key_file": None}
    ntp = {"host": None}
    with (
        Peer(treat) as peer,
        Node(tmp_path, peer.port, files(authority), tls=tls, ntp=ntp) as node,
    ):
        node.says("link: the broker ends the TLS handshake: protocol version")
        assert node.count("client certificate") == 0
        assert len(peer.taken) == 2, "the second at once, to ask why"


@pytest.mark.parametrize(
    ("tls", "named"),
    [
        ({"insecure_skip_verify": True}, None),
        ({"insecure_skip_verify": True, "server_name": "broker.lan"}, "broker.lan"),
        # MicroPython checks what it has sent, and only that.
        ({}, "127.0.0.1"),
    ],
)
def test_an_address_is_sent_as_a_name_only_where_it_has_to_be_checked(
    tmp_path: Path, authority: Authority, tls: dict[str, Any], named: str | None
) -> None:
    """RFC 6066 section 3: "Literal IPv4 and IPv6 addresses are not permitted in HostName"."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = authority.folder / "broker"
    context.load_cert_chain(server / "server.crt", server / "server.key")
    seen: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: seen.append(name)

    def treat(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(100)

    with Peer(treat) as peer:
        own: dict[str, Any] = {"ca_file": "certs/ca.der", **tls}
        mqtt = {"host": "127.0.0.1", "port": peer.port, "timeout_s": 2, "tls": own}
        with Node(tmp_path, peer.port, files(authority), mqtt=mqtt, ntp={"host": None}):
            assert wait_until(lambda: seen)
    assert seen[0] == named


# Not TLS, not there, not in time ---------------------------------------------------------------


def answer_plainly(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def reset(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close_in_a_record(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"\x16\x03\x03\x00\x7a\x02\x00")
    connection.close()


@pytest.mark.parametrize(
    ("treat", "expected"),
    [
        (lambda connection: None, "broker does not answer"),
        (reset, "the broker closed the connection in the TLS handshake"),
        (close_in_a_record, "the broker closed the connection in the TLS handshake"),
        (answer_plainly, "what listens there does not speak TLS"),
    ],
    ids=["silent", "reset", "closed in a record", "plain"],
)
def test_a_handshake_that_fails_ends_in_time_and_leaves_no_socket(
    tmp_path: Path, authority: Authority, interpreter: Interpreter, treat, expected: str
) -> None:
    with (
        Peer(treat) as peer,
        Node(
            tmp_path, peer.port, files(authority), interpreter=interpreter, ntp={"host": None}
        ) as node,
    ):
        assert wait_until(lambda: len(peer.taken) >= 1)
        start = time.monotonic()
        assert expected in node.says("link: ")
        assert time.monotonic() - start < 3.5  # timeout_s is 2
        assert wait_until(lambda: node.count(expected) >= 4, 30)
        assert wait_until(lambda: node.sockets() == 0)  # between one try and the next


def test_a_broker_that_falls_silent_is_noticed_and_found_again(
    tmp_path: Path, authority: Authority, broker: TlsBroker, interpreter: Interpreter
) -> None:
    assert broker.process
    ntp = {"host": None}
    with Node(tmp_path, broker.port, files(authority), interpreter=interpreter, ntp=ntp) as node:
        node.says("delivered ")
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            # Half-open: TCP still takes in what TLS sends.
            assert "broker does not answer" in node.says("link: broker", 20)
            assert wait_until(lambda: node.count("broker does not answer") >= 2, 20)
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
        assert wait_until(lambda: node.count("link: up") >= 2, 20)
        assert node.sockets() == 1


# Configuration and time ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("ca.der", None, "mqtt.tls.ca_file: there is no file certs/ca.der on this board"),
        ("ca.der", b"<html>", "mqtt.tls.ca_file: certs/ca.der is neither DER nor PEM"),
        ("ca.der", b"\x30\x03abc", "mqtt.tls.ca_file"),
        ("key.der", None, "mqtt.tls.key_file: there is no file"),
        ("key.der", b"\x30\x03abc", "key_file: not what it must be"),
    ],
)
def test_a_file_that_is_missing_or_wrong_is_a_configuration_error(
    tmp_path: Path,
    authority: Authority,
    interpreter: Interpreter,
    file: str,
    content: bytes | None,
    expected: str,
) -> None:
    node = Node(tmp_path, 1, files(authority), interpreter=interpreter)
    if content is None:
        (tmp_path / "certs" / file).unlink()
    else:
        (tmp_path / "certs" / file).write_bytes(content)
    with node:
        assert expected in node.says("configuration: ")
        node.says("1 errors, nothing started")


def test_without_a_clock_the_link_waits_says_why_once_and_goes_on_when_it_is_set(
    tmp_path: Path, authority: Authority, broker: TlsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_UNIX_CLOCK", "unset")
    address = f"127.77.{os.getpid() % 250}.7"
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server:
        try:
            server.bind((address, 123))
        except OSError:
            pytest.skip("an NTP server of our own needs the right to bind port 123")
        with Node(tmp_path, broker.port, files(authority), ntp={"host": address}) as node:
            node.says(f"link: TLS needs the time: waiting for NTP ({address})")
            question, asker = server.recvfrom(64)
            time.sleep(1.5)
            assert node.count("TLS needs the time") == 1
            assert node.count("link: up") == 0
            answer = bytearray(48)
            answer[0], answer[1] = 0x24, 1
            answer[24:32] = question[40:48]
            seconds = int(time.time()) + 2208988800
            answer[32:48] = struct.pack("!4I", seconds, 0, seconds, 0)
            server.sendto(answer, asker)
            node.says("time: set by")
            node.says("link: up")
            node.says("delivered ")


def test_without_a_clock_and_without_ntp_nothing_is_started(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_UNIX_CLOCK", "unset")
    with Node(tmp_path, 1, files(authority), ntp={"host": None}) as node:
        assert "can't be checked without the time" in node.says("configuration: ntp.host")


def test_verification_is_off_by_one_key_alone_and_then_said_at_the_start_and_in_health(
    tmp_path: Path,
    stranger: Authority,
    authority: Authority,
    broker: TlsBroker,
    arrived: list[paho.MQTTMessage],
    interpreter: Interpreter,
) -> None:
    tls = {"insecure_skip_verify": True, "ca_file": None, "server_name": "wrong.example"}
    with Node(
        tmp_path,
        broker.port,
        files(authority),
        interpreter=interpreter,
        tls=tls,
        log_level="error",
    ) as node:
        node.says("TLS: the broker's certificate is NOT checked")
        assert wait_until(lambda: health_of(arrived))
    assert b"NOT checked" in health_of(arrived)[0]


def test_each_handshake_verifies_not_the_first_alone(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    """A broker that comes back with another's certificate is refused."""
    stranger.issue_server([HOST])
    contexts = []
    for one in (authority, stranger):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(one.broker / "server.crt", one.broker / "server.key")
        contexts.append(context)

    def serve(connection: socket.socket) -> None:
        context = contexts[min(len(peer.taken) - 1, 1)]
        secured = context.wrap_socket(connection, server_side=True)
        secured.recv(1024)
        secured.sendall(b"\x20\x02\x00\x00")
        time.sleep(0.3)
        secured.close()

    with Peer(serve) as peer, Node(tmp_path, peer.port, files(authority)) as node:
        node.says("link: up")
        node.says("the broker's certificate is not signed by")
        assert node.count("link: up") == 1
