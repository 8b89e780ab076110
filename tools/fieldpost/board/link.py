"""A board at the end of a serial port: what runs there is stopped, asked, and set going again.

mpremote does the talking. Its interface is declared unstable, so this module alone imports it, and
the version is pinned. Whatever mpremote waits for, it waits through `LimitedSerial`, where every
wait ends: on a silent port, on one that never stops printing, on one that has gone.
"""

import ast
import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpremote import transport_serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from fieldpost.board.errors import (
    BoardError,
    LinkLost,
    NoAnswer,
    PortUnavailable,
    ProgramError,
)
from fieldpost.board.ports import why_unavailable
from fieldpost.board.serial import LimitedSerial, LimitReached

# It prints what it did not expect to standard output, where a script looks for our JSON.
transport_serial.__dict__["print"] = lambda *_: None

CONNECT_S = 10.0
EXEC_S = 10.0
_BAUD = 115_200
_OPEN_S = 1.0
_SLICE_S = 0.05
_WRITE_S = 5.0
# A prompt comes at once where no program runs.
_IDLE_S = 0.25
# How long a program gets to end by itself after Ctrl-C: a node writes to flash what it holds.
_RETRY_S = 1.5
# Heard from so shortly before the limit, a port is one that never stops.
_CHATTY_S = 0.3
# A program on the board that no longer hears us is given so long to end on Ctrl-C.
_REGAIN_S = 5.0
# How long esptool holds EN low.
_RESET_S = 0.1
# For a sleep of a millisecond.
_SLEEP_S = 0.5
# After so long a port that goes away in a reset has gone.
_GONE_S = 1.0
_LEAVE = """
import machine, time
_t = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), _t) < 200:
    pass
machine.{function}()
"""
_FRIENDLY = b">>> "
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_REBOOT = b"soft reboot\r\n"


