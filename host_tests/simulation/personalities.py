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
    `ends`: connections that may end before the node knows what not to send: three for each of its
    extras, five for the will. `delivers`: readings are taken at all.
    `sample_s`: of nodes that are always on, where the habit shows between readings alone.
    `updates`: an offer of an update reaches the node, whole.
    """

    habits: Habits = field(default_factory=Habits)
    hears: bool = True
    tells: bool = True
    in_order: bool = True
    at_once: bool = True
    ends: int = 0
    sample_s: int = 0
    delivers: bool = True
    updates: bool = True


def _denies_commands(how: str) -> Personality:
    """An account that may only write."""
    habits = Habits(subscribe_denied=("#",), on_subscribe=how)
    steady = how in ("refuse", "grant")
    return Personality(habits, hears=False, at_once=steady, ends=0 if steady else 6)


def _takes_readings_alone(how: str) -> Personality:
    """An account that may write telemetry, and read commands."""
    habits = Habits(publish_denied=_EXTRAS, on_publish=how)
    steady = how == "acknowledge"
    return Personality(habits, tells=False, at_once=steady, ends=0 if steady else 12)


PERSONALITIES = {
    OBLIGING: Personality(),
    "refuses to be subscribed": _denies_commands("refuse"),
    "grants subscriptions and delivers nothing": _denies_commands("grant"),
    "closes on a SUBSCRIBE": _denies_commands("close"),
    "never answers a SUBSCRIBE": _denies_commands("ignore"),
    "drops what is no reading": _takes_readings_alone("acknowledge"),
    "closes on what is no reading": _takes_readings_alone("close"),
    "never answers what is no reading": _takes_readings_alone("ignore"),
    "closes on Home Assistant's topics": Personality(
        Habits(
            publish_denied=("homeassistant/#",),
            on_publish="close",
            subscribe_denied=("homeassistant/#",),
            on_subscribe="close",
        ),
        at_once=False,
        ends=6,
    ),
    "takes packets of 300 bytes": Personality(
        Habits(packet_max=300, unread_resets=True), at_once=False, ends=9, updates=False
    ),
    "takes retained messages of 200 bytes": Personality(
        Habits(retained_max=200), at_once=False, ends=6, updates=False
    ),
    "takes nothing retained": Personality(
        Habits(retained_max=-1, unread_resets=True), at_once=False, ends=14, updates=False
    ),
    "takes QoS 0 alone": Personality(
        Habits(qos_max=0), hears=False, tells=False, at_once=False, delivers=False
    ),
    "takes QoS 1 at most": Personality(Habits(qos_max=1)),
    "resets with bytes unread": Personality(Habits(unread_resets=True)),
    "answers early packets before CONNACK": Personality(Habits(early="answer"), at_once=False),
    "drops early packets": Personality(Habits(early="drop"), in_order=False, at_once=False),
    "never answers CONNECT with more behind it": Personality(Habits(early="hang"), at_once=False),
    "takes three early packets": Personality(
        Habits(early_max=3, unread_resets=True), at_once=False
    ),
    "takes 42 early packets": Personality(Habits(early_max=42), at_once=False),
    "brings queued messages late": Personality(Habits(queue_delay_ms=40)),
    "marks queued messages as retained": Personality(Habits(queue_retain=True), hears=False),
    "loses a message now and then": Personality(
        Habits(lost_publish=0.003), in_order=False, at_once=False, sample_s=5
    ),
}


def draw(rng: random.Random) -> str:
    """The broker of one world."""
    return OBLIGING if rng.random() < _OBLIGING_SHARE else rng.choice(list(PERSONALITIES))
