"""Whether what is left over is freed where the firmware says so, and not by chance."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class Garbage:
    """Refers to itself, so that a collection alone frees it."""

    def __init__(self) -> None:
        self.itself = self


@contextmanager
def no_collection() -> Iterator[None]:
    """None within but those that the firmware asks for."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
