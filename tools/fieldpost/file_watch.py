"""Which files below some places have changed, appeared or gone."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# An editor writes a file in several steps: its change counts when it has been quiet for so long.
_QUIET_S = 0.15
_STEP_S = 0.03
_LONGEST_S = 2.0
_Seen = dict[Path, tuple[int, int]]


class FileWatch:
    """Looks at files, and at those below folders whose names end in one of `endings`.

    What begins with a dot is not looked at, nor is `__pycache__`.
    """

    def __init__(self, places: Iterable[Path], endings: Sequence[str] = (".py", ".json")) -> None:
        self._places = tuple(places)
        self._endings = tuple(endings)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Those since the last call, once nothing more happens to them."""
        now = self._look()
        if now == self._seen:
            return []
        end = time.monotonic() + _LONGEST_S
        quiet_since = time.monotonic()
        while time.monotonic() < end and time.monotonic() - quiet_since < _QUIET_S:
            time.sleep(_STEP_S)
            later = self._look()
            if later != now:
                now, quiet_since = later, time.monotonic()
        before, self._seen = self._seen, now
        return sorted(
            path for path in before.keys() | now.keys() if before.get(path) != now.get(path)
        )

    def _look(self) -> _Seen:
        seen: _Seen = {}
        for place in self._places:
            for path in self._files(place):
                try:
                    state = path.stat()
                except OSError:
                    continue  # It has just gone.
                seen[path] = (state.st_mtime_ns, state.st_size)
        return seen

    def _files(self, place: Path) -> Iterator[Path]:
        if not place.is_dir():
            yield place
            return
        for folder, folders, names in os.walk(place):
            folders[:] = [one for one in folders if not _is_hidden(one)]
            for name in names:
                if name.endswith(self._endings) and not _is_hidden(name):
                    yield Path(folder, name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"
