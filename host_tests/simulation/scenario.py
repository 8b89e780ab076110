"""What a seed makes of a run: the nodes, their configuration, and when what goes wrong."""

import math
import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from firmware.config.check import check
from simulation import battery, commands, personalities, updates  # noqa: F401  register their kinds
from simulation.faults import GROUPS, PER_NODE
from simulation.limits import ALARM_ABOVE, LOW_BATTERY

BROKER, TIME_SERVER = "broker.example", "time.example"
# Of the nodes at a broker with habits, those that publish to Home Assistant's topics as well.
_DESCRIBED_SHARE = 0.5
_TLS_SHARE = 0.15
_UPDATED_SHARE = 0.2
# Beside what the outbox was promised: for two firmwares, and what a change of one leaves.
_UPDATE_BYTES = 65536
_TICKS_PERIOD_MS = 1 << 30
_ONE_SENSOR = [{"type": "internal"}]
_TWO_SENSORS = [*_ONE_SENSOR, {"type": "simulated", "fail_every": 9}]
_SPARING = [
    *_ONE_SENSOR,
    {
        "type": "simulated",
        "fail_every": 7,
        "median": 3,
        "every": 3,
        "fields": ["temperature"],
        "alarms": [{"field": "temperature", "change": 4}],
    },
]


class Fault(NamedTuple):
    start_s: float
    duration_s: float
    kind: str
    node: int  # -1: all of them


@dataclass
class NodeScenario:
    """One node: which port, which files, what its flash is like, where its counters begin.

    `settings`: those of its files, checked, as they are before any command.
    """

    name: str
    port: str
    config: dict[str, Any]
    secrets: dict[str, Any]
    harsh: bool
    flash_bytes: int
    epoch_year: int
    ticks_ms: int
    packet_id: int
    drift_ppm: int
    settings: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._check()

    def change(self, **config: Any) -> None:
        """Change its configuration, before it has started."""
        self.config.update(config)
        self._check()

    def _check(self) -> None:
        settings, errors = check(self.config, self.secrets)
        assert settings and not errors, errors
        self.settings = settings


@dataclass
class Scenario:
    """A whole run: faults until `calm_s`, then none."""

    seed: int
    calm_s: float
    nodes: list[NodeScenario]
    faults: list[Fault]
    early: bool = True
    password: str | None = None
    largest_backlog: int = 0
    groups: list[str] = field(default_factory=list)
    broker: str = personalities.OBLIGING
    tls: bool = False
    updates: bool = False

    @property
    def personality(self) -> personalities.Personality:
        return personalities.PERSONALITIES[self.broker]


def make(
    seed: int,
    hours: float,
    nodes: int = 0,
    groups: list[str] | None = None,
    sleeps: bool | None = None,
    broker: str | None = None,
) -> Scenario:
    """The scenario of a seed. The rest: in place of what the seed would choose. Where the groups
    of faults are chosen, the broker is an obliging one unless it is chosen, too."""
    rng = random.Random(f"scenario {seed}")
    calm_s = hours * 3600
    password = rng.choice((None, "secret"))
    count = nodes or rng.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 3))
    made = [_node(f"node-{index}", rng, password, sleeps) for index in range(count)]
    chosen = groups if groups is not None else _choose_groups(rng)
    scenario = Scenario(seed, calm_s, made, [], rng.random() < 0.9, password)
    scenario.groups = chosen
    _choose_broker(scenario, broker, groups is None)
    _choose_tls(scenario, groups)
    _choose_updates(scenario, groups)
    for group in chosen:
        targets = range(count) if group in PER_NODE else (-1,)
        for target in targets:
            scenario.faults += _faults(group, target, calm_s, rng)
    scenario.faults.sort()
    return scenario


def _choose_broker(scenario: Scenario, broker: str | None, draws: bool) -> None:
    """By dice of its own: a seed's faults are those that they were before brokers had habits."""
    rng = random.Random(f"broker {scenario.seed}")
    drawn = personalities.draw(rng)
    scenario.broker = broker or (drawn if draws else personalities.OBLIGING)
    if scenario.broker == personalities.OBLIGING:
        return
    for node in scenario.nodes:
        if rng.random() < _DESCRIBED_SHARE:
            node.change(home_assistant="homeassistant")
        if scenario.personality.sample_s and node.settings["mode"] == "always_on":
            node.change(sample_s=scenario.personality.sample_s)


def _choose_tls(scenario: Scenario, groups: list[str] | None) -> None:
    """By dice of its own, as the broker is chosen: a world speaks TLS or does not."""
    rng = random.Random(f"tls {scenario.seed}")
    drawn = rng.random() < _TLS_SHARE
    if not (drawn if groups is None else "tls" in groups):
        return
    scenario.tls = True
    for node in scenario.nodes:
        # Without a time server nothing can be verified.
        verifies = bool(node.config["ntp"]["host"]) and rng.random() < 0.7
        tls = {"ca_file": "ca.der"} if verifies else {"insecure_skip_verify": True}
        node.change(mqtt={**node.config["mqtt"], "port": 1883, "tls": tls})
    if groups is None:
        scenario.faults += _faults("tls", -1, scenario.calm_s, rng)


