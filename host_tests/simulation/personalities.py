"""Brokers as nodes meet them: the habits of each, and what of a node's promises they cost.

One is drawn for each world. Nothing is lost, doubled or late at any of them but as its exceptions
say; docs/reliability.md has them in words.
"""

import random
from dataclasses import dataclass, field

from fakes.habits import Habits

OBLIGING = "takes everything"
_EXTRAS = ("+/+/status", "+/+/health", "+/+/cmd/result", "homeassistant/#")
# Every other world has a broker without habits: there the other faults are looked for.
_OBLIGING_SHARE = 0.5


@dataclass(frozen=True)
class Personality:
    """What a broker does, and the exceptions it makes.

    `hears`: commands reach the node. `tells`: so do its answers reach who asked.
    `in_order`: readings arrive in the order in which they were taken.
    `at_once`: no connection is lost for a habit, so an alarm of a sleeping node is there in time.
    """

    habits: Habits = field(default_factory=Habits)
    hears: bool = True
    tells: bool = True
    in_order: bool = True
    at_once: bool = True


def _denies_commands(how: str) -> Personality:
    """An account that may only write."""
    habits = Habits(subscribe_denied=("#",), on_subscribe=how)
    return Personality(habits, hears=False, at_once=how in ("refuse", "grant"))


def _takes_readings_alone(how: str) -> Personality:
    """An account that may write telemetry, and read commands."""
    habits = Habits(publish_denied=_EXTRAS, on_publish=how)
    return Personality(habits, tells=False, at_once=how == "acknowledge")


PERSONALITIES = {
    OBLIGING: Personality(),
    "refuses to be subscribed": _denies_commands("refuse"),
    "grants subscriptions and delivers nothing": _denies_commands("grant"),
    "never answers a SUBSCRIBE": _denies_commands("ignore"),
    "closes on a SUBSCRIBE": _denies_commands("close"),
    "drops what is no reading": _takes_readings_alone("acknowledge"),
    "closes on what is no reading": _takes_readings_alone("close"),
    "never answers what is no reading": _takes_readings_alone("ignore"),
    "takes nothing retained": Personality(
        Habits(retained_max=-1, unread_resets=True), at_once=False
    ),
    "takes QoS 1 at most": Personality(Habits(qos_max=1)),
    "resets with bytes unread": Personality(Habits(unread_resets=True)),
    "answers early packets before CONNACK": Personality(Habits(early="answer"), at_once=False),
    "drops early packets": Personality(Habits(early="drop"), in_order=False, at_once=False),
    "never answers CONNECT with more behind it": Personality(Habits(early="hang"), at_once=False),
    "takes three early packets": Personality(
        Habits(early_max=3, unread_resets=True), at_once=False
    ),
    "brings queued messages late": Personality(Habits(queue_delay_ms=40)),
    "marks queued messages as retained": Personality(Habits(queue_retain=True), hears=False),
    "loses a message now and then": Personality(
        Habits(lost_publish=0.02), in_order=False, at_once=False
    ),
}


def draw(rng: random.Random) -> str:
    """The broker of one world."""
    return OBLIGING if rng.random() < _OBLIGING_SHARE else rng.choice(list(PERSONALITIES))
