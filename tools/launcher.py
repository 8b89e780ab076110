"""Has the command `fieldpost` of a checkout say what helps after the checkout was moved.

pip writes the path of the interpreter into the first line of the command. In another place the
shell then says of the command itself, which is there, that it is not found.
"""

import sys
from pathlib import Path

# For a shell three commands, for Python a text in front of the program.
_HEAD = """\
#!/bin/sh
'''[' -x "{python}" ] && exec "{python}" "$0" "$@"
echo 'fieldpost: its folder was moved or copied. Type `make setup` there.' >&2; exit 1
' '''
"""


def advising(script: str, python: Path) -> str:
    """A command as pip has written it, with that in the place of its first line."""
    first, _, rest = script.partition("\n")
    is_advising = f'-x "{python}"' in script
    if is_advising or not first.startswith("#!"):
        return script
    return _HEAD.format(python=python) + rest


if __name__ == "__main__":
    command = Path(sys.argv[1])
    # The link in .venv, and not what it leads to.
    text = advising(command.read_text(encoding="utf-8"), Path(sys.executable))
    command.write_text(text, encoding="utf-8")
