"""Pages of the documentation of which a part is written by the command that measured it."""

from pathlib import Path

from fieldpost.paths import IN_CHECKOUT, ROOT


def require_checkout() -> None:
    """End the program where Fieldpost is installed: its pages are copies that nobody keeps."""
    if not IN_CHECKOUT:
        raise SystemExit(f"This writes files of a checkout, and {ROOT} is an installed copy.")


def write_part(page: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between the marks `begin` and `end` of `page`; ValueError if it lacks them."""
    require_checkout()
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} lacks the line {begin!r} or {end!r}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
