"""The way to a board for every command that needs it, also to one that sleeps.

A board that does not answer is asleep, or has no MicroPython. Behind the serial bridge of an ESP32
the port stays, and the bridge's lines press RESET: the node then waits `boot_window_s` before it
does anything. A chip with USB of its own (ESP32-C3, S3; RP2) cannot be woken over it, and its port
may be gone meanwhile: the next wake is waited for, and taken as soon as the port or a first word
is there.
"""

import time

from fieldpost.board import find
from fieldpost.board.link import (
    CONNECT_S,
    BoardLink,
    LinkLost,
    NoAnswer,
    PortUnavailable,
    attach,
    open_link,
)
from fieldpost.board.ports import Port, port_named, present_name
from fieldpost.board.screen import Screen

WAIT_S = 600.0
# From RESET to the end of the shortest usual boot window; a wake, to its first answer.
_BOOT_S = 8.0
_WAKE_S = 6.0
# A chip prints as it starts. MicroPython hears nothing before it has started, too.
_STARTS_S = 1.0
# What a node and a bare MicroPython say when they can be interrupted.
_STARTED = (b"Fieldpost ", b"MicroPython ", b">>> ")
LOOK_AGAIN_S = 0.1
_LISTEN_S = 0.5


def reach(
    port: str, screen: Screen, wait_s: float = WAIT_S, connect_s: float = CONNECT_S
) -> BoardLink:
    """The board's raw REPL, as `open_link` gives it, from a board that sleeps, too.

    wait_s: how long to wait for its next wake; 0: only what is there counts. Raises BoardError.
    """
    known = port_named(port)
    screen.progress(port, "asking the board", 0, None)
    try:
        return open_link(port, connect_s)
    except PortUnavailable:
        if not wait_s or present_name(known) is not None:
            raise
        screen.say(
            port,
            "there is no such port now (`fieldpost boards` lists those there are). A chip with "
            "USB of its own has one only while it is awake: it is waited for. Its RESET button, "
            "or plugging it in, ends the wait.",
        )
    except NoAnswer as error:
        if error.chatty or not wait_s or find.in_espressif_bootloader(port):
            raise
        if known.kind == "bridge" and (link := _reset(port, screen)):
            return link
        screen.say(
            port,
            "nothing answers: the board is asleep, or without MicroPython (`fieldpost flash`). It "
            "is taken at its next wake; its RESET button ends the wait.",
        )
    except LinkLost:
        if not wait_s:
            raise  # Otherwise it fell asleep just now.
    return _next_wake(known, screen, wait_s)


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


def _next_wake(known: Port, screen: Screen, wait_s: float) -> BoardLink:
    begin = time.monotonic()
    was_away = present_name(known) is None
    link: BoardLink | None = None
    try:
        while (left_s := begin + wait_s - time.monotonic()) > 0:
            screen.count_down(known.device, "waiting for its next wake", left_s, wait_s)
            try:
                if link is None:
                    device = present_name(known)
                    if device is None:
                        was_away = True
                        time.sleep(LOOK_AGAIN_S)
                        continue
                    link = attach(device)
                # A port that has just come is that of a chip which is awake.
                if not was_away and not _starts(link):
                    continue
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
            if link:
                link.close(resume=False)
                link = None
    finally:
        if link:
            link.close(resume=False)
    raise NoAnswer(
        f"no board woke on {known.device} within {wait_s:g} s. Press its RESET button and repeat "
        "the command, or wait longer with --wait SECONDS; a board without MicroPython gets it by: "
        "fieldpost flash"
    )


def _starts(link: BoardLink) -> bool:
    """Whether the board says anything; then it is far enough to hear us, too."""
    heard = link.listen(_LISTEN_S)
    if heard and not any(mark in heard for mark in _STARTED):
        link.listen(_STARTS_S, _STARTED)
    return bool(heard)
