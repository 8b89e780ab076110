"""The reference of config.json and secrets.json: every key, as a table, on the console, as JSON.

It is made from `firmware/config/keys.py`, `firmware/config/keys_sensors.py` and the declarations
in `firmware/sensor_types/`: values from the tables, texts from the comments above their rows.
"""

import ast
import difflib
import io
import json
import tokenize
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from rich.padding import Padding
from rich.text import Text

from fieldpost.config.suggest import usual
from fieldpost.errors import Usage
from fieldpost.file_names import CONFIG, SECRETS
from fieldpost.pages import write_part
from fieldpost.paths import ROOT
from fieldpost.terminal.console import Console
from fieldpost.terminal.result import result
from firmware.config import check as config
from firmware.config import keys as schema
from firmware.config import keys_sensors
from firmware.sensor_types import shared

DOCUMENT = ROOT / "docs" / "configuration.md"
BEGIN = (
    "<!-- Made from firmware/config/keys.py: "
    "PYTHONPATH=tools python -m fieldpost.config.reference -->"
)
END = "<!-- End of what is made from firmware/config/keys.py -->"

_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "bus hz": "integer",
    "pin": "integer",
    "adc": "integer",
    "scl": "integer",
    "sda": "integer",
    "address": "integer or text",
    "any address": "integer or text",
    "float": "number",
    "prefix": "boolean or text",
    "section": "object",
    "list": "list",
    "sensors": "list",
    "ids": "list",
    "names": "list",
}


class Row(NamedTuple):
    """One key: its path, its JSON type, its default as JSON ("required": none), in words what is
    allowed and what it is for. `(dht)` after a path: a key of that sensor type alone.
    """

    key: str
    type: str
    default: str
    allowed: str
    text: str


class Section(NamedTuple):
    """Keys that stand in one object, with a title and a text about them."""

    title: str
    text: str
    rows: list[Row]


def reference() -> list[Row]:
    """Return every key there is, in the order of the schema."""
    return [row for section in sections() for row in section.rows]


def sections() -> list[Section]:
    """Return the reference, one section for each object of the files and each sensor type."""
    general, sensors = _SchemaText(schema), _SchemaText(keys_sensors)
    found = general.sections("CONFIG", "", CONFIG, "")
    found += sensors.sections("EVERY", "sensors[].", "Every sensor", sensors.text("EVERY"))
    for kind in keys_sensors.NAMES:
        declared = keys_sensors.declaration(kind)
        names = ", ".join(f"`{_field_name(field[0])}`" for field in declared.FIELDS)
        text = f"{_paragraph(declared)} Publishes {names}."
        rows = _SchemaText(declared).sensor_rows(kind)
        found.append(Section(f"Sensor type {kind}", text, rows))
    return found + general.sections("SECRETS", SECRETS + " ", SECRETS, general.text("SECRETS"))


def markdown() -> str:
    """Return the reference as it stands in docs/configuration.md, between BEGIN and END."""
    lines = []
    for section in sections():
        lines += ["", f"### {section.title}", ""]
        if section.text:
            lines += [section.text, ""]
        if section.rows:
            lines += ["| key | type | default | allowed | |", "|---|---|---|---|---|"]
        for row in section.rows:
            key = row.key.split(" (")[0].removeprefix("secrets.json ")
            default = row.default if row.default in ("", "required") else f"`{row.default}`"
            cells = (f"`{key}`", row.type, default, row.allowed, row.text)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def update_document(path: Path = DOCUMENT) -> None:
    """Put the present reference into the document, between its BEGIN and END."""
    write_part(path, BEGIN, END, markdown())


def chosen(key: str) -> list[Section]:
    """What the reference says of a key, a section or a sensor type. Raises CommandError with what
    is near it if there is none of that name."""
    wanted = key.strip().rstrip(".").lower()
    every = sections()
    named = [one for one in every if _name(one) == wanted]
    rows = [
        (one, [row for row in one.rows if wanted in (row.key.lower(), _last(row))])
        for one in every
    ]
    found = named or [Section(one.title, "", some) for one, some in rows if some]
    if not found:
        near = difflib.get_close_matches(wanted, known(), n=3)
        advice = f": did you mean {' or '.join(near)}?" if near else ""
        raise Usage(f"there is no key, section or sensor type {key}{advice}")
    return found


def known() -> list[str]:
    """The names of all sections, sensor types and keys, without what is around a key."""
    every = sections()
    names = {_name(one) for one in every}
    return sorted(names | {_last(row) for one in every for row in one.rows})


def paths() -> list[str]:
    """The keys of config.json with the objects around them, but for those of lists."""
    keys = [row.key for one in sections() for row in one.rows]
    return [key for key in keys if "[" not in key and " " not in key]


