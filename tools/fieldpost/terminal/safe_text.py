"""What is written to this terminal: text from outside that cannot drive it, in any encoding.

Answers of nodes, names, topics, and what a board says of its files and errors come from others.
`tamed` keeps it from the terminal whatever a command prints, and console.py does so where colours
are wanted: so no command has to think of it. `neutral` is for those that lay out
such text themselves, as a line end in it would spoil a table.
"""

import codecs
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n]")
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
# How a result of fieldpost/terminal/result.py begins that is none.
_FAILURE = re.compile(r'\{\s*"ok": false')
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
    text = _NOT_PLAIN.sub(_escaped, text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


class TamedStream:
    """A stream that writes to `stream` what cannot drive a terminal; all else is that stream's.

    What would is shown as JSON writes it, so that JSON stays JSON. `tells_failure`: whether a
    result was written that says so. `rich_proxied_file` is what rich looks for: its own colours
    pass, and the text of our consoles is tamed before it is coloured.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        self.tells_failure = False

    def write(self, text: str) -> int:
        """As a text stream does."""
        self.tells_failure |= _FAILURE.match(text) is not None
        self.rich_proxied_file.write(_NOT_PLAIN.sub(_tamed, text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """As a text stream does."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach", "raw"):
            raise AttributeError(f"{name} would go around what this stream is for")
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def tamed() -> Iterator[TamedStream]:
    """Until this is left, whatever is printed goes through a TamedStream. Gives that of stdout."""
    before = sys.stdout, sys.stderr
    out = TamedStream(sys.stdout)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, TamedStream(sys.stderr))
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = before


def as_it_is(stream: TextIO) -> TextIO:
    """`stream` without its tamer: for a program that reads it, never for a terminal."""
    return stream.rich_proxied_file if isinstance(stream, TamedStream) else stream


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
    # DEL is the one that JSON itself would let stand.
    one = found[0]
    return one if one.isprintable() else "\\u007f" if one == "\x7f" else json.dumps(one)[1:-1]


def _tamed(found: re.Match[str]) -> str:
    return "\t" if found[0] == "\t" else _escaped(found)
