"""The raw REPL for long transfers: a board that takes its time is waited for, and data can be sent
to the standard input of the program that runs.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from fieldpost import board_link
from fieldpost.board_link import CONNECT_S, BoardError, BoardLink

# A program on the board that no longer hears us is given so long to end on Ctrl-C.
_REGAIN_S = 5.0


class _PatientSerial(board_link._LimitedSerial):
    """mpremote asks for single bytes of flow control and takes silence for nonsense: a board that
    erases flash is silent for longer than a slice. The deadline ends every wait here, too."""

    def read(self, size: int = 1) -> bytes:
        data, self._pending = self._pending[:size], self._pending[size:]
        while len(data) < size:
            self._check()
            data += self.port.read(size - len(data))
        return data


class DeployLink(BoardLink):
    """A `BoardLink` whose programs can be sent data. Use `open_link`, as a context manager."""

    def __init__(self, port: str, transport: Any) -> None:
        super().__init__(port, transport)
        self._serial = transport.serial = _PatientSerial(self._serial.port)

    def send(self, data: bytes) -> None:
        """To the standard input of the program that `exec` runs: call it from `on_output`."""
        self._serial.write(data)

    def converse(self, code: str, answer: Callable[[bytes], None], limit_s: float) -> None:
        """Run `code`; `answer` gets what it prints and may `send`. If that raises, so does this,
        after the program was stopped: otherwise it would take all that follows for data."""
        try:
            self.exec(code, limit_s, on_output=answer)
        except board_link.LinkLost:
            raise
        except BaseException:
            with contextlib.suppress(BoardError):
                ran = self.was_running
                self.interrupt(_REGAIN_S)
                self.was_running = ran
            raise


def open_link(port: str, limit_s: float = CONNECT_S) -> DeployLink:
    """As `board_link.open_link`."""
    link = DeployLink(port, board_link._open_port(port))
    try:
        link.interrupt(limit_s)
    except BaseException:
        link.close()
        raise
    return link
