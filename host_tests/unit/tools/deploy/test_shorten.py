"""What is renamed on its way to a board means the same there; what others see keeps its name."""

from __future__ import annotations

import ast

import pytest

from fieldpost.deploy import tree
from fieldpost.deploy.shorten import shortened

_BASE = """
class Base:
    LIMIT_MS = 3

    def __init__(self, interval_ms, clock):
        self._interval_ms = interval_ms
        self._shared = [interval_ms, clock]
        self.public = self._reading_of(interval_ms)

    def _reading_of(self, raw_value):
        return raw_value + self._interval_ms + self.LIMIT_MS

    def later(self, extra_ms=2):
        def inner(interval_ms):
            return interval_ms * extra_ms + self._interval_ms

        return inner(extra_ms), [lambda value: value + extra_ms][0](4)
"""
_USER = """
from firmware.base import Base

class Derived(Base):
    def __init__(self, first, second):
        Base.__init__(self, first, clock=second)
        self._own = self._shared
        self._interval_ms += 1

    def told(self, prefix):
        try:
            raise ValueError(prefix)
        except ValueError as error:
            return f"{prefix} {self._own} {error}", getattr(self, "_interval_ms", prefix)

def foreign(node, port_implementation):
    return node._own, port_implementation._build
"""


def _run(sources: dict[str, str]) -> object:
    space: dict[str, object] = {}
    exec(sources["firmware/base.py"], space)
    user = sources["firmware/user.py"].replace("from firmware.base import Base\n", "")
    exec(user, space)
    return eval("(lambda d: (d.public, d.later(), d.told('x')))(Derived(5, 7))", space)


def _shortened(sources: dict[str, str]) -> dict[str, str]:
    encoded = {path: text.encode() for path, text in sources.items()}
    return {path: text.decode() for path, text in shortened(encoded).items()}


def test_names_that_are_a_modules_own_are_shorter_and_the_program_is_the_same() -> None:
    sources = {"firmware/base.py": _BASE, "firmware/user.py": _USER}
    made = _shortened(sources)
    assert _run(made) == _run(sources)
    whole = "\n".join(made.values())
    for gone in ("_shared", "raw_value", "extra_ms", "first"):
        assert gone not in whole.replace("_reading_of", ""), gone
    # A method is in tracebacks; this one is asked for by a text; that one is passed by name; the
    # last two are read from outside of the class, or belong to somebody else.
    for kept in ("_reading_of", "_interval_ms", "clock", "prefix", "_own", "_build", "LIMIT_MS"):
        assert kept in whole, kept


@pytest.mark.slow
def test_lines_stay_where_they_are_and_every_module_is_a_program_still() -> None:
    sources = {
        path: tree.for_board(source.read_bytes())
        for path, source in tree.sources("rp2", "esp32").items()
        if path not in tree.AS_SOURCE
    }
    made = shortened(sources)
    saved = 0
    for path, source in sources.items():
        before, after = ast.parse(source), ast.parse(made[path])
        kinds = [[type(node) for node in ast.walk(one)] for one in (before, after)]
        assert kinds[0] == kinds[1], path
        lines = [
            [node.lineno for node in ast.walk(one) if isinstance(node, ast.stmt)]
            for one in (before, after)
        ]
        assert lines[0] == lines[1], path
        saved += len(source) - len(made[path])
    assert saved > 10_000, "hardly anything is renamed"
    assert made == shortened(sources), "not the same twice"


@pytest.mark.parametrize("path", ["firmware/__init__.py", "lib/bme280.py"])
def test_what_people_call_keeps_the_names_that_they_call_it_with(path: str) -> None:
    source = b"def publish(topic, message):\n    return topic, message\n"
    assert shortened({path: source}) == {path: source}


def test_a_driver_of_ones_own_may_use_what_a_base_of_the_library_keeps() -> None:
    base = b"class Sensirion:\n    def __init__(self, i2c):\n        self._i2c = i2c\n"
    assert shortened({"lib/sensirion.py": base}) == {"lib/sensirion.py": base}
