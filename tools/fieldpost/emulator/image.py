"""The image that an emulated board boots: one that is here, or else one that is fetched."""

from pathlib import Path

from fieldpost.emulator.engine import Engine, NoImage
from fieldpost.errors import NotFetched
from fieldpost.flash import catalogue
from fieldpost.flash.catalogue import Entry


def find_or_fetch(engine: Engine, wanted: str | None = None) -> Path:
    """As `engine.find_image` does; where none is here, that of the catalogue, into the cache.

    Raises CommandError if there is none, or it does not come.
    """
    try:
        return engine.find_image(wanted)
    except NoImage as error:
        missing = error
    entry = catalogue.choose(
        chip=engine.chip, board=engine.board, version=wanted or engine.tried_version
    )
    try:
        return _fetch(entry)
    except NotFetched as error:
        raise NotFetched(f"{error}\nBy hand: {missing}") from None


def _fetch(entry: Entry) -> Path:
    from fieldpost.flash import download
    from fieldpost.terminal.progress import FlashScreen

    with FlashScreen(steps=False) as screen:
        image = download.obtain_shown(entry, screen, "emulator")
        screen.finished("emulator")
    return image.path
