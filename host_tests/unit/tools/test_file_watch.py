"""Changes of files are noticed once, and only of those that matter."""

import threading
import time
from pathlib import Path

from fieldpost.file_watch import FileWatch


def test_what_is_written_made_and_removed_has_changed_and_then_no_more(tmp_path: Path) -> None:
    one, two, gone = tmp_path / "one.py", tmp_path / "more" / "two.json", tmp_path / "gone.py"
    for path in (one, gone):
        path.write_text("before")
    watch = FileWatch([tmp_path])
    assert watch.changed() == []
    one.write_text("after it")
    two.parent.mkdir()
    two.write_text("{}")
    gone.unlink()
    assert watch.changed() == sorted([one, two, gone])
    assert watch.changed() == []


def test_what_is_no_source_is_not_looked_at(tmp_path: Path) -> None:
    watch = FileWatch([tmp_path])
    for name in ("notes.txt", ".hidden.py", ".git/a.py", "__pycache__/one.py", "one.py.swp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert watch.changed() == []


def test_a_file_by_its_name_is_looked_at_whatever_it_is_called(tmp_path: Path) -> None:
    table = tmp_path / "values.txt"
    watch = FileWatch([table])
    table.write_text("x")
    assert watch.changed() == [table]
    table.unlink()
    assert watch.changed() == [table]


def test_a_file_that_is_still_being_written_has_changed_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    watch = FileWatch([tmp_path])
    path.write_text("1")

    def write_on() -> None:
        for size in range(2, 8):
            time.sleep(0.05)
            path.write_text("1" * size)

    writer = threading.Thread(target=write_on)
    writer.start()
    assert watch.changed() == [path]
    writer.join()
    assert path.read_text() == "1111111"
    assert watch.changed() == []
