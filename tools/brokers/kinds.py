"""What there is to know of a broker: where it comes from, how it starts, what it lacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brokers.cache import Cache, Installed
from fieldpost.certs.authority import Authority


@dataclass(frozen=True)
class Place:
    """Where one broker process runs: a folder for its files, and loopback ports."""

    folder: Path
    port: int
    spare_ports: tuple[int, ...]  # of what a broker needs besides, such as Erlang's port mapper
    authority: Authority | None = None  # of a broker over TLS, with all that it has issued
    upper_port: int | None = None  # of the broker to which a bridge hands everything on


@dataclass(frozen=True)
class Command:
    """A process in the foreground. helper: one that must run before it, and ends after it."""

    argv: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    helper: list[str] | None = None


@dataclass(frozen=True)
class Kind:
    """One broker in one configuration.

    command: writes the configuration into the place, and tells what to run.
    lacks: what this broker has no notion of, with the reason: `rights`, rules for each topic;
        `restart`, keeping anything over an end of its process.
    start_s: how long it may take until it accepts connections.
    way_s: within so long whoever listens has what the broker has acknowledged, if ever.
    is_asked: whether it is asked packet by packet, and other clients come. Where another set-up
        of the same broker is, whole nodes are enough.
    has_tls: who comes speaks TLS, so that nothing can be read on the way.
    by_certificate: and shows a certificate of its own, in place of a password.
    upper: the broker to which this one, a bridge, hands everything on.
    """

    name: str
    title: str
    install: Callable[[Cache], Installed]
    command: Callable[[Installed, Place], Command]
    lacks: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 30.0
    way_s: float = 10.0
    is_asked: bool = True
    has_tls: bool = False
    by_certificate: bool = False
    upper: "Kind | None" = None
