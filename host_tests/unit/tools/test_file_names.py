"""A node's files have the names that the firmware gives them, and the tools spell none of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from fieldpost import file_names
from fieldpost.paths import ROOT

# It runs on a board, which has no tools to take a name from.
_ON_A_BOARD = "deploy/complete.py"
NAMES = {
    *(*file_names.SETTINGS, *file_names.PENDING, *file_names.RECORDS),
    *(file_names.CHECKED, file_names.DEPLOYMENT, file_names.UPDATE_KEYS),
}
PACKAGE = ROOT / "tools" / "fieldpost"
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.name != "file_names.py" and "_tree" not in path.parts
)


@pytest.mark.parametrize("name", [one for one in MODULES if one != _ON_A_BOARD])
def test_no_module_of_the_tools_spells_the_name_of_a_nodes_file(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    texts = {
        one.value.strip("/")
        for one in ast.walk(tree)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    assert not texts & NAMES


def test_a_file_and_the_folder_that_it_is_in_mean_the_same_settings(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    assert file_names.config_at(tmp_path) == file_names.config_at(config) == config
    assert file_names.secrets_beside(config) == tmp_path / "secrets.json"
    assert file_names.on_board("config.json") == "/config.json"


def test_a_board_starts_by_the_files_that_are_in_the_tree() -> None:
    for name in (*file_names.STARTED, *file_names.FIRMWARE):
        assert (ROOT / name).exists()
