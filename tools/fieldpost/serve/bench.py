"""What stands at the bench: the broker, ours or another's, and the way of the nodes to it."""

from dataclasses import dataclass
from typing import Any

from fieldpost.serve.relay import DELAY_MS, FAULTS, SLOW_BYTES_PER_S, Fault, Relay

_TEXTS: dict[Fault, tuple[str, str]] = {
    "none": ("No fault", "The way to the broker is as it should be."),
    "away": ("Broker away", "Nobody listens, and who was connected is cut off."),
    "refuse": ("Refuse", "Each connection is closed as soon as it begins."),
    "drop": ("Drop", "What is said arrives nowhere, and nobody is told."),
    "delay": ("Delay", f"A round trip takes {DELAY_MS / 1000:g} s longer."),
    "slow": ("Slow", f"{SLOW_BYTES_PER_S} bytes pass in a second."),
}


@dataclass(frozen=True)
class Bench:
    """broker: its name and address, for people. lines: to be typed so that nodes come here.
    relay: None with another's broker, whose way is not ours to break."""

    broker: str
    lines: tuple[tuple[str, str], ...] = ()
    relay: Relay | None = None

    def told(self) -> dict[str, Any]:
        """For a page."""
        relay = self.relay
        return {
            "broker": self.broker,
            "lines": [{"title": title, "line": line} for title, line in self.lines],
            "fault": relay.fault if relay else None,
            "connections": relay.connections if relay else None,
            "faults": [
                {"name": one, "title": _TEXTS[one][0], "text": _TEXTS[one][1]} for one in FAULTS
            ]
            if relay
            else [],
        }
