"""What was made once is taken from the cache, as long as all that it was made of is the same."""

from pathlib import Path

import pytest

from fieldpost.deploy.remembered import code_of, remembered


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_made_once_of_the_same_and_anew_of_anything_else() -> None:
    made: list[tuple[str, ...]] = []

    def ask(*of: str) -> bytes:
        def make() -> bytes:
            made.append(of)
            return " ".join(of).encode()

        return remembered("kind", of, make)

    assert ask("a", "b") == ask("a", "b") == b"a b"
    # The same letters, in other pieces, are something else.
    assert ask("ab") == b"ab" and ask("", "ab") == b" ab"
    assert made == [("a", "b"), ("ab",), ("", "ab")]


def test_a_file_that_is_cut_short_or_another_s_is_made_anew(cache: Path) -> None:
    def ask() -> bytes:
        return remembered("kind", ("a",), lambda: b"M\x06right", b"M\x06")

    ask()
    (file,) = (cache / "kind").iterdir()
    for spoilt in (b"", b"something else"):
        file.write_bytes(spoilt)
        assert ask() == b"M\x06right" == file.read_bytes()


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(cache: Path) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where a folder should be")
    assert remembered("kind", ("a",), lambda: b"made") == b"made"


def test_what_a_module_makes_depends_on_its_code(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = 1")
    assert code_of(str(module)) == b"x = 1"
