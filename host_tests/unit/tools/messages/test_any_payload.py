"""What the tools promise for any message at all: it is shown or counted, and nothing is raised."""

import io
import random

from rigs.hostile_payloads import payload

from fieldpost.messages.telemetry import Kind, Verifier
from fieldpost.monitor.events import Event
from fieldpost.monitor.screen import Screen

SEED = 20261127
ROUNDS = 1500
KINDS = ("telemetry", "status", "health", "cmd", "cmd/result", "else")


def test_any_message_is_shown_as_text_that_no_terminal_obeys() -> None:
    source = random.Random(SEED)
    for width in (40, 160, None):
        file = io.StringIO()
        screen = Screen("fieldpost", None, file, width)
        for _ in range(ROUNDS // 3):
            topic = f"fieldpost/{source.choice(('n', '', chr(27)))}/{source.choice(KINDS)}"
            text = payload(source).decode("utf-8", "replace")
            screen.show(Event("mqtt", text, topic, source.random() < 0.5, 1_795_368_917.0))
        shown = file.getvalue()
        assert shown.count("\n") >= ROUNDS // 3
        assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


def test_any_reading_is_judged_and_counted_and_memory_is_bounded() -> None:
    source = random.Random(SEED)
    verifier = Verifier()
    for _ in range(ROUNDS):
        node = source.choice(("n", "m", "x" * 5000))
        verdict = verifier.feed(f"fieldpost/{node}/telemetry", payload(source))
        assert isinstance(verdict.kind, Kind)
        str(verdict)
    assert sum(verifier.totals.values()) == ROUNDS
    assert 0 < verifier.totals[Kind.MALFORMED] < ROUNDS
    for _node, _boot, missing in verifier.missing():
        assert len(list(missing)) <= ROUNDS
