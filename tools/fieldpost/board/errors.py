"""The ways for a board to fail a command."""

from fieldpost.errors import CommandError


class BoardError(CommandError):
    """A board can't be reached, or does not do what was asked."""

    code = "board"


class PortUnavailable(BoardError):
    """The port does not exist, may not be used, or is used by another program: `code` says which,
    as `why_unavailable` gives it."""

    code = "board_port"


class NoAnswer(BoardError):
    """No MicroPython answers on the port within the limit.

    chatty: something there never stops printing, and does not heed Ctrl-C. heard: the last that it
    printed.
    """

    code = "board_silent"

    def __init__(self, text: str, chatty: bool = False, heard: bytes = b"") -> None:
        super().__init__(text)
        self.chatty = chatty
        self.heard = heard


class LinkLost(BoardError):
    """The port went away while it was in use."""

    code = "board_lost"


class ProgramError(BoardError):
    """The board raised an exception. `traceback` is what it said."""

    code = "board_program"

    def __init__(self, text: str, traceback: str) -> None:
        super().__init__(text)
        self.traceback = traceback
