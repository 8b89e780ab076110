"""The desktop board under CPython: for hosts that MicroPython's unix port is not packaged for, and
for tests with real sockets. `firmware.board` imports it; import that.
"""

from __future__ import annotations

import port_modules

from firmware.board import unix


class Board(unix.Board):
    socket = port_modules.SocketModule
    select = port_modules.SelectModule

    def __init__(self) -> None:
        super().__init__(port_modules.TimeModule)

    def tls_context(self, ca: bytes):
        """As on the boards; its sockets have the boards' manners."""
        context = super().tls_context(ca)
        context.sslsocket_class = port_modules.TlsSocket
        return context
