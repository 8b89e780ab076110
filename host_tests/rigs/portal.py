"""What a visitor of the node's own page asks, in bytes, and the page without its sockets."""

from __future__ import annotations

import socket
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from firmware.config.verify import check_settings
from firmware.portal.form import Form
from firmware.portal.http import Request
from firmware.portal.run import Portal

LOOPBACK = "127.0.0.1"
HOST = "192.168.4.1"
TITLE = "fieldpost-2f35"
TOKEN = "0123456789abcdef"
GOOD = {
    "token": TOKEN,
    "ssid": "Home",
    "other": "",
    "key": "correct horse",
    "host": "192.168.1.10",
    "port": "",
    "user": "",
    "secret": "",
    "node": "kitchen",
}


def everything(sock: socket.socket) -> bytes:
    """All that comes until the peer closes."""
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def ask_page(port: int, /, **fields: str) -> str:
    """What the page on this machine answers, headers and all; to a form if `fields` are given."""
    body = urlencode(fields).encode()
    head = f"{'POST' if fields else 'GET'} / HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\n"
    with socket.create_connection((LOOPBACK, port), 10) as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return everything(sock).decode()


def token_of(page: str) -> str:
    """The number of this opening, which a form has to bring."""
    return page.rsplit('name="token" value="', 1)[1][:16]


def dns_query(name: str, kind: int = 1, flags: bytes = b"\x01\x00") -> bytes:
    """A question of RFC 1035; kind 1 asks for an IPv4 address."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return b"\xab\xcd" + flags + b"\0\1\0\0\0\0\0\0" + labels + b"\0\0" + bytes([kind]) + b"\0\1"


def take(data: bytes, cuts: list[int] | None = None) -> tuple[Request, int | None]:
    """A request that arrives in these pieces, and its status."""
    request, status = Request(None, 0), None
    edges = [0, *sorted(cuts or []), len(data)]
    for start, end in pairwise(edges):
        if status is None and start < end:
            status = request.take(data[start:end])
    return request, status


def post(body: bytes, *headers: str) -> bytes:
    """A form that is sent to the board."""
    lines = ["POST / HTTP/1.1", f"Host: {HOST}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def form(config: Any = None, secrets: Any = None) -> Any:
    """The form of a board with these files, with two networks in range."""
    made: Any = Form(config or {}, secrets or {}, check_settings, "node-1234")
    made.networks = [("Home", -50, False), ("Open", -60, True)]
    return made


def portal(made: Form | None = None, why: str | None = None) -> Portal:
    """The page of a board that hears one network."""
    found = [(b"Home", -50, False)]
    return Portal(made or form(), lambda: found, HOST, TITLE, why, TOKEN, print)


def respond(to: Portal, data: bytes) -> tuple[bytes, bytes, str]:
    """Its answer: status, headers, text."""
    request, status = take(data)
    assert status == 200
    line, headers, pieces = to.respond(request)
    return line, headers, "".join(pieces)


def send(to: Portal, **change: str) -> tuple[bytes, str]:
    """Status and text of the answer to a form that is good but for `change`."""
    line, _, text = respond(to, post(urlencode({**GOOD, **change}).encode()))
    return line, text
