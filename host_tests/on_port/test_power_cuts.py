"""Durability "reading" on real littlefs: nothing accepted is lost, whichever write is the last."""

from __future__ import annotations

from rigs.breaking import cut_power


def test_a_power_cut_at_any_block_write_of_real_littlefs_loses_nothing_accepted() -> None:
    reports = cut_power()
    assert [(one["half"], one["doing"]) for one in reports] == [
        (half, doing) for half in (False, True) for doing in ("open", "put", "acknowledge")
    ]
    assert sum(one["cuts"] for one in reports) > 1000
    for report in reports:
        assert report["cuts"] > 0
        assert report["lost"] == [] and report["disordered"] == []
        assert report["corrupt"] == 0 and report["unusable"] == 0
        # A segment of 4 KiB holds 15 of these records; one more may have been on its way.
        assert report["resent_at_most"] <= 16
