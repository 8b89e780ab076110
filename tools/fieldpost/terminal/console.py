"""rich's console, whose text cannot drive the terminal: the one that every command prints with.

Colours, tables and bars are made of segments, and here each is neutralised after it was laid out;
what moves the cursor for a live display are control segments, which only rich makes.
"""

from collections.abc import Iterable
from typing import IO, TextIO, cast

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from fieldpost.terminal.safe_text import as_it_is, neutral_lines


def longest_word(texts: Iterable[str]) -> int:
    """The width that a column of these texts needs, for none of their words to be cut."""
    return max((len(word) for text in texts for word in text.split()), default=0)


class Console(RichConsole):
    """As rich's. `render` is where everything passes, also what stands within something else."""

    @property
    def file(self) -> IO[str]:
        """Where it writes: past the tamer, also while a live display stands in front of that."""
        return as_it_is(cast(TextIO, super().file))

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of `renderable`, neutral."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else neutral_lines(text), style, control)
