"""Nodes with the firmware's own code, a broker that restarts, a collector that is killed: what the
nodes have accepted is what is stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rigs.collecting import LOSES_NOTHING, Collecting
from rigs.command_line import fieldpost
from rigs.mosquitto import need_mosquitto

from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_a_swarm_has_accepted_is_stored(tmp_path: Path) -> None:
    need_mosquitto("amqtt keeps nothing across a restart")
    store = f"sqlite:///{tmp_path}/readings.db"
    with Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as broker:
        with Collecting(broker, store) as first:
            first.says("storing into")
            words = ["--nodes", "40", "--minutes", "0.2", "--every", "1", "--sleeping", "0.3"]
            swarm = subprocess.Popen(
                [sys.executable, "-m", "fieldpost", "swarm", *words, "--no-watch", "--json"],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT / "tools"),
                    "FIELDPOST_BROKER": broker.url,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(4)
            first.kill()
            broker.stop()
            broker.start()
        with Collecting(broker, store) as second:
            second.says("storing into")
            told = json.loads(swarm.communicate(timeout=180)[0])
            assert told["ok"] and told["accepted"] > 200, told
            time.sleep(1)
            assert second.terminate() == 0
    ran = fieldpost("gaps", "--store", store, "--json")
    found = json.loads(ran.out)
    assert ran.status == 0 and found["readings"] == told["accepted"], (found, told)
