"""The import of `const` goes from a board's modules where the compiler has done its work."""

from __future__ import annotations

import pytest

from fieldpost.bytecode import compiled
from fieldpost.deploy.folded import without_const

_HEAD = b"import json\n\nfrom micropython import const\n\n"


def test_where_all_are_folded_the_import_goes_and_lines_stay() -> None:
    source = _HEAD + b"_A = const(8)\n_B = const(-_A * 2 + 0x10)\nC = const(1 << _A)\n"
    told = without_const(source)
    assert told == source.replace(b"from micropython import const", b"")
    assert told.count(b"\n") == source.count(b"\n")


def test_other_names_of_the_import_stay() -> None:
    source = b"from micropython import const, kbd_intr\n_A = const(3)\nkbd_intr(_A)\n"
    assert without_const(source).startswith(b"from micropython import kbd_intr\n_A = const(3)")


@pytest.mark.parametrize(
    "source",
    [
        _HEAD + b"_A = const('text')\n",
        _HEAD + b"_A = const(7 / 2)\n",
        _HEAD + b"_A = const(unknown + 1)\n",
        _HEAD + b"def f():\n    return const(1)\n",
        _HEAD + b"_A = const(1)\nkeep = const\n",
        b"from micropython import const as c\n_A = c(1)\n",
        b"from micropython import (\n    const,\n)\n_A = const(1)\n",
        _HEAD + b"_A = const(\n",
        b"# const\n",
    ],
)
def test_what_may_call_it_on_the_board_keeps_it(source: bytes) -> None:
    assert without_const(source) == source


def test_the_compiler_does_not_ask_for_the_import() -> None:
    head = b"from micropython import const\n"
    with_names = head + b"_A = const(4)\n_B = const(-_A * 2 + 0x10)\nX = _B\n"
    plain = b"\n\n\nX = 8\n"
    assert compiled(without_const(with_names), "it.py") == compiled(plain, "it.py")
    assert compiled(with_names, "it.py") != compiled(plain, "it.py")
