"""The desktop board under CPython: for hosts that MicroPython's unix port is not packaged for, and
for tests with real sockets. `firmware.board` imports it; import that.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path

import port_modules

from firmware.board import unix


class Board(unix.Board):
    socket = port_modules.SocketModule
    select = port_modules.SelectModule

    def __init__(self) -> None:
        super().__init__(port_modules.TimeModule)  # type: ignore  # a class in a module's part

    def tls_context(self, ca: bytes | None, own: tuple[bytes, bytes] | None = None):
        """As on the boards; its sockets have the boards' manners."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(cadata=ca)
        if own:
            _load_own(context, *own)
        context.sslsocket_class = port_modules.TlsSocket
        return context


def _load_own(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """CPython takes certificate and key from a file alone, and as PEM."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.pem"
        path.touch(mode=0o600)
        path.write_text(_pem("CERTIFICATE", certificate) + _pem(_key_label(key), key))
        context.load_cert_chain(path)


def _pem(label: str, data: bytes) -> str:
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def _key_label(key: bytes) -> str:
    # PKCS#8 (RFC 5208) has version 0 first; an EC key alone (RFC 5915) has 1.
    return "EC PRIVATE KEY" if b"\x02\x01\x01\x04" in key[:8] else "PRIVATE KEY"
