"""A node's commands on a flash, with everything else of the node stood in for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from fakes.flash import FakeFlash
from firmware.config import change as settings
from firmware.config import check as schema
from firmware.remote.commands import Actions, Commands
from firmware.remote.inbox import Inbox

CONFIG = {
    "node": "n",
    "commands": "all",
    "sample_s": 60,
    "mqtt": {"host": "broker.example"},
}
SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
TOPIC = b"fieldpost/n/cmd"


class Session:
    """Keeps what is published; `others`: of it, what the broker has not acknowledged yet."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.others: list[int] = []
        self.careful = None

    def publish(self, _topic: bytes, payload: bytes, _retain: bool, _qos: int) -> None:
        self.answers.append(json.loads(payload))
        self.others.append(len(self.answers))


class Told:
    """A node that is told something, on a flash."""

    node: Any

    def __init__(self) -> None:
        self.flash = FakeFlash()
        settings._files.write_atomic("config.json", json.dumps(CONFIG).encode(), self.flash)
        self.restarts = 0
        self.start()

    def step_trial(self, is_up: bool, uptime_ms: int) -> bool:
        link = SimpleNamespace(is_up=is_up, failure=None if is_up else "no answer")
        clock = SimpleNamespace(uptime_ms=lambda: uptime_ms)
        return self.trial.step(SimpleNamespace(link=link, clock=clock))

    def start(self) -> None:
        self.session = Session()
        self.trial = settings.Trial(self.flash)
        self.applied: dict[str, Any] = {}
        self.blinks_s: list[int] = []
        self.samples_asked: list[bool] = []
        node = self.node = SimpleNamespace(
            link=SimpleNamespace(session=self.session),
            apply=self.applied.__setitem__,
            publish_health=lambda: None,
            sample_now=lambda: self.samples_asked.append(True),
            signals=SimpleNamespace(identify=self.blinks_s.append),
            clock=SimpleNamespace(uptime_ms=lambda: 7000),
            stay_awake_until_ms=0,
            uplink=SimpleNamespace(discovery=None),
            identity=SimpleNamespace(boot=7),
        )
        actions = Actions(node, self.flash, self._restart)
        actions.checker = lambda: lambda found: schema.check(found, SECRETS)  # type: ignore[method-assign]
        self.inbox = Inbox(TOPIC, self.trial, self.flash, self._restart, lambda _text: None)
        self.lines: list[str] = []
        self.commands = Commands(
            node, self.inbox, actions, self.trial, self.lines.append, self.flash
        )

    def _restart(self) -> None:
        self.restarts += 1

    def send(self, name: str, do: str, **more: Any) -> None:
        self.inbox.receive(TOPIC, json.dumps({"id": name, "do": do, **more}).encode(), False)

    def set(self, name: str, key: str, value: Any) -> dict[str, Any]:
        self.session.others.clear()  # What was answered before has arrived.
        self.send(name, "set", key=key, value=value)
        self.commands.step()
        return self.session.answers[-1]

    def names(self) -> list[str | None]:
        return [one["id"] for one in self.session.answers]

    def acknowledge(self) -> None:
        self.session.others.clear()
        self.commands.step()

    def config(self) -> dict[str, Any]:
        return json.loads(self.flash.files["config.json"])
