"""`fieldpost ha import`: readings from a file or standard input, into Home Assistant."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fieldpost.errors import BadFile, Usage
from fieldpost.home_assistant import report
from fieldpost.home_assistant.hours import hours_of
from fieldpost.home_assistant.readings import Reading, Readings, read_lines
from fieldpost.home_assistant.statistics import Outcome, bring_in, problems
from fieldpost.home_assistant.websocket import HomeAssistant
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral


@dataclass(frozen=True)
class Options:
    """from_s, to_s: hours that begin from then on, and before then; Unix seconds.

    node: of this one alone. ca: who signed Home Assistant's certificate.
    """

    url: str
    token: str
    node: str | None = None
    from_s: float = 0.0
    to_s: float = float("inf")
    dry_run: bool = False
    as_json: bool = False
    ca: Path | None = None


def time_of(text: str) -> float:
    """Unix seconds of `2026-11-27`, `2026-11-27T14:00`, with a zone or in this machine's."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Usage(
            f"{text} is no time: write 2026-11-27, 2026-11-27T14:00 or 2026-11-27T14:00Z"
        ) from None


def import_file(file: Path | None, options: Options) -> int:
    """The exit status: 1 if a field could not be brought in. file: None for standard input."""
    readings = Readings()
    try:
        if file is None:
            read_lines(sys.stdin, readings, options.node)
        else:
            with file.open(encoding="utf-8", errors="replace") as lines:
                read_lines(lines, readings, options.node)
    except OSError as error:
        raise BadFile(f"cannot read {file}: {error.strerror}") from None
    if not len(readings):
        raise BadFile(
            "there is no reading in it: it takes what 'fieldpost listen --json' or 'fieldpost "
            "monitor --log' wrote"
        )
    with HomeAssistant(options.url, options.token, options.ca) as home:
        outcomes = import_readings(home, readings, options)
    return tell(outcomes, readings, options)


def import_readings(
    home: HomeAssistant, readings: Iterable[Reading], options: Options
) -> list[Outcome]:
    """Bring in the hours that are asked for. Home Assistant's clock counts, if it is behind."""
    now_s = min(time.time(), home.now_s or time.time())
    hours = {
        key: chosen
        for key, these in hours_of(readings).items()
        if (chosen := [one for one in these if options.from_s <= one.start_s < options.to_s])
    }
    return bring_in(home, hours, now_s=now_s, dry_run=options.dry_run)


def tell(outcomes: list[Outcome], readings: Readings, options: Options) -> int:
    """Print what was done; the exit status."""
    for line in report.left_out(readings):
        print(line, file=sys.stderr)
    if options.as_json:
        told = report.as_json(outcomes, readings, dry_run=options.dry_run)
        failure = ("not_imported", "a field could not be brought in") if not told["ok"] else None
        print(result(told, failure, None))
    else:
        for line in report.as_lines(outcomes, dry_run=options.dry_run):
            print(neutral(line))
        if not outcomes:
            print("no hour of these readings lies in that time")
    return 1 if problems(outcomes) else 0