def _name(section: Section) -> str:
    return section.title.lower().removeprefix("sensor type ")


def _last(row: Row) -> str:
    """A key without the objects around it: `ca_file` for `mqtt.tls.ca_file`."""
    path = row.key.lower().removeprefix(f"{SECRETS} ").split(" (")[0]
    return path.rpartition(".")[2]


def show_command(as_json: bool, key: str | None = None) -> int:
    """Print the reference of all keys, or of one; return the exit status."""
    shown = chosen(key) if key else sections()
    if as_json:
        rows = [row._asdict() for section in shown for row in section.rows]
        print(result({"keys": rows}))
        return 0
    console = Console(highlight=False, markup=False)
    for section in shown:
        console.print(f"\n{section.title}", style="bold")
        if section.text:
            console.print(section.text)
        for row in section.rows:
            default = {"required": "required", "": ""}.get(row.default, "default " + row.default)
            # Text, so that `sensors[].pin` is no markup.
            line = Text(f"  {row.key}", style="cyan")
            line.append("  " + default, style="default")
            console.print(line)
            console.print(Padding(Text(f"{row.text} Allowed: {row.allowed}."), (0, 0, 0, 6)))
        if key and any(_last(row) == "scl" for row in section.rows):
            console.print(Padding(Text(usual()), (0, 0, 0, 2)))
    return 0


def _field_name(field: str) -> str:
    return field.replace("{", "<").replace("}", ">").replace("*", "N")


class _SchemaText:
    """A schema's source: its tables' rows, and the comments above them."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        self._comments = _whole_line_comments(source)
        self._assigned = {
            node.targets[0].id: node
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    def text(self, table: str) -> str:
        """Return the comment above a table."""
        return self._above(self._assigned[table])

    def sensor_rows(self, kind: str) -> list[Row]:
        """Return the reference for the keys of a sensor type, by its declaration."""
        texts = self._texts(self._assigned["KEYS"].value)
        rows = []
        for row, text in zip(self._module.KEYS, texts, strict=True):
            rows.append(self._row(row, text, f"sensors[].{row[0]} ({kind})"))
            if row[1] == "list":
                inner = vars(self._module)
                name = next(one for one in self._assigned if inner.get(one) is row[3])
                texts_below = self._texts(self._assigned[name].value)
                for below, text_below in zip(row[3], texts_below, strict=True):
                    path = f"sensors[].{row[0]}[].{below[0]} ({kind})"
                    rows.append(self._row(below, text_below, path))
        return rows

    def sections(self, table: str, prefix: str, title: str, text: str) -> list[Section]:
        """Return the sections of a table and, after it, of the tables below it."""
        section = Section(title, text, [])
        below = []
        nodes = _elements(self._assigned[table].value)
        for row, node in zip(getattr(self._module, table), nodes, strict=True):
            path = prefix + row[0]
            section.rows.append(self._row(row, self._above(node), path))
            if row[1] in ("section", "list"):
                name = _elements(node)[3]
                assert isinstance(name, ast.Name)
                inner = path if row[1] == "section" else path + "[]"
                below += self.sections(name.id, inner + ".", inner, self._above(node))
        return [section, *below]

    def _row(self, row: tuple[Any, ...], text: str, path: str) -> Row:
        return Row(
            path,
            _TYPES.get(row[1].rstrip("?"), "text"),
            _default(row),
            config.allowed(row),
            text,
        )

    def _texts(self, node: ast.expr) -> list[str]:
        """Return the texts above the rows of a tuple, of a table by its name, or a sum of such."""
        if isinstance(node, ast.BinOp):
            return self._texts(node.left) + self._texts(node.right)
        if isinstance(node, ast.Name):
            home = self if node.id in self._assigned else _SchemaText(shared)
            return home._texts(home._assigned[node.id].value)
        return [self._above(one) for one in _elements(node)]

    def _above(self, node: Any) -> str:
        lines: list[str] = []
        line = node.lineno - 1
        while line in self._comments:
            lines.insert(0, self._comments[line])
            line -= 1
        return " ".join(lines)


def _paragraph(module: ModuleType) -> str:
    """A declaration's docstring in one line."""
    return " ".join((module.__doc__ or "").split())


def _elements(node: ast.expr) -> list[ast.expr]:
    assert isinstance(node, ast.Tuple)
    return node.elts


def _whole_line_comments(source: str) -> dict[int, str]:
    comments = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            comments[token.start[0]] = token.string.lstrip("# ")
    return comments


def _default(row: tuple[Any, ...]) -> str:
    default = row[2]
    if default is ...:
        return "required"
    if default == ():
        return ""
    if row[1] == "sensors":
        default = [{"type": default}]
    return json.dumps(default)


if __name__ == "__main__":
    update_document()
