"""A node's configuration as it lies in a folder, and whether a board can be what it says."""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.board_json import for_board
from fieldpost.config import files, masked, pins, report
from fieldpost.config.checked import with_checked
from fieldpost.drivers import folder as own_drivers
from fieldpost.drivers import named
from fieldpost.errors import BadConfig, FileKept, NoNode, NotWritten
from fieldpost.file_names import CONFIG, SECRETS, config_at, on_board
from fieldpost.provision import node_files

# For a check of all but those that are on the board.
_ANY_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}


@dataclass(frozen=True)
class Local:
    """config, secrets: what the files say; secrets None: there is no such file, and those that are
    on the board stay. path: of the config.json."""

    path: Path
    config: dict[str, Any]
    secrets: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Fitting:
    """A configuration that has passed for one board. contents: by file name, as they are to be on
    the board, the certificates among them. cautions: what may yet be wrong with it."""

    contents: dict[str, bytes] = field(repr=False)
    certificates: list[str]
    cautions: list[str]


def read(path: Path) -> Local:
    """The configuration at `path`: a config.json, or the folder that it is in. Raises
    CommandError, without a word of what the files say."""
    return Local(config_at(path), *node_files.read_from_file(path))


def keep(target: Path | None, config: dict[str, Any], force: bool) -> tuple[Path, bool]:
    """Write a node's configuration here, without what may be a credential in the wrong place:
    (the file, whether it said something else). target: file or folder; None: by the node's name.
    Raises CommandError, without `force` also for a file that would be lost."""
    if not config:
        raise NoNode("there is no config.json that can be read: the node was never set up")
    if target is None:
        name = str(config.get("node", ""))
        target = Path(name if name and all(c.isalnum() or c in "-_" for c in name) else "node")
    path = target if target.suffix == ".json" else target / CONFIG
    data = for_board(masked.cleaned(config))
    try:
        old = path.read_bytes() if path.exists() else None
        if old is not None and (_same(old, data) or not force):
            if not _same(old, data):
                raise FileKept(f"{path} says something else: choose another folder, or --force")
            return path, False
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise NotWritten(f"cannot write {path}: {error.strerror}") from None
    return path, True


def _same(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except (ValueError, RecursionError):
        return False


def passes(local: Local, drivers: Path | None) -> None:
    """Raises CommandError with what is wrong with it for every board: nobody has to be asked, and
    no node to be stopped, to say that."""
    secrets = _ANY_SECRETS if local.secrets is None else local.secrets
    board = local.config.get("board")
    errors = checked(local.config, for_board(secrets), pins.chip_or_none(board), drivers)[1]
    refuse(local, files.advised(errors, local.config), "has errors")


def fit(
    local: Local,
    secrets: bytes | None,
    chip: pins.Chip | None,
    there: Container[str],
    drivers: Path | None = None,
) -> Fitting:
    """Check it for one board: by the schema, and with its pins, drivers and certificates.

    secrets: the board's own file, None without. there: the paths of the board's files.
    Raises CommandError with all that is wrong.
    """
    if local.secrets is not None:
        secrets = for_board(local.secrets)
    if secrets is None:
        raise BadConfig(
            f"neither the board nor the folder of {local.path} has a {SECRETS}, so the node could "
            "not join: put one there, or let `fieldpost provision` ask for it"
        )
    settings, errors, cautions = checked(local.config, secrets, chip, drivers)
    others: dict[str, bytes] = {}
    if settings:
        cautions += _drivers_missing(settings, there)
        others = node_files.certificates_beside(local.path, local.config)
        errors += [
            f"mqtt.tls.{key}: {name} is neither beside {local.path} nor on the board"
            for key, name in node_files.certificates(local.config)
            if name not in others and on_board(name.lstrip("/")) not in there
        ]
    refuse(local, errors)
    config = for_board(local.config)
    contents = with_checked({**others, SECRETS: secrets, CONFIG: config})
    return Fitting(contents, sorted(others), cautions)


def checked(
    config: dict[str, Any], secrets: bytes, chip: pins.Chip | None, drivers: Path | None
) -> tuple[dict[str, Any] | None, list[str], list[str]]:
    """(settings, errors, cautions) by the schema, for the pins of the chip, with the drivers in
    that folder."""
    settings, errors = files.check_bytes(for_board(config), secrets)
    cautions: list[str] = []
    if settings:
        cautions = report.cautions(settings)
        # None: one of somebody's own.
        meant = pins.chip_or_none(settings["board"])
        if chip and meant and meant is not chip:
            errors.append(f"board: it is for {settings['board']}, and this one has {chip.name}")
        elif known := chip or meant:
            errors, of_pins = pins.check(settings, known)
            cautions += of_pins
        found = own_drivers.find(drivers) if drivers else None
        errors += named.errors(settings["sensors"], found)
    return settings, errors, cautions


def refuse(local: Local, errors: list[str], what: str = "is not for this board") -> None:
    """Raises CommandError with all that is wrong, if anything is."""
    if errors:
        raise BadConfig("\n".join([f"{local.path} {what}:", *errors]))


def _drivers_missing(settings: Mapping[str, Any], there: Container[str]) -> list[str]:
    found = []
    for module in named.elsewhere(settings["sensors"]):
        path = module.replace(".", "/")
        places = [f"{folder}/{path}" for folder in ("", "/lib")]
        if not any(at + end in there for at in places for end in (".py", ".mpy", "/")):
            found.append(
                f"sensors: the driver {module} is not on the board: it gets there with "
                "`fieldpost deploy --drivers DIR`"
            )
    return found
