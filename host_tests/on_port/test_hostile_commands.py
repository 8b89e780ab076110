"""A node in MicroPython that is told anything at all answers each in words, and goes on."""

from __future__ import annotations

from pathlib import Path

from rigs import hostile_commands
from rigs.commanded_node import Node

from fieldpost.mqtt.brokers import Broker


def test_any_command_at_all_is_refused_in_words_and_the_node_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    node = Node(tmp_path, "told", broker)
    node.start()
    try:
        hostile_commands.check(hostile_commands.answers("told", broker))
    finally:
        node.close()
