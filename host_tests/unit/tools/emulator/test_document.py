"""The example in docs/emulator.md is code that runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fieldpost.emulator import emulator
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.paths import ROOT

_TEXT = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")


class _Board:
    """What the example does with a board, that has to be there."""

    console = "console"

    def __init__(self, *_: Any, **given: Any) -> None:
        genuine = emulator_class.__init__.__code__
        named = genuine.co_varnames[: genuine.co_argcount + genuine.co_kwonlyargcount]
        assert set(given) <= set(named)

    def __getattr__(self, name: str) -> Any:
        assert hasattr(emulator_class, name)
        return lambda **_: None

    def __enter__(self) -> _Board:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Console(_Board):
    def __init__(self, _: str) -> None:
        pass

    def wait_for(self, text: str, limit_s: float) -> None:
        assert text and limit_s


emulator_class = emulator.Emulator


def test_the_example_finds_all_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)
    monkeypatch.setattr(emulator, "Emulator", _Board)
    monkeypatch.setattr("fieldpost.emulator.console.Console", _Console)
    monkeypatch.setattr(type(PICO_W), "find_image", lambda _: "an image")
    broker = type("Broker", (), {"port": 1883})
    exec(example, {"broker": broker, "config": b"{}", "secrets": b"{}"})


def test_the_files_that_it_names_are_there() -> None:
    named = re.findall(r"`(host_tests/[\w/.]+)", _TEXT)
    assert named and all((ROOT / name).exists() for name in named)
