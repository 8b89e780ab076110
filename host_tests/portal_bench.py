"""What a visitor of the node's own page asks, in bytes."""

from __future__ import annotations

import socket
from urllib.parse import urlencode

LOOPBACK = "127.0.0.1"


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
