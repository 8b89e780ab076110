"""What the tools say of a board, which they say to who types commands, as a page says it."""

import re

# Nobody at the page has typed a command, knows its options, or has seen the port.
_OWN_FILE = "`fieldpost flash --image FILE`"
_RULES = tuple(
    (re.compile(found), instead)
    for found, instead in (
        (r"\b[Tt]he board on the board\b", "the board"),
        (r"esptool on the board: ", ""),
        (r"the port the board\b", "the board's port"),
        (r" \(tried at 115200 baud\)", ""),
        (r"; a lower --baud may help", ""),
        (r" with --no-reset", ""),
        (r" --port the board\b", ""),
        (r"(?:repeat|run) the command(?: again)?", "set it up again"),
        (r"replace it with --fresh", "tick 'Keep nothing of its configuration'"),
        (r" Leave out --image to get [^.]*\.", ""),
        (r"give it with --image\b(?: FILE)?", f"give it to {_OWN_FILE}"),
        (
            r"Give another with --version, or a file with --image",
            f"{_OWN_FILE} takes one of yours",
        ),
        (r"give a file with --image", f"give a file to {_OWN_FILE}"),
        (r"Give a file( that was built for it)? with --image FILE", rf"{_OWN_FILE} takes one\1"),
        (r"put MicroPython on it with: fieldpost flash", "choose above that it gets MicroPython"),
        (r"start this command and let go", "set it up again and let go"),
        (r"leave it out with --port", "choose another port"),
    )
)


def on_page(text: str, where: str = "") -> str:
    """where: the port, or what else is to be called the board."""
    if where:
        text = text.replace(where, "the board")
    for found, instead in _RULES:
        text = found.sub(instead, text)
    return text
