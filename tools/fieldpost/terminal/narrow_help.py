"""The help of a command on a narrow terminal: in two columns, where typer's six would be cut."""

import shutil
from typing import Any

# The options' columns need about that much for every word to be whole.
_LEAST_COLUMNS = 100


def use_where_it_is_narrow(group: Any) -> None:
    """Have the commands of this group, and of those within it, print such a help if need be."""
    if shutil.get_terminal_size().columns >= _LEAST_COLUMNS:
        return
    for command in group.commands.values():
        if hasattr(command, "commands"):
            use_where_it_is_narrow(command)
            continue
        command.rich_markup_mode = None
        for parameter in command.params:
            if help_text := getattr(parameter, "help", None):
                # There a bracket is no mark-up.
                parameter.help = help_text.replace("\\[", "[")
