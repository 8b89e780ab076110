"""The way to a board for every command that needs it, also to one that sleeps.

A board that does not answer is asleep, or has no MicroPython. Behind the serial bridge of an ESP32
the port stays, and the bridge's lines press RESET: the node then waits `boot_window_s` before it
does anything. A chip with USB of its own (ESP32-C3, S3; RP2) cannot be woken over it, and its port
may be gone meanwhile: the next wake is waited for, and taken as soon as the port or a first word
is there.
"""

import math
import re
import time

from fieldpost.board import find, met, patience
from fieldpost.board.errors import LinkLost, NoAnswer, PortUnavailable
from fieldpost.board.link import CONNECT_S, BoardLink, attach, open_link
from fieldpost.board.ports import Port, port_named, present_name, there_is_no
from fieldpost.board.screen import Screen

# From RESET to the end of the shortest usual boot window; a wake, to its first answer.
_BOOT_S = 8.0
_WAKE_S = 6.0
# A chip prints as it starts. MicroPython hears nothing before it has started, too.
_STARTS_S = 1.0
# What a node and a bare MicroPython say when they can be interrupted.
_NODE_STARTS = b"Fieldpost "
_STARTED = (_NODE_STARTS, b"MicroPython ", b">>> ")
# What a node says before it sleeps.
_ASLEEP = re.compile(rb"asleep for (\d+(?:\.\d+)?) s")
LOOK_AGAIN_S = 0.1
_LISTEN_S = 0.5


def reach(
    port: str, screen: Screen, wait_s: float | None = None, connect_s: float = CONNECT_S
) -> BoardLink:
    """The board's raw REPL, as `open_link` gives it, from a board that sleeps, too.

    wait_s: how long to wait for its next wake; 0: only what is there counts; None: as patience.py
    says. Raises BoardError.
    """
    link = _reach(port_named(port), screen, wait_s, connect_s)
    met.remember(port_named(link.port))
    return link


def _reach(known: Port, screen: Screen, wait_s: float | None, connect_s: float) -> BoardLink:
    port = known.device
    was_away = False
    heard = b""
    screen.progress(port, "asking the board", 0, None)
    try:
        return open_link(port, connect_s)
    except PortUnavailable:
        if wait_s == 0 or present_name(known) is not None:
            raise
        was_away = True
        wait_s = patience.wait_s(known, wait_s, screen)
        if present_name(known) is None:
            screen.say(
                port,
                "there is no such port now. A chip with USB of its own has one only while it is "
                f"awake: it is waited for, {wait_s:g} s at most. Its RESET button, or plugging it "
                "in, ends the wait.",
            )
    except NoAnswer as error:
        if error.chatty or wait_s == 0 or find.in_espressif_bootloader(port):
            raise
        if known.kind == "bridge" and (link := _reset(port, screen)):
            return link
        screen.say(
            port,
            "nothing answers: the board is asleep, or without MicroPython (`fieldpost flash`). It "
            "is taken at its next wake; its RESET button ends the wait.",
        )
        heard = error.heard
    except LinkLost:
        if wait_s == 0:
            raise  # Otherwise it fell asleep just now.
    wait_s = patience.WAIT_S if wait_s is None else wait_s
    expected = _Expected(known, screen, wait_s)
    expected.hear(heard)
    return _next_wake(known, expected, was_away)


def _reset(port: str, screen: Screen) -> BoardLink | None:
    """Press RESET by the bridge's lines; None if nothing starts by that.

    Raises NoAnswer if something does, and it is no MicroPython.
    """
    screen.say(port, "nothing answers, so it is restarted by its RTS line, as by RESET")
    screen.progress(port, "waiting for its start", 0, None)
    link = attach(port)
    heard = b""
    try:
        link.pulse_reset()
        heard = link.listen(_STARTS_S)
        if heard:
            heard += link.listen(_STARTS_S, _STARTED)
        link.interrupt(_BOOT_S, runs=True)
        return link
    except NoAnswer as error:
        link.close(resume=False)
        if heard:
            raise NoAnswer(f"the board on {port} starts, and {error}") from None
        return None
    except BaseException:
        link.close(resume=False)
        raise


