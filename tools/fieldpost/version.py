"""Which Fieldpost this is. There is one version, that of the firmware beside the tools."""

import re
from pathlib import Path

from fieldpost.errors import BadFile, CommandError
from fieldpost.paths import IN_CHECKOUT, IS_BORROWED, PACKAGE, ROOT, home_of

_UNKNOWN = "?"


def project_version(root: Path = ROOT) -> str:
    """`firmware.VERSION` of a tree, "?" if it has none. CommandError if there is no firmware."""
    try:
        text = (root / "firmware" / "__init__.py").read_text(encoding="utf-8")
    except OSError:
        raise BadFile(f"there is no firmware in {root}") from None
    found = re.search(r'^VERSION = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else _UNKNOWN


def tools_version() -> str:
    """That of this package, "?" where the firmware that it came with is gone."""
    return _or_unknown(home_of(PACKAGE) or PACKAGE / "_tree")


def in_use() -> str:
    """Which firmware the tools work with, for `--version` and `doctor`."""
    where = f"of the checkout {ROOT}" if IN_CHECKOUT else f"installed in {ROOT}"
    return f"firmware {_or_unknown(ROOT)}, {where}"


def is_mixed() -> bool:
    """Whether the tools work with firmware of another version."""
    return _or_unknown(ROOT) != tools_version()


def notice() -> str | None:
    """What somebody should know who calls an installed `fieldpost` in a checkout; else None."""
    if not IS_BORROWED:
        return None
    text = f"this is fieldpost {tools_version()}, installed, with the {in_use()}"
    if is_mixed():
        text += (
            ". The two are not made for each other: `make setup` in the checkout makes its own, "
            ".venv/bin/fieldpost"
        )
    return text


def _or_unknown(root: Path) -> str:
    try:
        return project_version(root)
    except CommandError:
        return _UNKNOWN