class BoardLink:
    """The raw REPL of one board. Use `open_link`, as a context manager."""

    def __init__(self, port: str, transport: SerialTransport) -> None:
        self.port = port
        # Whether a program ran when we came: close() then starts it again.
        self.was_running = False
        self._in_raw = False
        self._connect(transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def interrupt(self, limit_s: float = CONNECT_S, *, runs: bool = False) -> None:
        """Stop what runs with one Ctrl-C, and enter the raw REPL.

        Tried again until the limit: a board that was just plugged in loses what is first sent to
        it. runs: a program is known to run, and may soon sleep. Raises NoAnswer.
        """
        with self._limited(limit_s, "answer"):
            self._serial.write(b"\r")
            self.was_running = runs or not self._await(_FRIENDLY, _IDLE_S)
            try:
                while True:
                    # mpremote's own way in, but with a deadline, and more than once.
                    self._serial.write(b"\r\x03\r\x01")
                    if self._await(_RAW, _RETRY_S):
                        break
                self._read_past_the_answers()
                self._in_raw = self._transport.in_raw_repl = True
                return
            except LimitReached:
                pass
        chatty = time.monotonic() - self._serial.heard_at < _CHATTY_S
        raise self._no_answer(limit_s, chatty, self._serial.heard)

    def exec(
        self, code: str, limit_s: float = EXEC_S, on_output: Callable[[bytes], None] | None = None
    ) -> bytes:
        """Run `code` and return what it printed, b"" if `on_output` took it as it came.

        Raises ProgramError if it raised, NoAnswer if it took over `limit_s`, LinkLost.
        """

        def consume(data: bytes) -> None:
            assert on_output
            if text := data.replace(b"\x04", b""):
                on_output(text)

        with self._limited(limit_s, "finish"):
            try:
                said, raised = self._transport.exec_raw(
                    code, timeout=math.ceil(limit_s), data_consumer=consume if on_output else None
                )
            except TransportExecError as error:
                raise self._program_error(error.error_output) from None
        if raised:
            raise self._program_error(raised.decode(errors="replace"))
        return b"" if on_output else bytes(said)

    def send(self, data: bytes) -> None:
        """To the standard input of the program that `exec` runs: call it from `on_output`."""
        self._serial.write(data)

    def converse(self, code: str, answer: Callable[[bytes], None], limit_s: float) -> None:
        """Run `code`; `answer` gets what it prints and may `send`. If that raises, so does this,
        after the program was stopped: otherwise it would take all that follows for data."""
        try:
            self.exec(code, limit_s, on_output=answer)
        except LinkLost:
            raise
        except BaseException:
            with contextlib.suppress(BoardError):
                self._regain()
            raise

    def eval(self, expression: str, limit_s: float = EXEC_S) -> Any:
        """The value of an expression whose repr is a Python literal."""
        said = self.exec(f"print(repr({expression}))", limit_s)
        try:
            return ast.literal_eval(said.decode().strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise BoardError(f"what the board on {self.port} says makes no sense") from None

    def soft_reset(self, limit_s: float = CONNECT_S) -> None:
        """A fresh interpreter, in the raw REPL; boot.py has run, main.py has not."""
        with self._limited(limit_s, "come back from a soft reset"):
            self._serial.write(b"\x04")
            for marker in (_REBOOT, _RAW):
                while not self._await(marker, _RETRY_S):
                    pass

    def restart(self, limit_s: float = CONNECT_S) -> None:
        """Leave the raw REPL with a reset, so that boot.py and main.py run. See `console`.

        A soft reset, unless the board needs a hard one (see `_is_stuck`).
        """
        if not self._is_stuck():
            self._soft_restart(limit_s)
            return
        self.hard_reset()
        heard = b""
        try:
            for piece in self.console(_GONE_S):
                heard += piece
            self._serial.unread(heard)  # a port that stays: what it said is still to be read
        except LinkLost:
            self._release()
            self._connect(_open_port(self.port, limit_s))

    def hard_reset(self) -> None:
        """As the reset button does. The port may go away with it: close this link."""
        self._exec_unanswered("reset")

    def enter_bootloader(self) -> None:
        """machine.bootloader(): the port goes away, and on an RP2 the UF2 volume appears."""
        self._exec_unanswered("bootloader")

    def console(self, limit_s: float) -> Iterator[bytes]:
        """What the board prints, in pieces as they come (b"" now and then), until the limit."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with self._limited(limit_s + 1, "print"):
                data = self._serial.read_some()
            yield data

    def listen(self, limit_s: float, markers: tuple[bytes, ...] = ()) -> bytes:
        """What the board says by itself, up to one of the markers or the limit; without markers,
        its first bytes. Raises LinkLost."""
        heard = b""
        for piece in self.console(limit_s):
            heard += piece
            if any(marker in heard for marker in markers) or (heard and not markers):
                break
        return heard

    def pulse_reset(self) -> None:
        """Press RESET by the lines of an ESP32's serial bridge; without effect on any other.

        The circuit of Espressif's boards holds EN low, and IO0 high, while RTS is up and DTR is
        down. Afterwards both are down, as no line of a bridge is read by the chip.
        """
        port = self._serial.port
        with contextlib.suppress(OSError):  # A port that has no such lines.
            for level in (True, False):
                port.dtr = False
                port.rts = level
                port.dtr = False  # usbser.sys on Windows sends RTS together with DTR.
                time.sleep(_RESET_S)

    def close(self, resume: bool = True) -> None:
        """Let go of the port. With `resume`, what ran before runs again from its start."""
        try:
            if self._in_raw and resume:
                if self.was_running and self._is_stuck():
                    self.hard_reset()
                elif self.was_running:
                    self._soft_restart(_RETRY_S * 2)
                else:
                    with self._limited(_WRITE_S, "let go"):
                        self._serial.write(b"\r\x02")
        except BoardError:
            pass  # it is gone, or busy: there is nobody to say goodbye to
        finally:
            self._in_raw = False
            self._release()

    def _connect(self, transport: SerialTransport) -> None:
        self._transport = transport
        port_itself: Any = transport.serial
        port_itself.write_timeout = _WRITE_S
        self._serial = transport.serial = LimitedSerial(port_itself)

    def _soft_restart(self, limit_s: float) -> None:
        with self._limited(limit_s, "restart"):
            self._serial.write(b"\r\x02")
            self._await(_FRIENDLY, _RETRY_S)
            self._serial.write(b"\x04")
            while not self._await(_REBOOT, _RETRY_S):
                pass
        self._in_raw = False

    def _is_stuck(self) -> bool:
        """Whether its sleeps no longer end, and so no program can run before a hard reset.

        So it is with a Pico W whose program was interrupted while it started the radio chip: the
        exception left the driver with lwIP's lock taken (cyw43_delay_ms() in MicroPython's
        extmod/cyw43_config_common.h), and a soft reset does not release it.
        """
        try:
            self.exec("import time\ntime.sleep_ms(1)", _SLEEP_S)
        except NoAnswer:
            self._regain()
            return True
        except ProgramError:
            pass  # it can't be told
        return False

    def _regain(self) -> None:
        """Stop what `exec` left running."""
        ran = self.was_running
        self.interrupt(_REGAIN_S)
        self.was_running = ran

    def _read_past_the_answers(self) -> None:
        """Up to the last prompt of a board that was only busy, and yet answers each try: ours, and
        those of a command before, which gave it up. A prompt that came later would be taken for
        the answer to what we ask."""
        mark = secrets.token_hex(4).encode()
        self._serial.write(b"print('%s',end='')\x04" % mark)
        while not self._await(b"OK%s\x04\x04" % mark, _RETRY_S):
            pass

    def _release(self) -> None:
        port = self._transport.serial = self._serial.port
        try:
            # Lowers RTS before DTR; the other order would reset an ESP32.
            self._transport.close()
        except OSError:
            port.close()  # a port that has gone has no lines to lower

    def _exec_unanswered(self, function: str) -> None:
        with self._limited(EXEC_S, "take a command"):
            # Not at once, for the board first says that it took the command. And without a sleep,
            # which on a board that is stuck never ends.
            self._transport.exec_raw_no_follow(_LEAVE.format(function=function))
        self._in_raw = False

    def _await(self, marker: bytes, limit_s: float) -> bool:
        """Whether `marker` came within the limit. Its first part is kept for the next to find."""
        end = time.monotonic() + limit_s
        tail = b""
        while time.monotonic() < end:
            tail += self._serial.read_some()
            at = tail.find(marker)
            if at >= 0:
                self._serial.unread(tail[at + len(marker) :])
                return True
            tail = tail[-len(marker) :]
        self._serial.unread(tail)
        return False

    @contextlib.contextmanager
    def _limited(self, limit_s: float, doing: str) -> Iterator[None]:
        self._serial.deadline = time.monotonic() + limit_s
        try:
            yield
        except LimitReached:
            raise NoAnswer(
                f"the board on {self.port} did not {doing} within {limit_s:g} s. Unplug it, plug "
                "it in again, and repeat the command."
            ) from None
        except TransportExecError:
            raise
        except TransportError as error:
            raise NoAnswer(f"the board on {self.port} did not {doing}: {error}") from None
        except OSError as error:  # serial.SerialException is one
            raise LinkLost(
                f"the port {self.port} went away ({error}). Check the cable, plug the board in "
                "again, and repeat the command."
            ) from None

    def _program_error(self, traceback: str) -> ProgramError:
        last = traceback.strip().splitlines()[-1:] or ["no reason given"]
        return ProgramError(f"the board on {self.port} said: {last[0]}", traceback)

    def _no_answer(self, limit_s: float, chatty: bool, heard: bytes) -> NoAnswer:
        if chatty:
            return NoAnswer(
                f"{self.port} prints without end and does not stop on Ctrl-C, within {limit_s:g} "
                "s. If it is a board whose main.py catches Ctrl-C, hold its reset button, start "
                "this command and let go; if it is no board, leave it out with --port.",
                chatty=True,
            )
        return NoAnswer(
            f"nothing on {self.port} answers as MicroPython does, within {limit_s:g} s. A board "
            "without MicroPython, in its bootloader or asleep is silent: press its reset button, "
            "or put MicroPython on it with: fieldpost flash",
            heard=heard,
        )


def open_link(port: str, limit_s: float = CONNECT_S) -> BoardLink:
    """Connect to the MicroPython on `port` (a device, or a URL of pyserial's), in its raw REPL.

    Opening raises DTR and RTS together, as mpremote does: an ESP32 resets only while RTS is up
    and DTR is down, and an RP2's USB is mute without DTR. Raises PortUnavailable, NoAnswer.
    """
    link = attach(port)
    try:
        link.interrupt(limit_s)
    except BaseException:
        link.close()
        raise
    return link


def attach(port: str) -> BoardLink:
    """Open the port and say nothing to the board. Raises PortUnavailable."""
    return BoardLink(port, _open_port(port))


def _open_port(port: str, appears_s: float = 0.0) -> SerialTransport:
    """Tried for a moment: a port that has just appeared may not have its permissions yet, and a
    program that has just ended may still hold its lock. A port that does not exist is waited for
    up to `appears_s`."""
    begin = time.monotonic()
    while True:
        try:
            return SerialTransport(port, baudrate=_BAUD, timeout=_SLICE_S)
        except (TransportError, OSError, ValueError) as error:
            is_there = os.name == "nt" or Path(port).exists()
            limit_s = max(_OPEN_S, appears_s) if is_there else appears_s
            if time.monotonic() - begin >= limit_s:
                raise PortUnavailable(*why_unavailable(port, str(error))) from None
        time.sleep(_SLICE_S)
