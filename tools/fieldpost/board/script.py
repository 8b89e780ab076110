"""Programs for a board, as short as they go: a serial line takes eleven bytes a millisecond."""

_INDENT = 4


def compact(code: str) -> str:
    """The same without comments of whole lines, empty lines, and with one space for each level.
    No text in it may reach over the end of a line."""
    lines = [line for line in code.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    return "".join(
        " " * ((len(line) - len(line.lstrip())) // _INDENT) + line.strip() + "\n" for line in lines
    )
