"""What differs between the sockets of MicroPython's ports, and firmware has met.

The unix column was read off the real port with a script, the others from the sources of
extmod/modlwip.c (rp2) and ports/esp32/modsocket.c; the limits in milliseconds are of the right
order, and no more than that.
"""

from typing import NamedTuple

POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 16, 32


class Port(NamedTuple):
    """Error numbers, limits and habits of one port's sockets."""

    name: str
    in_progress: int = 115
    timed_out: int = 110
    refused: int = 111
    reset: int = 104
    not_connected: int = 107
    unanswered: int = 110  # a handshake that nobody answers
    gave_up: int = 110  # data that nobody acknowledges
    no_name: int | str = -2
    no_descriptor: int = 23
    descriptors: int = 64
    send_buffer: int = 65_536
    connect_limit_ms: int = 127_000
    retransmit_limit_ms: int = 924_000
    name_limit_ms: int = 10_000
    error_repeats: bool = False  # an error is reported again by every call after it
    reset_discards: bool = False  # what arrived before a reset can't be read after it
    addresses_are_bytes: bool = False
    poll_flags_of_error: int = POLLERR | POLLHUP  # beside those asked for


PORTS = {
    "unix": Port("unix", addresses_are_bytes=True, no_name="[addrinfo error -2]"),
    "esp32": Port(
        "esp32",
        in_progress=119,
        timed_out=116,
        not_connected=128,
        unanswered=113,
        gave_up=113,
        no_name=-202,
        descriptors=16,
        send_buffer=5_760,
        connect_limit_ms=18_000,
        retransmit_limit_ms=300_000,
        name_limit_ms=14_000,
        error_repeats=True,
        poll_flags_of_error=0,
    ),
    "rp2": Port(
        "rp2",
        refused=104,
        unanswered=103,
        gave_up=103,
        descriptors=8,
        no_descriptor=12,
        send_buffer=11_680,
        connect_limit_ms=18_000,
        retransmit_limit_ms=300_000,
        name_limit_ms=30_000,
        error_repeats=True,
        reset_discards=True,
        poll_flags_of_error=POLLHUP,
    ),
}
