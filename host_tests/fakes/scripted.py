"""A driver that a test makes up, named by a recipe as any other."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def recipe_of(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[], Any]) -> list[Any]:
    """The recipe of a sensor whose driver is what `make()` returns, or raises."""

    class Driver:
        def __new__(cls) -> Any:
            return make()

        def read(self) -> None:
            raise NotImplementedError("the driver is what __new__ returned")

    module: Any = ModuleType("scripted_" + name)
    module.Driver = Driver
    module.__file__ = __file__  # As of a module that lies on the board.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return [module.__name__ + ":Driver"]
