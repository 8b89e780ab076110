"""Topics and messages of a node, made up where none is there, for the trial of a broker."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

# What a node with a few sensors tells Home Assistant: 4 to 12 kB.
_DISCOVERY_BYTES = 6_000
_TEST = b'{"test":"fieldpost doctor"}'
READING = "readings"


@dataclass(frozen=True)
class Message:
    """One that a node publishes. without: what does not work if the broker does not take it."""

    name: str
    topic: str
    data: bytes
    without: str
    qos: int = 1
    retain: bool = True


class Topics:
    """Those of one node. base, prefix: as in its configuration, mqtt.base and Home Assistant's."""

    def __init__(self, node: str, base: str, prefix: str) -> None:
        root = f"{base}/{node}"
        self._node = node
        self.telemetry, self.status = f"{root}/telemetry", f"{root}/status"
        self.health, self.result = f"{root}/health", f"{root}/cmd/result"
        self.command = f"{root}/cmd"
        self.updates = f"{root}/update/offer", f"{root}/update/piece"
        self.birth = f"{prefix}/status"
        self.discovery = f"{prefix}/device/{node}/config"

    def watched(self) -> tuple[str, ...]:
        """Those on which to see what the broker passes on."""
        return (
            *(self.status, self.health, self.discovery, self.telemetry, self.result),
            *(self.command, *self.updates),
        )

    def reading(self) -> Message:
        """No reading, and yet it comes where readings do."""
        return Message(READING, self.telemetry, _TEST, "the readings are lost", retain=False)

    def extras(self, there: dict[str, bytes]) -> Iterator[Message]:
        """All but a reading, one after the other. there: what is retained, which is sent as it is
        at that time."""
        yield Message(
            "status",
            self.status,
            there.get(self.status, b'{"state":"offline","by":"fieldpost doctor"}'),
            "nobody sees whether the node is online",
        )
        yield Message(
            "health",
            self.health,
            there.get(self.health, _TEST),
            "the node's health, and what it lacks, is not seen",
            qos=0,
        )
        yield Message(
            "answers to commands",
            self.result,
            _TEST,
            "a command is done, and nobody is told",
            retain=False,
        )
        document = there.get(self.discovery) or _discovery(self._node)
        yield Message(
            "discovery",
            self.discovery,
            document,
            "Home Assistant does not find the node",
        )


def _discovery(node: str) -> bytes:
    """As long as a node's, and for Home Assistant a device without anything: a component with
    its platform alone is one that was removed."""
    document = {
        "dev": {"ids": f"fieldpost_{node}", "name": "Fieldpost doctor"},
        "o": {"name": "Fieldpost"},
        "cmps": {},
    }
    room = _DISCOVERY_BYTES - len(json.dumps(document))
    one = len('"cmp_000": {"p": "sensor"}, ')
    document["cmps"] = {f"cmp_{n:03}": {"p": "sensor"} for n in range(room // one)}
    return json.dumps(document).encode().ljust(_DISCOVERY_BYTES)
