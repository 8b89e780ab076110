"""Benchmark 1c: the wake over verified TLS, by client, by certificate, and shortened.

MicroPython's ports speak TLS 1.2 and begin every connection with a whole handshake. What a session
ticket or a pre-shared key would save is measured with OpenSSL's own client in their place.
"""

import contextlib
import os
import secrets
import selectors
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import certificates, port
from benchmarks.certificates import NODE, OWN, Chain
from benchmarks.figures import Row, merge
from benchmarks.parts import Parts
from fieldpost.mqtt.brokers import HOST, Broker, find_mosquitto, free_port
from fieldpost.mqtt.proxy import Connection, Proxy

ROUND_TRIP_MS = 50
CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fieldpost": ("fieldpost", {}),
    "umqtt.simple": ("umqtt.simple", {}),
    "umqtt.robust2": ("umqtt.robust2", {}),
    "chumicro-mqtt": ("chumicro-mqtt", {}),
    "mqtt_as, gathered": ("mqtt_as", {"gathered": True}),
}
READINGS = (1, 50)
_ROUNDS = 5
_FEW_ROUNDS = 2
_LIMIT_S = 60.0
_SEEN = ("round_trips", "segments", "sent_bytes", "received_bytes")
_OPENSSL_S = 20.0
SHORTENED = ("a whole handshake", "a session ticket", "a pre-shared key")
WHOLE, TICKET, KEY = SHORTENED
_START_S = 10.0
_TOPIC = b"fieldpost/bench/telemetry"
# What is answered: CONNACK and one PUBACK.
_ANSWER_BYTES = 8


def measure(
    parts: Parts, folder: Path, quick: bool, say: Callable[[str], None]
) -> dict[str, list[Row]]:
    """`clients`: by client, readings and certificate. `shortened`: by how a handshake begins."""
    rows: list[Row] = []
    shortened: list[Row] = []
    for chain in certificates.make(folder, quick):
        with Broker("mosquitto", tls=chain.broker) as broker:
            for round_trip_ms in (ROUND_TRIP_MS,) if quick else (0, ROUND_TRIP_MS):
                with Proxy(broker.port, round_trip_ms) as proxy:
                    say(f"TLS: {chain.name}, at {round_trip_ms} ms")
                    rows += _by_client(parts, proxy, chain, quick)
            if chain.name == OWN:
                say("TLS: shortened")
                shortened = _shortened(broker.port, chain, folder)
    return {"clients": rows, "shortened": shortened}


def _by_client(parts: Parts, proxy: Proxy, chain: Chain, quick: bool) -> list[Row]:
    """In turn, round by round. With others' certificates: one reading, from Fieldpost."""
    is_own = chain.name == OWN
    clients = CLIENTS if is_own else {"Fieldpost": CLIENTS["Fieldpost"]}
    rows = []
    for readings in READINGS if is_own and not quick else READINGS[:1]:
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
        why: dict[str, str] = {}
        for turn in range(1 if quick else _ROUNDS):
            for name, (client, options) in clients.items():
                waits = client == "umqtt.simple" and readings > 1
                if client in parts.missing:
                    why[name] = parts.missing[client]
                elif name not in why and not (waits and turn >= _FEW_ROUNDS):
                    try:
                        runs[name].append(_once(parts, proxy, client, readings, chain, options))
                    except port.ClientFailed as error:
                        why[name] = str(error)
        for name, some in runs.items():
            row: Row = {"client": name, "readings": readings, "certificate": chain.name}
            row |= {"round_trip_ms": proxy.round_trip_ms, "shown_bytes": chain.shown_bytes}
            rows.append(row | ({"not_run": why[name]} if name in why else merge(some)))
    return rows


def _once(
    parts: Parts,
    proxy: Proxy,
    client: str,
    readings: int,
    chain: Chain,
    options: dict[str, Any],
) -> dict[str, float]:
    proxy.forget()
    asked = {"do": "wake", "host": HOST, "port": proxy.port, "readings": readings}
    told = port.ask(parts, client, limit_s=_LIMIT_S, **asked, **chain.asked, **options)
    connection = port.only(proxy.ended(), client)
    return {"ms": told["ms"], "delivered_ms": told["delivered_ms"], **_seen(connection)}


def _seen(connection: Connection) -> dict[str, int]:
    return {name: getattr(connection, name) for name in _SEEN}


def _shortened(port: int, chain: Chain, folder: Path) -> list[Row]:
    """One reading from OpenSSL's client over TLS 1.2: as the ports do it, and shorter."""
    if not shutil.which("openssl"):
        return [{"how": how, "not_run": "openssl is not installed"} for how in SHORTENED]
    ticket, key = folder / "ticket.pem", secrets.token_hex(16)
    checked = ("-CAfile", str(chain.broker.ca), "-verify_return_error")
    with _broker_of_keys(folder, key) as keys_port:
        return [
            _with_openssl(WHOLE, port, *checked, "-sess_out", str(ticket)),
            _with_openssl(TICKET, port, *checked, "-sess_in", str(ticket)),
            _with_openssl(
                *(KEY, keys_port, "-psk_identity", NODE, "-psk", key),
                # Without Diffie-Hellman, as MicroPython's pre-shared keys are.
                *("-cipher", "PSK-AES128-GCM-SHA256"),
            ),
        ]


@contextmanager
def _broker_of_keys(folder: Path, key: str) -> Iterator[int]:
    """The port of a Mosquitto that knows one node by its pre-shared key."""
    mosquitto = find_mosquitto()
    assert mosquitto
    port = free_port()
    keys, configuration = folder / "keys", folder / "keys.conf"
    keys.touch(mode=0o600)
    keys.write_text(f"{NODE}:{key}\n")
    lines = [f"listener {port} {HOST}", f"psk_file {keys}", "psk_hint bench"]
    lines += ["allow_anonymous true", "persistence false"]
    if os.geteuid() == 0:
        lines.append("user root")  # who alone can read that file
    configuration.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [mosquitto, "-c", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection((HOST, port), 1).close()
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _with_openssl(how: str, port: int, *options: str) -> Row:
    row: Row = {"how": how, "round_trip_ms": ROUND_TRIP_MS}
    with Proxy(port, ROUND_TRIP_MS) as proxy:
        address = f"{HOST}:{proxy.port}"
        command = ["openssl", "s_client", "-quiet", "-tls1_2", "-connect", address, *options]
        why = _deliver(command)
        seen = proxy.ended()
    if why or len(seen) != 1:
        return row | {"not_run": why or f"{len(seen)} connections"}
    return row | _seen(seen[0])


def _deliver(command: Sequence[str]) -> str | None:
    """CONNECT and one reading through `command`, in one piece; why not, if that failed."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin and process.stdout
    try:
        process.stdin.write(packets())
        process.stdin.flush()
        got, end = b"", time.monotonic() + _OPENSSL_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(got) < _ANSWER_BYTES:
                if not selector.select(end - time.monotonic()):
                    return f"no answer within {_OPENSSL_S:g} s"
                data = os.read(process.stdout.fileno(), 1024)
                if not data:
                    return "OpenSSL's client ended"
                got += data
        return None
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


def packets() -> bytes:
    """CONNECT and a PUBLISH with QoS 1, as the clients of the other rows send them."""
    name = NODE.encode()
    connect = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack("!H", len(name)) + name
    payload = b'{"boot":3,"seq":0,"ts":1795368917,"temperature":21.53,"humidity":40.1}'
    publish = struct.pack("!H", len(_TOPIC)) + _TOPIC + b"\x00\x01" + payload
    return bytes((0x10, len(connect))) + connect + bytes((0x32, len(publish))) + publish