def _choose_updates(scenario: Scenario, groups: list[str] | None) -> None:
    """By dice of its own, as well: its nodes have keys, or have none."""
    rng = random.Random(f"updates {scenario.seed}")
    drawn = rng.random() < _UPDATED_SHARE
    if not (drawn if groups is None else "updates" in groups):
        return
    scenario.updates = True
    for target, node in enumerate(scenario.nodes):
        promised_bytes = node.config["outbox"]["flash_kib"] * 1024
        node.flash_bytes = max(node.flash_bytes, promised_bytes) + _UPDATE_BYTES
        if groups is None:
            scenario.faults += _faults("updates", target, scenario.calm_s, rng)


def _choose_groups(rng: random.Random) -> list[str]:
    names = [name for name in GROUPS if name not in ("tls", "updates")]
    return [name for name in names if rng.random() < 0.6] or [rng.choice(names)]


def _faults(group: str, target: int, calm_s: float, rng: random.Random) -> list[Fault]:
    """Faults of one group never overlap on one target."""
    kinds = GROUPS[group]
    gap_s = calm_s / rng.choice((2, 6, 6, 20))
    faults = []
    at_s = rng.expovariate(1 / gap_s)
    while at_s < calm_s:
        kind = rng.choice(list(kinds))
        shortest_s, longest_s = kinds[kind].seconds
        duration_s = math.exp(rng.uniform(math.log(shortest_s), math.log(longest_s)))
        duration_s = min(duration_s, calm_s - at_s)
        faults.append(Fault(at_s, duration_s, kind, target))
        at_s += duration_s + rng.expovariate(1 / gap_s)
    return faults


def _node(
    name: str, rng: random.Random, password: str | None, sleeps: bool | None
) -> NodeScenario:
    port = rng.choice(("esp32", "rp2", "unix"))
    flash_kib = rng.choice((256, 256, 256, 64, 32, 8, 0))
    config: dict[str, Any] = {
        "node": name,
        "commands": "all",
        "sample_s": 60,
        "health_s": rng.choice((300, 300, 3600)),
        "watchdog_s": 0 if rng.random() < 0.9 else 8 if port == "rp2" else 30,
        "mqtt": {
            "host": BROKER,
            "keepalive_s": 60 if rng.random() < 0.8 else rng.choice((15, 300)),
            "clean": rng.random() < 0.7,
            "early": rng.random() < 0.8,
            "timeout_s": rng.choice((5, 10, 10, 14)),
            "window": rng.choice((1, 8, 64, 512, 512)),
        },
        "outbox": {
            "ram_readings": rng.choice((1, 8, 64, 64, 64)),
            "flash_kib": flash_kib,
            "durability": rng.choice(("outage", "outage", "reading")) if flash_kib else "outage",
        },
        "ntp": {"host": rng.choice((TIME_SERVER, TIME_SERVER, TIME_SERVER, None))},
        "led": rng.random() < 0.02,
        "retry": {"cap_s": rng.choice((60, 300, 300))},
        "sensors": rng.choice((_ONE_SENSOR, _SPARING, _TWO_SENSORS)),
    }
    if sleeps or (sleeps is None and rng.random() < 0.2):
        config["mode"] = "duty_cycle"
        # A broker that forgets the session forgets the commands for a sleeping node.
        config["mqtt"]["clean"] = rng.random() < 0.2
        # An outbox without flash may be too small to hold five.
        config["deliver_every"] = rng.choice((1, 1, 5)) if flash_kib else 1
        config["watchdog_s"] = 0
        config["led"] = None
        if port != "esp32":  # which does not measure its own supply
            config["low_battery"] = LOW_BATTERY
        if rng.random() < 0.5:
            alarms = [{"field": "die_temperature", "above": ALARM_ABOVE}]
            config["sensors"] = [{"type": "internal", "alarms": alarms}, *config["sensors"][1:]]
    secrets = {"wifi": [{"ssid": "greenhouse", "password": "12345678"}]}
    if password:
        secrets["mqtt"] = {"user": name, "password": password}
    kept_bytes = flash_kib * 1024
    return NodeScenario(
        name,
        port,
        config,
        secrets,
        harsh=rng.random() < 0.4,
        # Now and then less flash than the outbox was promised.
        flash_bytes=max(65536, kept_bytes * 2 if rng.random() < 0.9 else kept_bytes // 2),
        epoch_year=1970 if port == "unix" or rng.random() < 0.3 else 2000,
        ticks_ms=(_TICKS_PERIOD_MS - rng.randrange(int(8 * 3600e3))) % _TICKS_PERIOD_MS,
        packet_id=rng.choice((0, 65535 - rng.randrange(300), rng.randrange(65536))),
        drift_ppm=rng.choice((0, 20, -20)),
    )
