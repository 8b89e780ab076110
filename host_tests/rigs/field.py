"""One sleeping node in the field for some hours, with a rain gauge and a door; nothing fails."""

import json
from typing import Any

import pytest

from fakes.broker import Record
from simulation.endings import EndOfRun
from simulation.run import Run
from simulation.scenario import BROKER, NodeScenario, Scenario

_RAIN, _DOOR = 4, 13

# Its phase is 0: the grid of its readings begins with its start.
NODE = "field-csjpaspl"


_SAMPLE_S = 300


_SECRETS = {"wifi": [{"ssid": "greenhouse", "password": "12345678"}]}


def configured(sensors: list[dict], **config: Any) -> dict[str, Any]:
    """The configuration of a node with these sensors."""
    return {
        "node": NODE,
        "commands": "all",
        "mode": "duty_cycle",
        "sample_s": _SAMPLE_S,
        "mqtt": {"host": BROKER},
        "ntp": {"host": None},
        "sensors": sensors,
        **config,
    }


class Field:
    """One node for so many hours, nothing going wrong. `readings`: as they arrive, with `at`."""

    def __init__(self, port: str, sensors: list[dict], hours: float = 1.0, **config: Any) -> None:
        found = configured(sensors, **config)
        name = found["node"]
        node = NodeScenario(name, port, found, _SECRETS, False, 1 << 20, 2000, 0, 0, 0)
        # Its calm never comes: the run ends with the last second before the full hour.
        self.run = Run(Scenario(1, 1e9, [node], []))
        end_us = int(hours * 3600e6) - 1_000_000
        self.run.world.at(end_us, self.run.world.interrupt, EndOfRun(), self.run.world.main)
        self.machine = self.run.machines[0]
        self.machine.rng.seed("n 1")  # Whatever its name, its radio has these dice.
        self.readings: list[dict[str, Any]] = []
        self.health: dict[str, Any] = {}
        self.run.broker.watch(f"fieldpost/{name}/telemetry", self._read)
        self.run.broker.watch(f"fieldpost/{name}/health", self._note)

    def _read(self, record: Record) -> None:
        self.readings.append({**json.loads(record.payload), "at": self.run.world.now_us / 1e6})

    def _note(self, record: Record) -> None:
        self.health = json.loads(record.payload)

    def pulse(self, at_s: float, duration_s: float = 0.08) -> None:
        self.machine.pins.drive(at_s, _RAIN, 0)
        self.machine.pins.drive(at_s + duration_s, _RAIN, 1)

    def door(self, at_s: float, level: int) -> None:
        self.machine.pins.drive(at_s, _DOOR, level)

    def times(self) -> list[float]:
        """Of the sampling, from the trace: seconds of the run."""
        lines = [(one[0] / 1e6, str(one[-1])) for one in self.run.world.trace]
        return [at for at, text in lines if " sample " in text and "stored" in text]


ports = pytest.mark.parametrize("port", ["esp32", "rp2"])
