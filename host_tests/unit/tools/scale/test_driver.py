"""The driver, whole: a small fleet at one Mosquitto, through a proxy, into PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.mosquitto import need_mosquitto

from brokers.cache import Cache
from fieldpost.errors import CommandError
from fieldpost.paths import cache_folder
from scale.postgresql import find_postgresql

_RUN_S = 80


def need_parts() -> None:
    need_mosquitto("it keeps sessions over its restart")
    if find_postgresql() is None:
        pytest.skip("PostgreSQL is not installed")
    if not shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        try:
            Cache(cache_folder() / "brokers").debian("haproxy")
        except CommandError as error:
            pytest.skip(f"HAProxy can't be had: {error}")


@pytest.mark.slow
def test_a_small_fleet_loses_nothing_when_its_broker_restarts(tmp_path: Path) -> None:
    need_parts()
    output = tmp_path / "results.json"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "scale", "--only", "mosquitto", "--nodes", "40"),
            *("--every", "2", "--quick", "--loopback", "--faults", "storm"),
            *("--output", str(output)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=_RUN_S,
    )
    assert ran.returncode == 0, ran.stderr
    (cluster,) = json.loads(output.read_text())["clusters"]
    (fault,) = cluster["faults"]
    assert fault["stored"] == fault["acknowledged"] > 40
    assert fault["lost"] == fault["twice"] == fault["foreign"] == 0
    assert fault["reconnects"] >= 40 and fault["reached_per_s"] > 0
    assert fault["delivered_s"] < 60 and cluster["told"]
