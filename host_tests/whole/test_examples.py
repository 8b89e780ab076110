"""Each example runs as it stands, with emulated sensors, and Home Assistant would find it.

What Mosquitto got from it stands in the example's README; with WRITE_EXAMPLES=1 in its environment
this test writes it there anew.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from rigs.port import port_environment
from rigs.port_node import PortNode, Witness, wait_until

from fieldpost.messages.home_assistant import problems
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT

EXAMPLES = ROOT / "examples"
BEGIN = "<!-- Captured from Mosquitto by host_tests/whole/test_examples.py -->"
END = "<!-- End of what was captured -->"
SENSORS = {
    "greenhouse": {"temperature", "humidity", "supply_mv"},
    "freezer": {"temperature", "supply_mv"},
    "weather": {"temperature", "humidity", "pressure"},
}
_CLOCK = 1795368917  # in place of the time of day at which it was captured


def run(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The example's first reading and its discovery message, as a subscriber gets them."""
    config = json.loads((EXAMPLES / name / "config.json").read_text())
    node = config["node"]
    with Broker() as broker, Witness(broker.port) as witness:
        # What is the desk's own: another broker, no time server, nobody who wants to interrupt.
        config["mqtt"] |= {"host": "127.0.0.1", "port": broker.port}
        config |= {"ntp": {"host": None}, "boot_window_s": 0}
        path = port_environment(ROOT / "host_tests")["MICROPYPATH"]
        script = PortNode(folder, config, script="example_node.py", EXAMPLE=name, MICROPYPATH=path)
        topic = f"homeassistant/device/{node}/config"
        with script:
            wait_until(lambda: witness.said(topic) and witness.account.delivered)
            script.says("asleep for")
        ((_, reading),) = witness.account.delivered.items()
        (document,) = witness.said(topic)
    return {**reading, "ts": _CLOCK}, document


def captured(name: str, reading: dict[str, Any], document: dict[str, Any]) -> str:
    """The README's part: each component on a line of its own."""
    base = f"fieldpost/{json.loads((EXAMPLES / name / 'config.json').read_text())['node']}"
    parts = ",\n".join(
        f"  {json.dumps(key)}: {_json(part)}" for key, part in document["cmps"].items()
    )
    rest = ",\n".join(
        f' "{key}": {_json(document[key])}' for key in sorted(document.keys() - {"cmps"})
    )
    return (
        f"{BEGIN}\n`{base}/telemetry`:\n\n```json\n{json.dumps(reading)}\n```\n\n"
        f"<details><summary><code>{_topic(document)}</code>, by which Home Assistant finds it"
        f"</summary>\n\n```json\n{{\n{rest},\n"
        f' "cmps": {{\n{parts}\n }}\n}}\n```\n\n</details>\n{END}'
    )


def _json(value: Any) -> str:
    # MicroPython's objects have no order to rely on.
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _topic(document: dict[str, Any]) -> str:
    return f"homeassistant/device/{document['dev']['name']}/config"


def in_readme(name: str) -> str:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def write(name: str, text: str) -> None:
    path = EXAMPLES / name / "README.md"
    old = path.read_text(encoding="utf-8")
    title = "" if BEGIN in old else "\n## What it publishes\n"
    before, after = (old, "\n") if title else (old.partition(BEGIN)[0], old.partition(END)[2])
    path.write_text(before + title + text + after, encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SENSORS))
def test_an_example_publishes_what_its_readme_shows_and_home_assistant_accepts_it(
    name: str, tmp_path: Path
) -> None:
    reading, document = run(name, tmp_path / "node")
    assert reading.keys() - {"boot", "seq", "ts"} == SENSORS[name]
    assert problems(document) == []
    entities = {key for key, part in document["cmps"].items() if "." not in key}
    assert entities == SENSORS[name]
    text = captured(name, reading, document)
    if os.getenv("WRITE_EXAMPLES"):
        write(name, text)
    assert in_readme(name) == text, "the README shows something else: WRITE_EXAMPLES=1 mends it"


def test_what_the_readmes_show_are_the_messages_of_the_examples_that_there_are() -> None:
    assert {one.parent.name for one in EXAMPLES.glob("*/config.json")} == SENSORS.keys()
    for name in SENSORS:
        shown = [
            json.loads(one) for one in re.findall(r"```json\n({.*?})\n```", in_readme(name), re.S)
        ]
        assert len(shown) == 2 and problems(shown[1]) == []