class _Expected:
    """When the next wake of a board is due, and how that is shown. It is known by what its node
    has printed before it slept, else by its interval, else not at all."""

    def __init__(self, port: Port, screen: Screen, wait_s: float) -> None:
        self.wait_s = wait_s
        self._port = port
        self._screen = screen
        self._begin = time.monotonic()
        self._what = "waiting for a wake or RESET"
        self._due = self._begin + wait_s
        self._sleep_s = wait_s
        interval_s = met.interval_s(port)
        if interval_s:
            self._expect(interval_s, f"asleep, wakes every {interval_s:g} s")

    def hear(self, console: bytes) -> bool:
        """What the board has printed until now; whether it has gone to sleep with that."""
        told = _ASLEEP.findall(console[console.rfind(_NODE_STARTS) + 1 :])
        if told:
            self._expect(float(told[-1]), "asleep until its next wake")
        return bool(told)

    def is_over(self) -> bool:
        """Show how long is left; whether that is nothing."""
        now = time.monotonic()
        left_s = self._begin + self.wait_s - now
        if left_s <= 0:
            return True
        if self._due + _WAKE_S > now:
            left_s, total_s = min(left_s, self._due - now), min(self._sleep_s, self.wait_s)
            self._screen.count_down(self._port.device, self._what, max(left_s, 0.0), total_s)
        else:
            what = "its wake is overdue"
            self._screen.count_down(self._port.device, what, left_s, self.wait_s)
        return False

    def _expect(self, sleep_s: float, what: str) -> None:
        now = time.monotonic()
        self._what, self._sleep_s, self._due = what, sleep_s, now + sleep_s
        if self._due > self._begin + self.wait_s:
            self._screen.say(
                self._port.device,
                f"its next wake is due within {sleep_s:g} s, and is waited for {self.wait_s:g} s: "
                f"its RESET button ends the wait, and --wait {math.ceil(sleep_s + _WAKE_S)} is "
                "long enough",
            )


def _next_wake(known: Port, expected: _Expected, was_away: bool) -> BoardLink:
    link: BoardLink | None = None
    try:
        while not expected.is_over():
            try:
                if link is None:
                    device = present_name(known)
                    if device is None:
                        was_away = True
                        time.sleep(LOOK_AGAIN_S)
                        continue
                    link = attach(device)
                # A port that has just come is that of a chip which is awake.
                if not was_away:
                    heard = _start_of(link)
                    if not heard or expected.hear(heard):
                        continue  # It is not awake, or no longer.
                was_away = False
                link.interrupt(_WAKE_S, runs=True)
                taken, link = link, None
                return taken
            except LinkLost:
                was_away = True
            except PortUnavailable:
                if present_name(known) is not None:
                    raise
            except NoAnswer as error:
                if error.chatty:
                    raise
                expected.hear(error.heard)
            if link:
                link.close(resume=False)
                link = None
    finally:
        if link:
            link.close(resume=False)
    if present_name(known) is None:
        raise PortUnavailable(
            f"{there_is_no(known.device)} It was waited for, {expected.wait_s:g} s; --wait "
            "SECONDS is for one that sleeps longer",
            "board_port",
        )
    raise NoAnswer(
        f"no board woke on {known.device} within {expected.wait_s:g} s. Press its RESET button "
        "and repeat the command, or wait longer with --wait SECONDS; a board without MicroPython "
        "gets it by: fieldpost flash"
    )


def _start_of(link: BoardLink) -> bytes:
    """What the board says, if it says anything; then it is far enough to hear us, too."""
    heard = link.listen(_LISTEN_S)
    if heard and not any(mark in heard for mark in _STARTED):
        heard += link.listen(_STARTS_S, _STARTED)
    return heard
