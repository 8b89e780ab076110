"""What the outbox lost is told after a restart too, and a spoilt file makes no counts up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest

from firmware import files
from firmware.readings import loss_counts


def outbox(dropped: int = 0, corrupt: int = 0, refused: int = 0) -> Any:
    return SimpleNamespace(dropped=dropped, corrupt=corrupt, refused=refused)


@pytest.mark.parametrize("lost", [(3, 0, 0), (0, 2, 0), (0, 0, 7), (1, 2, 3)])
def test_each_count_comes_back_and_is_added_to_what_was_lost_since(
    lost: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loss_counts.keep(outbox(*lost))
    after = outbox(10, 20, 30)
    loss_counts.restore(after, (tmp_path / files.LOSSES).read_bytes())
    added = (after.dropped - 10, after.corrupt - 20, after.refused - 30)
    assert added == lost


def test_nothing_lost_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loss_counts.keep(outbox())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoilt", [b"", b"1 2 3", b"1 2 3,17", b"1 2 3,x", b"x,%d" % crc32(b"x"), b"1,2,3"]
)
def test_a_spoilt_file_counts_nothing(spoilt: bytes) -> None:
    assert loss_counts.counts(spoilt) == [0, 0, 0]


def test_flash_that_is_full_is_no_reason_not_to_restart() -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28)

    loss_counts.keep(outbox(1), SimpleNamespace(open=refuse, rename=refuse))
