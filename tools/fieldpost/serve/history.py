"""Events of nodes out of the store, in a few words each."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from fieldpost.monitor import events as monitor_events
from fieldpost.monitor.messages import shorten
from fieldpost.store.rows import Event

SHOWN_MAX = 200
_BASE = "fieldpost"
_TOPICS = {"result": "cmd/result"}
_TEXT_MAX = 400
_WORDS_MAX = 2000
_EVENTS = """
    SELECT id, node, kind, received, body FROM events
    WHERE id < :before {of_node} ORDER BY id DESC LIMIT :most
"""


def events(
    engine: Engine, node: str | None, before: int | None, most: int = SHOWN_MAX
) -> list[dict[str, Any]]:
    """The newest first. before: only those with a lower number."""
    given = {"before": before or 2**62, "node": node, "most": min(most, SHOWN_MAX)}
    query = text(_EVENTS.format(of_node="AND node = :node" if node else ""))
    with engine.connect() as connection:
        rows: Sequence[Any] = connection.execute(query, given).all()
    return [
        {"id": row[0], **told(Event(node=row[1], kind=row[2], received=row[3], body=row[4]))}
        for row in rows
    ]


def told(event: Event) -> dict[str, Any]:
    """For a page. text: in a few words. bad: whether something is wrong."""
    if event.body is None:
        words, bad, below = "cleared at the broker", False, ()
    else:
        topic = f"{_BASE}/{event.node}/{_TOPICS.get(event.kind, event.kind)}"
        short = shorten(monitor_events.Event("mqtt", event.body, topic, at=event.received), _BASE)
        words, below = short.text, short.below
        bad = "red" in short.style or "yellow" in short.style
    body = json.loads(event.body) if event.body else {}
    name = body.get("id") if isinstance(body, dict) and event.kind == "result" else None
    return {
        "node": event.node,
        "kind": event.kind,
        "received": event.received,
        "text": words[:_WORDS_MAX],
        "below": [line[:_TEXT_MAX] for line in below][:20],
        "bad": bad,
        "answers": name if isinstance(name, str) else None,
        "ok": body.get("ok") if name else None,
    }
