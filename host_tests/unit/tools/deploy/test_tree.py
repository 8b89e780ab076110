"""Each board gets the modules of its own family, and one list says which."""

import re

import pytest

from fieldpost.deploy import tree
from fieldpost.paths import PACKAGE, ROOT

_BOARDS = "firmware/board/"
# Whose modules they are, by the family's name in front.
_OF_FAMILY = {"rp2": "rp2", "esp32": "esp32", "unix": "linux"}
# A second place for MicroPython has the ESP32 alone.
_ELSEWHERE = {"esp32": {"firmware/update/image_target.py"}}


def family_of(name: str) -> str | None:
    """The platform that alone has a module of firmware/board/; None for one that all have."""
    stem = name.removeprefix(_BOARDS).split(".")[0].split("_")[0]
    return _OF_FAMILY.get(stem)


def test_the_list_names_every_module_of_one_family_and_none_that_is_not_there() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / _BOARDS).glob("*.py")}
    for platform, names in tree.FAMILIES.items():
        found = {name for name in there if family_of(name) == platform}
        assert set(names) == found | _ELSEWHERE.get(platform, set()), platform


@pytest.mark.parametrize("platform", tree.FAMILIES)
def test_a_board_gets_no_module_of_another_family(platform: str) -> None:
    found = tree.sources(platform)
    assert all(path.is_file() for path in found.values())
    of_board = [name for name in found if name.startswith(_BOARDS)]
    assert {family_of(name) for name in of_board} == {platform, None}
    assert _BOARDS + "common.py" in of_board


def test_a_platform_that_is_not_known_is_no_board_that_gets_everything() -> None:
    with pytest.raises(KeyError):
        tree.sources("samd")


def test_no_other_module_of_the_tools_lists_what_a_family_has() -> None:
    module = re.compile(r"board[/.](rp2|esp32\w*|unix)\b")
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in [*PACKAGE.rglob("*.py"), ROOT / "setup.py"]
        if module.search(path.read_text("utf-8"))
    ]
    assert found == ["deploy/tree.py"]
