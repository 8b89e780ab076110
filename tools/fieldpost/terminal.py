"""What is written to this terminal: text from outside that cannot drive it, in any encoding.

Answers of nodes, names, topics, and what a board says of its files and errors come from others.
All that prints such text takes it through here.
"""

import codecs
import json
import re
import sys
from typing import Any, TextIO

_UNPRINTABLE_IN_JSON = re.compile(r"[^\x20-\x7e\n]")
# What our own tables and sentences use, where the encoding lacks it.
_PLAIN = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u2500\u2501", "-"),
    **dict.fromkeys("\u2502\u2503", "|"),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    "\u2026": "...",
    "\u2713": "+",
    "\u2717": "x",
    "\xd7": "x",
    "\u25c0": "<",
    "\u2192": "->",
    "\u2022": "*",
    "\xb7": ".",
    "\xb5": "u",
    "\u2126": "ohm",
    "\u03a9": "ohm",
    "\xb1": "+-",
}
_HANDLER = "fieldpost.plain"


def neutral(text: str) -> str:
    """`text` on one line, without what would drive a terminal: control sequences, line ends,
    bidirectional marks. Each is shown as Python writes it."""
    text = text.expandtabs(4)
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    )


def neutral_lines(text: str) -> str:
    """The same of a text whose line ends are its writer's own."""
    return "\n".join(map(neutral, text.split("\n")))


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON for a script that reads standard output, or for a person who looks at it.

    Characters stand there as they are, unless they would drive a terminal or the output's
    encoding lacks one.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    text = _UNPRINTABLE_IN_JSON.sub(_escaped, text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def tolerate(*streams: TextIO) -> None:
    """From now on, no character that the encoding of these streams lacks is an error."""
    codecs.register_error(_HANDLER, _substituted)
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors=_HANDLER)


def _substituted(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    # A script's JSON stays JSON so.
    plain = "".join(_PLAIN.get(c) or json.dumps(c)[1:-1] for c in bad)
    return plain, error.end


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]
