"""An update entity in a real Home Assistant shows what there is, and its button installs it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from rigs.home_assistant import RealHomeAssistant, need_home_assistant
from rigs.mosquitto import need_mosquitto
from rigs.update_field import Field, states, until
from rigs.update_keys import make_keys
from rigs.update_release import make_release

from fieldpost.mqtt.brokers import Broker


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_real_home_assistant_shows_it_and_installs_it(tmp_path: Path) -> None:
    need_home_assistant()
    need_mosquitto("Home Assistant's client and amqtt are not what this is about")
    keys = make_keys(tmp_path / "keys")
    release = make_release(keys, size=30_000)
    real = RealHomeAssistant(tmp_path / "home")
    with (
        Broker("mosquitto") as broker,
        real.running(broker.port) as home,
        Field(broker, keys) as field,
    ):
        node = field.node("roof", loses=5)
        states_seen: list[dict[str, Any]] = []

        def state() -> dict[str, Any]:
            all_ = home.ask("get_states")
            found = [one for one in all_ if one["entity_id"].startswith("update.")]
            if found:
                told = {"state": found[0]["state"], **found[0]["attributes"]}
                told["entity_id"] = found[0]["entity_id"]
                states_seen.append(told)
                return told
            return {}

        def live() -> None:
            until(lambda: state().get("state") == "on", 60)
            assert state()["installed_version"] == "0.1.0 (0)"
            assert state()["latest_version"] == "0.2.0 (1)" and not node.offers
            home.ask(
                "call_service",
                domain="update",
                service="install",
                service_data={"entity_id": state()["entity_id"]},
            )
            until(lambda: state().get("state") == "off", 60)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        words = ("--release", str(release.folder), "--all", "--home-assistant")
        ran = field.update(*words)
        thread.join(20)
        assert ran.status == 0 and states(ran) == {"roof": "done"}, ran
        shown = [one for one in states_seen if "installed_version" in one][-1]
        assert shown["installed_version"] == shown["latest_version"] == "0.2.0 (1)"
        assert any(one.get("in_progress") for one in states_seen)
        until(lambda: state()["state"] == "unavailable", 20)
