"""The tools know whose files they work with: a checkout's own, one they stand in, or a copy."""

from pathlib import Path

import pytest

from fieldpost import paths, version
from fieldpost.paths import find_root


def checkout(folder: Path, number: str = "9.8.7") -> Path:
    """What counts as one."""
    for name in ("pyproject.toml", "boot.py", "tools/fieldpost/paths.py", "firmware/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'VERSION = "{number}"\n')
    return folder


def installed(folder: Path) -> Path:
    package = folder / "site-packages" / "fieldpost"
    package.mkdir(parents=True)
    return package


def test_a_checkouts_own_files_win_wherever_it_is_called(tmp_path: Path) -> None:
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    assert find_root(one / "tools" / "fieldpost", tmp_path) == one
    assert find_root(one / "tools" / "fieldpost", other) == one


def test_what_is_installed_uses_its_copy_and_in_a_checkout_the_checkouts(tmp_path: Path) -> None:
    package, here = installed(tmp_path / "env"), checkout(tmp_path / "here")
    assert find_root(package, tmp_path) == package / "_tree"
    assert find_root(package, here) == here
    assert find_root(package, here / "firmware") == here
    (here / "boot.py").unlink()
    assert find_root(package, here) == package / "_tree", "half a checkout is none"


def test_who_calls_an_installed_tool_in_a_checkout_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version.notice() is None
    here = checkout(tmp_path)
    monkeypatch.setattr(version, "IS_BORROWED", True)
    monkeypatch.setattr(version, "ROOT", here)
    told = version.notice()
    assert told and f"firmware 9.8.7, of the checkout {here}" in told and "make setup" in told
    checkout(tmp_path, version.tools_version())
    assert "make setup" not in str(version.notice())


def test_umqtt_goes_into_the_cache_where_the_tree_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path))
    assert paths.fetched_lib() == paths.LIB
    monkeypatch.setattr(paths, "IN_CHECKOUT", False)
    assert paths.fetched_lib() == tmp_path / "lib"
