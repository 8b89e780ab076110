"""What a terminal shows of a command, as words: those of one width are compared to another's."""

import re

WIDE = 1000
# Colours, and what a progress bar does to the line that it stands on.
_CONTROLS = re.compile(r"\x1b\[\??[0-9;]*[A-Za-z]")
# The clock and the disk go on between two runs.
_CLOCK = r"\d\d:\d\d:\d\d|\d+\s+MiB"


def changing(durations: str) -> re.Pattern[str]:
    """What is another between two runs: the clock, the disk, and how long something took."""
    return re.compile(f"{_CLOCK}|{durations}", re.MULTILINE)


def terminal(width: int) -> dict[str, str]:
    """The environment of a command in a terminal of this width."""
    return {"COLUMNS": str(width), "TERM": "xterm-256color"}


def without_controls(text: str) -> str:
    """What is to be read of it."""
    return _CONTROLS.sub("", text)


def words_in(text: str, frame: re.Pattern[str], changing: re.Pattern[str]) -> set[str]:
    """The words, without what frames them, and without what is another between two runs."""
    return set(frame.sub(" ", changing.sub(" ", text)).split())
