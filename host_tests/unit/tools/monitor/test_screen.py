"""What the monitor prints can be read in any width, and never drives the terminal."""

import io
import json
import random
import re

import pytest

from fieldpost.board.lines import LINE_MAX, Lines
from fieldpost.monitor.events import Event
from fieldpost.monitor.messages import shorten
from fieldpost.monitor.screen import Screen

AT = 1_795_368_917.0
COLOUR = re.compile(r"\x1b\[[\d;]*m")
TRACEBACK = [
    "      12.0 Traceback (most recent call last):",
    '  File "firmware/app.py", line 41, in run',
    '  File "lib/bme280.py", line 7, in read',
    "ValueError: bad checksum",
    "      13.0 restarting in 5 s",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(events: list[Event], width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    screen = Screen("fieldpost", None, terminal, width)
    for event in events:
        screen.show(event)
    return terminal.getvalue()


def message(kind: str, told: object, **options: bool) -> Event:
    text = told if isinstance(told, str) else json.dumps(told)
    return Event("mqtt", text, f"fieldpost/n1/{kind}", at=AT, **options)


def short(kind: str, told: object) -> str:
    return shorten(message(kind, told), "fieldpost").text


def test_a_traceback_is_coloured_to_its_end_and_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = shown([Event("console", line) for line in TRACEBACK], 80, monkeypatch)
    assert COLOUR.sub("", said).splitlines() == TRACEBACK
    lines = said.splitlines()
    assert all("31m" in line for line in lines[:4])
    assert "1;31m" in lines[3] and "31m" not in lines[4]


def test_wide_terminals_have_two_columns_and_narrow_ones_a_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = message("telemetry", {"boot": 1, "seq": 2, "t": 21.5})
    events = [Event("console", "hello " * 30, at=AT), reading]
    wide = COLOUR.sub("", shown(events, 140, monkeypatch)).splitlines()
    assert wide[-1].index("◀ telemetry n1 1/2 t 21.5") > 60
    narrow = COLOUR.sub("", shown(events, 80, monkeypatch)).splitlines()
    assert narrow[-1] == "◀ telemetry n1 1/2 t 21.5"
    for lines, width in ((wide, 140), (narrow, 80)):
        assert max(map(len, lines)) <= width
    # What is too long for the left column does not reach into the right one.
    assert max(len(line) for line in wide[:-1]) < wide[-1].index("◀")


@pytest.mark.parametrize("width", [20, 80, 140])
def test_nothing_that_comes_in_drives_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "\x1b[2J\x1b]0;title\x07 \x9b31m \u202e[bold]x[/] [/red]\r\x08"
    events = [
        Event("console", evil),
        Event("notice", evil),
        message("telemetry", evil),
        message("status", {"state": evil, evil: evil}),
        message("health", {"crash": evil + "\n" + evil, "sensor_errors": {evil: evil}}),
        Event("mqtt", evil, f"fieldpost/{evil}/{evil}", True),
    ]
    said = COLOUR.sub("", shown(events, width, monkeypatch))
    assert not [c for c in said if not c.isprintable() and c != "\n"]
    assert "bold" in said


def test_a_line_of_any_bytes_in_any_pieces_is_put_together_again() -> None:
    rng = random.Random(5)
    text = "grüße\r\n" + "x" * (3 * LINE_MAX) + "\n\n☃ end\n>>> "
    data = text.encode()
    for _ in range(20):
        lines = Lines()
        found: list[str] = []
        at = 0
        while at < len(data):
            size = rng.randint(1, 700)
            found += lines.feed(data[at : at + size])
            at += size
        assert (found[0], found[-2], found[-1]) == ("grüße", "", "☃ end")
        assert "".join(found[1:-2]) == "x" * (3 * LINE_MAX)
        assert max(map(len, found)) <= LINE_MAX
        assert lines.flush() == [">>> "]
        assert lines.flush() == []


def test_messages_are_shortened_to_what_matters() -> None:
    assert short("telemetry", {"boot": 3, "seq": 41, "ts": AT, "t": 1}) == "3/41 t 1"
    assert short("telemetry", {"boot": 3, "seq": 1, "ts": AT - 600}) == "3/1 (10 min old)"
    assert short("telemetry", {"boot": 3, "seq": 1, "age_s": 7200}) == "3/1 (2 h old)"
    assert short("status", {"state": "offline"}) == "offline"
    assert short("cmd", {"id": "a1", "do": "get", "key": "sample_s"}) == "a1 get key sample_s"
    assert short("cmd/result", {"id": "a1", "ok": False, "error": "no"}) == "a1 refused error no"
    healthy = {"state": "online", "uptime_s": 90, "rssi": -60, "free": 9, "dropped": 0}
    assert short("health", healthy) == "online up 90 s rssi -60 dBm free 9 B"
    sleeper = {"state": "asleep", "uptime_s": 9, "outbox": 2, "delivered": 0}
    assert short("health", sleeper) == "asleep up 9 s 2 waiting as it was written"
    assert short("health", sleeper | {"state": "online"}) == "online up 9 s outbox 2"
    crashed = shorten(message("health", healthy | {"crash": "A\nB", "dropped": 2}), "fieldpost")
    assert crashed.text.endswith("dropped 2") and crashed.below == ("A", "B")


def test_an_update_is_told_in_words_and_none_of_its_bytes() -> None:
    offer = {"version": "0.2.0", "counter": 17, "sha": "ab"}
    told = {"state": "fetching", "offer": offer, "have": 450, "of": 1000}
    told["installed"] = {"version": "0.1.0", "sha": "cd"}
    assert short("update", told) == "fetching 0.2.0 (17) 45 % runs 0.1.0"
    back = shorten(message("update", {"state": "back", "error": "a\nb"}), "fieldpost")
    assert (back.text, back.below) == ("back", ("a", "b"))
    assert short("update/ask", {"sha": "ab", "at": [[0, 9], [9, 9]]}) == "at 0, 9"
    manifest = '{"counter":17,"platform":"rp2","version":"0.2.0"}'
    assert short("update/offer", "FPU1\0\ufffd\ufffd" + manifest) == "0.2.0 (17) for rp2"
    assert short("update/offer", "") == "none"
    assert short("update/offer", "FPU1{") == "something that is no offer"
    assert short("update/piece", "\ufffd\x1b[31m") == "…"
    for odd in ({"state": [], "offer": {"version": {}}, "have": "x", "of": 0}, {"at": [1, [], 2]}):
        assert short("update", odd) and short("update/ask", odd)


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "null", "7", '{"a"'])
@pytest.mark.parametrize("kind", ["telemetry", "status", "health", "cmd", "cmd/result", "x/y"])
def test_a_message_that_is_not_as_the_nodes_are_is_shown_as_it_is(kind: str, text: str) -> None:
    assert short(kind, text) == text


def test_values_of_the_wrong_type_are_shown_and_break_nothing() -> None:
    odd = {"boot": None, "seq": [], "ts": "x", "age_s": {}, "state": 3, "until": "x"}
    odd |= {"uptime_s": "x", "rssi": [], "crash": 5, "id": {}, "ok": "x", "do": None}
    for kind in ("telemetry", "status", "health", "cmd", "cmd/result"):
        assert short(kind, odd)


def test_what_the_broker_kept_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = message("status", {"state": "online"}, retained=True)
    assert "status n1 (kept) online" in COLOUR.sub("", shown([kept], 80, monkeypatch))
