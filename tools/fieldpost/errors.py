"""The ways for a command to fail on purpose.

Each has its code for scripts, which do not read texts: terminal/result.py says what they mean.
What only boards or brokers do stands with them, in fieldpost/board/errors.py and
fieldpost/mqtt/client.py.
"""


class CommandError(Exception):
    """A command cannot do what was asked. Its text tells the user why, and what to do next.

    It is raised as one of the classes below, or with the code of a failure that was told before.
    """

    code = "failed"

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        if code:
            self.code = code


class Usage(CommandError):
    """What was typed makes no sense, here or with what is there."""

    code = "usage"


class BadFile(CommandError):
    """A file is missing, can't be read, or is not what it should be."""

    code = "bad_file"


class BadConfig(CommandError):
    """A configuration has errors, or does not fit the board."""

    code = "bad_config"


class FileKept(CommandError):
    """A file is there already, and is not overwritten."""

    code = "file_kept"


class NotWritten(CommandError):
    """A file on this computer can't be written."""

    code = "not_written"


class NotFetched(CommandError):
    """A file could not be had from the network, or was not the one that is published."""

    code = "not_fetched"


class NotSigned(CommandError):
    """A signature is missing, or not by a key that counts."""

    code = "not_signed"


class MissingTool(CommandError):
    """A program or a package that is needed is not installed."""

    code = "missing_tool"


class Ended(CommandError):
    """A program that was started here did not start, or has ended by itself."""

    code = "ended"


class TimedOut(CommandError):
    """What was waited for did not come in time."""

    code = "timeout"


class Cancelled(CommandError):
    """Nobody agreed to what a command asks about before it does it."""

    code = "cancelled"


class PortTaken(CommandError):
    """Another program listens on the network port."""

    code = "port_taken"


class NoBoard(CommandError):
    """No board was found."""

    code = "no_board"


class SeveralBoards(CommandError):
    """Several boards are connected, and none of them was named."""

    code = "several_boards"


class UnfitBoard(CommandError):
    """The board can't run what it is to be given, or Fieldpost does not support it."""

    code = "board_unfit"


class NotFlashed(CommandError):
    """The image did not come onto the board, or MicroPython does not answer after it."""

    code = "not_flashed"


class NotMeasuring(CommandError):
    """The configuration is written, but its node does not measure with it."""

    code = "not_measuring"


class NoNode(CommandError):
    """No node of this name is known to the broker, or none was set up on the board."""

    code = "no_node"


class HomeAway(CommandError):
    """Home Assistant can't be reached, or does not answer as Home Assistant does."""

    code = "ha_away"


class HomeRefused(CommandError):
    """Home Assistant refuses the token, or what was asked of it."""

    code = "ha_refused"
