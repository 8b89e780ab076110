"""Sentences on a terminal: wrapped between words, where a terminal itself breaks within them."""

import re
import shutil
import textwrap
from typing import TextIO

from fieldpost.terminal.safe_text import neutral_lines

_COMMAND = re.compile(r"`[^`]*`")
_GLUE = "\0"


def fit(text: str, stream: TextIO) -> str:
    """`text` as it is to be written to `stream`: elsewhere than on a terminal, each line whole.

    What it quotes from a board, a node or a broker cannot drive the terminal.
    What stands in backquotes is a command to type, and stays on one line if it fits there.
    """
    text = neutral_lines(text)
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    glued = _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), line)
    indent = line[: len(line) - len(line.lstrip())]
    parts = textwrap.wrap(
        glued,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )
    return "\n".join(parts or [line]).replace(_GLUE, " ")
