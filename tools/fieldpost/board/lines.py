"""A board's console, cut into lines: however it comes, and whatever it is, in bounded memory."""

import codecs

# A line longer than that is shown in pieces: what prints without a line's end is shown too.
LINE_MAX = 1000


class Lines:
    """Bytes of a console, in whatever pieces they come, to lines without their ends."""

    def __init__(self, line_max: int = LINE_MAX) -> None:
        self._line_max = line_max
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        text = self._rest + self._decoder.decode(data)
        *whole, self._rest = text.split("\n")
        while len(self._rest) > self._line_max:
            whole.append(self._rest[: self._line_max])
            self._rest = self._rest[self._line_max :]
        return [
            line[at : at + self._line_max].removesuffix("\r")
            for line in whole
            for at in range(0, max(len(line), 1), self._line_max)
        ]

    def flush(self) -> list[str]:
        """What stands there without an end, such as a prompt."""
        rest, self._rest = self._rest.removesuffix("\r"), ""
        return [rest] if rest.strip() else []
