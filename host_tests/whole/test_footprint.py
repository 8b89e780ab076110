"""The default node stays small: all the bytecode that it loads, before any board is asked."""

from __future__ import annotations

import json
from pathlib import Path

from rigs.port import run_port

from benchmarks import bench_board, footprint
from fieldpost.config.checked import with_checked
from fieldpost.deploy.build import for_pico_w
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.paths import ROOT

_RUN = """
import sys, measure
measure.measure_node(3)
print(" ".join(sys.modules))
"""
# Of the port that the node runs in here, and of the board that counts.
_HERE, _THERE = (
    "firmware.board.unix",
    "firmware.board.common firmware.board.common_radio firmware.board.rp2",
)
# As much as it was with a tree of modules on the board, before there was a module that finds all
# others in one file.
_MOST_BYTES = 44_974


def test_the_default_node_loads_no_more_bytecode_than_from_a_tree_of_modules(
    tmp_path: Path,
) -> None:
    with Broker() as broker:
        config = bench_board.configuration("rp2", mqtt={"host": HOST, "port": broker.port})
        secrets = {"wifi": [{"ssid": "net", "password": "eight characters"}]}
        files = {"config.json": config, "secrets.json": secrets}
        made = with_checked({name: json.dumps(one).encode() for name, one in files.items()})
        for name, data in made.items():
            (tmp_path / name).write_bytes(data)
        said = run_port(_RUN, cwd=tmp_path, first=(ROOT / "host_tests" / "board",))
    modules = said.splitlines()[-1].replace(_HERE, _THERE).split()
    # A board measures its own temperature; the desk has none, and loads why that failed.
    modules.remove("firmware.readings.failure")
    modules.remove("firmware.board.elsewhere")
    built = for_pico_w()
    sizes = {name: len(data) for name, data in built.modules.items()}
    sizes["lib/module_pack.mpy"] = len(built.files["module_pack.mpy"])
    modules.append("module_pack")
    loaded = {name: sizes[name] for name in footprint.files_of(modules, sizes)}
    assert not [name for name in loaded if name.startswith(bench_board.CHECKS)], (
        "the host had checked"
    )
    assert {
        "firmware/net/mqtt_session.mpy",
        "firmware/board/rp2.mpy",
        "lib/wire.mpy",
        "lib/module_pack.mpy",
    } < loaded.keys()
    assert sum(loaded.values()) <= _MOST_BYTES, "\n".join(
        f"{size:6} {name}" for name, size in sorted(loaded.items(), key=lambda one: one[1])
    )
