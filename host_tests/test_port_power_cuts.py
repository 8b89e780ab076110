"""Durability "reading" on real littlefs: nothing accepted is lost, whichever write is the last."""

from __future__ import annotations

import json

from micropython_port import run_port


def test_a_power_cut_at_any_block_write_of_real_littlefs_loses_nothing_accepted() -> None:
    report = json.loads(run_port("power_cuts.py").strip().splitlines()[-1])
    assert report["cuts"] > 500
    assert report["lost"] == [] and report["disordered"] == []
    assert report["corrupt"] == 0 and report["unusable"] == 0
    # A segment of 4 KiB holds 15 of these records; one more may have been on its way.
    assert report["resent_at_most"] <= 16
