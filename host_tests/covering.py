"""Which tests run which line of the firmware, and how long each takes: for `make mutants`.

A plugin of pytest's (`-p covering`), which starts coverage itself so that each test is a context
of its own, and a reader of what it wrote. What MicroPython runs is not seen here.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

# Where the plugin writes.
FILE = "FIELDPOST_COVERING"
_NEAR_LINES = 6


class Plugin:
    """Writes {"seconds": {test: s}, "lines": {file: {line: [test, …]}}}, files from `root`."""

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root
        self._target = target
        self._seconds: dict[str, float] = {}
        # The simulation runs each node in a greenlet.
        self._coverage = coverage.Coverage(
            data_file=None,
            concurrency=["greenlet", "thread"],
            source=[str(root / "firmware"), str(root / "lib")],
            config_file=False,
        )
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        began = time.perf_counter()
        result = yield
        self._seconds[item.nodeid] = time.perf_counter() - began
        self._coverage.switch_context("")
        return result

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {
            Path(file).relative_to(self._root).as_posix(): {
                line: sorted(filter(None, tests))
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        text = json.dumps({"seconds": self._seconds, "lines": lines})
        self._target.write_text(text, encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    target = os.environ.get(FILE)
    if target:
        config.pluginmanager.register(Plugin(config.rootpath, Path(target)))


class Covering:
    """What the plugin wrote."""

    def __init__(self, path: Path) -> None:
        told = json.loads(path.read_text(encoding="utf-8"))
        self._seconds: dict[str, float] = told["seconds"]
        self._lines: dict[str, dict[str, list[str]]] = told["lines"]

    def tests(self, file: str, line: int, limit_s: float) -> list[str]:
        """Those that run this line, the quickest first, as many as take `limit_s` together.
        Empty for a line that runs when a module is imported."""
        lines = self._lines.get(file, {})
        # A statement of several lines counts as its first.
        for near in range(line, line - _NEAR_LINES, -1):
            if str(near) in lines:
                break
        else:
            return []
        chosen = []
        for test in sorted(lines[str(near)], key=self._seconds.__getitem__):
            limit_s -= self._seconds[test]
            if limit_s < 0:
                break
            chosen.append(test)
        return chosen
