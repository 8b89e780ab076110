"""Judges discovery messages by Home Assistant's own code; run by hand, where it is installed.

    python -m venv VENV && VENV/bin/pip install homeassistant paho-mqtt   # 400 MB
    PYTHONPATH=tools:. VENV/bin/python host_tests/rigs/home_assistant_schema.py FILE.json ...

Each file holds one device discovery payload. Up to 2024.3, the last for Python 3.11, Home
Assistant knows no device discovery, but the schema of each component is the same: the payload is
taken apart as later versions do it. Its templates are rendered with a reading. Prints what is
refused, and where our own validator (`fieldpost.messages.home_assistant`) disagrees; then the exit
status is 1.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from fieldpost.messages.home_assistant import problems

READING = {"boot": 3, "seq": 41, "ts": 1795368917}
HEALTH = {
    "rssi": -61,
    "uptime_s": 77,
    "outbox": 0,
    "dropped": 0,
    "reset": "power-on",
    "firmware": "0.1.0",
    "sample_s": 60,
    "deliver_every": 3,
    "log_level": "info",
}


def expanded(part: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in part.items()}


def refusals(document: dict[str, Any]) -> list[str]:
    """What Home Assistant's schemas, device classes and templates find wrong."""
    mqtt = "homeassistant.components.mqtt."
    short = importlib.import_module(mqtt + "abbreviations")
    classes = importlib.import_module("homeassistant.components.sensor.const")
    jinja = importlib.import_module("jinja2").Environment()
    shared = expanded(document, short.ABBREVIATIONS)
    shared.pop("cmps", None)
    shared["device"] = expanded(document["dev"], short.DEVICE_ABBREVIATIONS)
    shared["origin"] = expanded(document["o"], short.ORIGIN_ABBREVIATIONS)
    shared = {key: value for key, value in shared.items() if key not in ("dev", "o")}
    found = []
    for key, part in document["cmps"].items():
        platform = part["p"]
        module = importlib.import_module(mqtt + platform)
        own = expanded({k: v for k, v in part.items() if k != "p"}, short.ABBREVIATIONS)
        takes = ("device", "origin", "qos", "availability_topic", "availability_template")
        if platform not in ("button",):
            takes += ("state_topic",)
        whole = {**{name: shared[name] for name in takes if name in shared}, **own}
        try:
            # The schema for a file of YAML, which drops no unknown key as that for discovery does.
            checked = module.PLATFORM_SCHEMA_MODERN(whole)
        except Exception as error:
            found.append(f"{key}: {error}")
            continue
        if platform == "sensor" and checked.get("device_class"):
            kind = checked["device_class"]
            if checked.get("unit_of_measurement") not in classes.DEVICE_CLASS_UNITS[kind]:
                found.append(f"{key}: unit {checked.get('unit_of_measurement')} of {kind}")
            state = checked.get("state_class")
            if state and state not in classes.DEVICE_CLASS_STATE_CLASSES[kind]:
                found.append(f"{key}: state class {state} of {kind}")
        if platform in ("sensor", "binary_sensor") and checked.get("entity_category") == "config":
            found.append(f"{key}: category config")
        if "val_tpl" in part:
            of_health = part.get("stat_t", "").endswith("/health")
            value = HEALTH if of_health else {**READING, key: 1}
            said = jinja.from_string(part["val_tpl"]).render(value_json=value)
            wanted = str(HEALTH[key.split(".", 1)[1]] if of_health else 1)
            if said != wanted:
                found.append(f"{key}: template says {said!r}, not {wanted!r}")
        if "cmd_tpl" in part:
            value = 30 if platform == "number" else "debug"
            sent = jinja.from_string(part["cmd_tpl"]).render(value=value, now=_Now)
            command = json.loads(sent)
            if not (isinstance(command["id"], str) and 0 < len(command["id"]) <= 32):
                found.append(f"{key}: the command's id {command['id']!r}")
    return found


class _Now:
    @staticmethod
    def timestamp() -> float:
        return 1795368917.123456


def main(paths: list[str]) -> int:
    failed = False
    for path in paths:
        document = json.loads(Path(path).read_text())
        theirs, ours = refusals(document), problems(document)
        for text in theirs:
            print(f"{path}: {text}")
        if bool(theirs) != bool(ours):
            print(f"{path}: our validator disagrees: {ours}")
            failed = True
        failed = failed or bool(theirs)
        print(f"{path}: {len(document['cmps'])} components, {len(theirs)} refused")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
