"""JSON as it is written for a board: config.json and secrets.json always go through here.

A board's parser does not join the two halves that JSON's own escapes make of a character beyond
16 bits, as of an emoji in the name of a network: so such a character stands there as it is.
"""

import json
from typing import Any

from fieldpost.errors import BadConfig


def for_board(value: Any, indent: int | None = 2) -> bytes:
    """`value` as UTF-8, with a line end. Raises CommandError for what is no text in UTF-8."""
    try:
        return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        raise BadConfig(
            "a text of the configuration has half of a character (a lone \\ud800 to \\udfff), "
            "which no board can be given"
        ) from None
