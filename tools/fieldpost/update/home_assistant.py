"""Home Assistant's update entities: what each node runs, what there is, how far it is, a button.

They are this computer's, not the node's: it has the release. While it does not run, they are
unavailable. MQTT discovery as Home Assistant documents it, one message for each entity, which
joins the device that the node itself announces.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fieldpost.release.folder import Release
from fieldpost.update import show
from fieldpost.update.node import GOOD, TRIED, UNDER_WAY, UNTRIED, Node

# Below the node's own topics, and below the base.
INSTALL, STATE = "update/install", "update/home_assistant"
SERVER = "updates"
PRESSED = b"install"
ONLINE, OFFLINE = b"online", b"offline"
_SUMMARY_MAX = 255
# (topic, message): publishes it to be kept; whether the broker has it.
Keep = Callable[[str, bytes], bool]


def server_topic(base: str) -> str:
    """Where it stands whether this computer serves updates."""
    return f"{base}/{SERVER}"


class Entities:
    """keep: publishes. Call `refresh` a few times a second: it says what is new, once."""

    def __init__(self, release: Release, prefix: str, base: str, keep: Keep) -> None:
        self._release = release
        self._prefix = prefix
        self._base = base
        self._keep = keep
        self._kept: dict[str, bytes] = {}

    def refresh(self, nodes: Sequence[Node]) -> None:
        """Of each node that takes updates at all."""
        self._tell(server_topic(self._base), ONLINE)
        for one in nodes:
            if one.report is not None and one.report.installed is not None:
                self._tell(config_topic(self._prefix, one.name), self._config(one.name))
                state = json.dumps(_state(one, self._release), ensure_ascii=False)
                self._tell(f"{self._base}/{one.name}/{STATE}", state.encode())

    def forget(self) -> None:
        """The broker may have: say all of it again."""
        self._kept.clear()

    def close(self) -> None:
        """Nobody serves any more."""
        self._keep(server_topic(self._base), OFFLINE)

    def _tell(self, topic: str, message: bytes) -> None:
        if self._kept.get(topic) != message and self._keep(topic, message):
            self._kept[topic] = message

    def _config(self, node: str) -> bytes:
        root = f"{self._base}/{node}/"
        return json.dumps(
            {
                "name": "Update",
                "unique_id": f"{node}.update",
                "device": {"identifiers": f"fieldpost_{node}", "name": node},
                "origin": {"name": "Fieldpost"},
                "device_class": "firmware",
                "entity_category": "config",
                "state_topic": root + STATE,
                "command_topic": root + INSTALL,
                "payload_install": PRESSED.decode(),
                "availability_topic": server_topic(self._base),
                "qos": 1,
            }
        ).encode()


def config_topic(prefix: str, node: str) -> str:
    """Where Home Assistant looks for a node's update entity."""
    return f"{prefix}/update/fieldpost_{node}/config"


def _state(node: Node, release: Release) -> dict[str, Any]:
    assert node.report and node.report.installed
    has = node.report.installed
    installed = has.words()
    # What is not for it is nothing to install.
    is_for_it = node.state not in (*GOOD, *UNTRIED)
    summary = node.text if node.state in (*TRIED, *UNTRIED) else ""
    percent = show.percent(node) if node.state == "fetching" else None
    return {
        "installed_version": installed,
        "latest_version": f"{release.version} ({release.counter})" if is_for_it else installed,
        "title": "Fieldpost",
        "release_summary": summary[:_SUMMARY_MAX],
        "update_percentage": percent,
        "in_progress": node.state in UNDER_WAY,
    }
