"""What `make mutants` changes is code that still runs, and the tests that it asks are there."""

import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_to_file

import pytest
from covering import FILE, Covering

import mutants


@pytest.mark.slow
@pytest.mark.parametrize("file", mutants.files())
def test_each_mutant_changes_one_place_and_can_be_compiled(file: str) -> None:
    source = (mutants.ROOT / file).read_bytes()
    every = mutants.choose(file, 1 << 30, 1)
    assert len(every) > 3
    for mutant in every:
        changed = mutant.applied_to(source)
        assert changed != source
        compile(changed, file, "exec")


def test_a_seed_gives_the_same_mutants_each_time_and_another_seed_others() -> None:
    chosen = [mutants.choose("lib/wire.py", 20, seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("file", mutants.files())
def test_each_file_has_tests_and_whole_nodes_come_last(file: str) -> None:
    *first, seeds = mutants.stages(file)
    assert seeds == [mutants._SEEDS]
    asked = [test for tests in first for test in tests]
    assert len(asked) == len(set(asked))
    assert all((mutants.ROOT / test).is_file() for test in asked)


def test_each_mutant_that_is_said_to_change_nothing_exists_and_says_why() -> None:
    every = {
        mutant.told for file in mutants.files() for mutant in mutants.choose(file, 1 << 30, 1)
    }
    for told, why in mutants.equivalents().items():
        assert told in every, told
        assert len(why) > 20


def test_what_was_caught_is_not_tried_again_and_what_survived_is(tmp_path: Path) -> None:
    caught, left = mutants.choose("lib/wire.py", 2, 1)
    found = mutants.Found(tmp_path / "build" / "found.json")
    found.note(caught, True)
    found.note(left, False)
    again = mutants.Found(tmp_path / "build" / "found.json")
    assert again.is_caught(caught) and not again.is_caught(left)


def test_a_caught_mutant_leaves_nothing_that_the_next_ones_tests_would_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mutant,) = mutants.choose("lib/sntp.py", 1, 1)
    copy, path = mutants.Copy(tmp_path), tmp_path / mutant.file
    source = path.read_bytes()

    def fails(*_: object) -> bool:
        """Within the second in which the file is written again: it is taken for the same."""
        if path.read_bytes() == source:
            return True
        compile_to_file(str(path), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        return False

    monkeypatch.setattr(copy, "passes", fails)
    assert not copy.survives(mutant, lambda: pytest.fail("it is caught at once"))
    found = SourceFileLoader(path.stem, str(path)).get_code(path.stem)
    assert found == compile(source, str(path), "exec", dont_inherit=True)


def test_tests_that_fail_without_a_mutant_are_told_of_and_catch_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mutant,) = mutants.choose("lib/sntp.py", 1, 1)
    copy = mutants.Copy(tmp_path)
    test = tmp_path / "test_of_today.py"
    test.write_text("def test_it():\n    assert False, 'not today'\n")
    monkeypatch.setattr(mutants, "stages", lambda file: [[test.name], [], [], []])
    with pytest.raises(mutants.TestsFail, match="not today"):
        copy.survives(mutant, lambda: pytest.fail("it is known before"))


def test_what_runs_a_line_is_measured_without_the_tests_that_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them fail in a copy, which is no checkout."""
    copy, given = mutants.Copy(tmp_path / "copy"), list[str]()
    monkeypatch.setattr(copy, "passes", lambda tests, *_: given.extend(tests))
    with pytest.raises(mutants.TestsFail):
        copy.covering()
    for name in ("test_mutants.py", "test_asked.py"):
        (tmp_path / "whole").mkdir(exist_ok=True)
        (tmp_path / "whole" / name).write_text("def test_it():\n    pass\n")
    without = [one for one in given if one.startswith("--ignore")]
    options = ["--collect-only", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path), *without]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path / "whole")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "test_asked.py" in done.stdout and "test_mutants.py" not in done.stdout


def test_the_table_counts_each_part_without_what_changes_nothing() -> None:
    chosen = mutants.choose("lib/wire.py", 4, 1) + mutants.choose("firmware/net/wifi.py", 3, 1)
    lines = mutants.table(chosen, left=chosen[:2], same=chosen[:1]).splitlines()
    assert lines[2:] == [
        "| firmware/net | 3 | 0 | 3 of 3 |",
        "| lib/wire.py | 4 | 1 | 2 of 3 |",
        "| **all** | 7 | 1 | 5 of 6 |",
    ]


def test_the_tests_that_run_a_line_are_known_and_the_quickest_come_first(tmp_path: Path) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "firmware" / "sums.py").write_text(
        "def twice(x):\n    return sum(\n        (x, x)\n    )\n\n\n"
        "def half(x):\n    return x / 2\n"
    )
    (tmp_path / "test_sums.py").write_text(
        "import time\nfrom firmware.sums import half, twice\n\n\n"
        "def test_slow():\n    time.sleep(0.3)\n    assert twice(2) == 4\n\n\n"
        "def test_quick():\n    assert twice(1) == 2\n\n\n"
        "def test_other():\n    assert half(2) == 1\n"
    )
    told = tmp_path / "told.json"
    options = ["-q", "-p", "covering", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{mutants.ROOT / 'host_tests'}:.", FILE: str(told)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    covering = Covering(told)
    both = ["test_sums.py::test_quick", "test_sums.py::test_slow"]
    assert covering.tests("firmware/sums.py", 2, limit_s=10) == both
    assert covering.tests("firmware/sums.py", 3, limit_s=10) == both, "the statement's second line"
    assert covering.tests("firmware/sums.py", 2, limit_s=0.2) == both[:1]
    assert covering.tests("firmware/sums.py", 8, limit_s=10) == ["test_sums.py::test_other"]
    assert covering.tests("firmware/none.py", 1, limit_s=10) == []
