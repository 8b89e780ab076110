"""Writes the four hand-written parts of a new sensor type, and says what to fill in."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from fieldpost.errors import FileKept, Usage
from fieldpost.new_sensor import templates
from fieldpost.options import JsonOption
from fieldpost.pages import require_checkout
from fieldpost.paths import ROOT
from fieldpost.terminal.result import result

# New sections go before this one, which is no device.
_BEFORE = "## simulated\n"


def parts(name: str, root: Path = ROOT) -> dict[Path, str]:
    """The new files of a type, by path, and docs/sensors.md with its section."""
    if not re.fullmatch(r"[a-z][a-z0-9]{1,15}", name):
        raise Usage(f"{name!r} is no name of a type: 2 to 16 of a-z and 0-9, a letter first")
    page = root / "docs" / "sensors.md"

    def filled(template: str) -> str:
        return template.replace("NAME", name).replace("CLASS", name.upper())

    found = {
        root / "firmware" / "sensor_types" / f"{name}.py": filled(templates.DECLARATION),
        root / "lib" / f"{name}.py": filled(templates.DRIVER),
        root / "host_tests" / "unit" / "lib" / f"test_{name}.py": filled(templates.TEST),
    }
    for path in found:
        if path.exists():
            raise FileKept(f"there is a {path.relative_to(root)} already")
    before, mark, after = page.read_text(encoding="utf-8").partition(_BEFORE)
    return {**found, page: before + filled(templates.SECTION) + mark + after}


def new_sensor(
    name: Annotated[str, typer.Argument(help="The type, as config.json is to name it: tmp117.")],
    as_json: JsonOption = False,
) -> None:
    """Write what a new sensor type begins with; docs in CONTRIBUTING.md."""
    require_checkout()
    written = []
    for path, text in parts(name).items():
        path.write_text(text, encoding="utf-8")
        written.append(path.relative_to(ROOT).as_posix())
        if not as_json:
            typer.echo(f"wrote {written[-1]}")
    # In a process of its own: this one has loaded the list of types as it was.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    made = [sys.executable, "-m", "fieldpost.generate"]
    done = subprocess.run(
        made, cwd=ROOT, env=environment, check=True, timeout=120, stdout=subprocess.PIPE, text=True
    )
    if as_json:
        changed = [line.removeprefix("made ") for line in done.stdout.splitlines()]
        typer.echo(result({"files": written, "made": changed}))
        return
    typer.echo(done.stdout, nl=False)
    typer.echo(
        "\nThe tests pass, and the type reads registers that no such chip has. Only\n"
        "what was written is yours; go through what says FILL IN in it:\n"
        f"  grep -n 'FILL IN' {' '.join(written)}\n"
        "then:\n"
        "  make generate\n"
        f"  make test TESTS='host_tests/unit/lib/test_{name}.py "
        "host_tests/unit/firmware/sensor_types host_tests/unit/tools/config'\n"
        f'On the desk, with {{"sensors": [{{"type": "{name}", "scl": 5, "sda": 4}}]}} in '
        "DIR/config.json:\n"
        f"  fieldpost run DIR --set {name}.0x00=0x09C4"
    )
