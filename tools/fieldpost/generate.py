"""Writes every file of a checkout that is made from others: `make generate`.

After a new sensor type, a new key or a new module: the list of types, what Home Assistant is told
of their fields, the table of docs/sensors.md, docs/configuration.md, package.json, manifest.py and
docs/architecture.md.
"""

import subprocess
import sys
from pathlib import Path

from fieldpost.pages import require_checkout, write_part
from fieldpost.paths import ROOT

TYPES = ROOT / "firmware" / "sensor_types"
_NOT_TYPES = ("__init__", "names", "shared")
SENSORS_PAGE = ROOT / "docs" / "sensors.md"
DISCOVERY = ROOT / "firmware" / "remote" / "home_assistant.py"
MADE_FROM = "Made from firmware/sensor_types/: make generate"
MADE_END = "End of what is made from firmware/sensor_types/"
BEGIN, END = f"<!-- {MADE_FROM} -->", f"<!-- {MADE_END} -->"
_UNITS = {"°C": "degC", "%": "%", "µg/m³": "ug/m3", None: ""}
# Where a type's section has another title.
_ANCHORS = {"driver": "a-driver-of-your-own"}


def names_module() -> str:
    """firmware/sensor_types/names.py, for a board cannot list what is frozen into it."""
    names = sorted(path.stem for path in TYPES.glob("*.py") if path.stem not in _NOT_TYPES)
    lines = "".join(f'    "{name}",\n' for name in names)
    text = "Names of all sensor types; `make generate` makes this of the folder's files."
    return f'"""{text}"""\n\nNAMES = (\n{lines})\n'


def sensors_table() -> str:
    """The table of all types in docs/sensors.md."""
    from firmware.config import keys_sensors

    lines = ["| type | fields | reading takes |", "|---|---|---|"]
    for kind in keys_sensors.NAMES:
        declared = keys_sensors.declaration(kind)
        defaults = {row[0]: row[2] for row in declared.KEYS}
        fields = []
        for name, unit, *_ in declared.FIELDS:
            if name == "*":
                fields.append("those of the driver")
            elif name[0] == "{":
                shown = f"`{defaults[name[1:-1]]}` {_UNITS.get(unit, unit)}".strip()
                fields.append(f"{shown}, or as named")
            elif name[-1] != "*":
                fields.append(f"`{name}` {_UNITS.get(unit, unit)}".strip())
        drawn = declared.draw(defaults, 3.3) if kind != "driver" else None
        if kind == "driver":
            takes = "as the driver says"
        elif drawn is None or drawn[1] <= 1:
            takes = "-"
        else:
            takes = f"{drawn[1]} ms" if drawn[1] < 1000 else f"{drawn[1] / 1000:g} s"
        anchor = _ANCHORS.get(kind, kind)
        lines.append(f"| [`{kind}`](#{anchor}) | {', '.join(fields)} | {takes} |")
    return "\n".join(lines)


def quantities() -> str:
    """What Home Assistant is told of each declared field."""
    from firmware.config import keys_sensors

    rows = []
    for kind in keys_sensors.NAMES:
        for name, unit, _, _, _, device_class in keys_sensors.declaration(kind).FIELDS:
            row = f'    ("{name}", "{device_class}", "{unit}"),'
            if device_class and name[0] != "{" and name[-1] != "*" and row not in rows:
                rows.append(row)
    return "\n".join(["_DECLARED = (", *sorted(rows), ")"])


def generate() -> None:
    """Write them all, and name on standard output what is another than it was."""
    require_checkout()
    before = _made()
    _write()
    for path, text in _made().items():
        if text != before[path]:
            print(f"made {path.relative_to(ROOT).as_posix()}")


def _made() -> dict[Path, bytes | None]:
    """What is in each file that has a part which is made; None: there is no such file."""
    pages = [
        ROOT / "docs" / name for name in ("sensors.md", "configuration.md", "architecture.md")
    ]
    others = [TYPES / "names.py", DISCOVERY, ROOT / "package.json", ROOT / "manifest.py"]
    return {path: path.read_bytes() if path.exists() else None for path in (*others, *pages)}


def _write() -> None:
    (TYPES / "names.py").write_text(names_module(), encoding="utf-8")
    # Only now: what follows imports the list.
    from fieldpost.config.reference import update_document
    from fieldpost.deploy.package_json import manifest, package_json

    write_part(SENSORS_PAGE, BEGIN, END, sensors_table())
    write_part(DISCOVERY, f"# {MADE_FROM}", f"# {MADE_END}", quantities())
    update_document()
    (ROOT / "package.json").write_text(package_json(), encoding="utf-8")
    (ROOT / "manifest.py").write_text(manifest(), encoding="utf-8")
    map_writer = Path("tools") / "architecture.py"
    subprocess.run(
        [sys.executable, str(map_writer)],
        cwd=ROOT,
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,  # it says what it writes, changed or not
    )


if __name__ == "__main__":
    generate()
