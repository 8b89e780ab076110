"""What `make mutants` changes is code that still runs, and the tests that it asks are there."""

import pytest

import mutants


@pytest.mark.parametrize("file", mutants.TESTS)
def test_each_mutant_changes_one_place_and_can_be_compiled(file: str) -> None:
    source = (mutants.ROOT / file).read_bytes()
    every = mutants.choose(file, 1 << 30, 1)
    assert len(every) > 20
    for mutant in every:
        changed = source[: mutant.start] + mutant.new.encode() + source[mutant.end :]
        assert changed != source
        compile(changed, file, "exec")


def test_a_seed_gives_the_same_mutants_each_time_and_another_seed_others() -> None:
    chosen = [mutants.choose("lib/wire.py", 20, seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_every_test_that_is_asked_is_there() -> None:
    for tests in mutants.TESTS.values():
        assert all((mutants.ROOT / test.partition("::")[0]).exists() for test in tests)
