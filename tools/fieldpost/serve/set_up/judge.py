"""What is wrong with a configuration as it is typed into the page, at which key: by the check that
`fieldpost config check` and the node itself have. Nothing here repeats a secret."""

import copy
import re
from dataclasses import asdict, dataclass
from typing import Any

from fieldpost.board_json import for_board
from fieldpost.config import files, pins, report
from fieldpost.config.form import known_part
from fieldpost.config.order import in_order
from fieldpost.errors import BadConfig
from fieldpost.file_names import CONFIG, SECRETS
from firmware.config import check as schema_check

# In the place of those that the check of a config.json by itself is not about.
_ANY_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}
_AT = re.compile(rf"({SECRETS} )?([a-z_]\w*(?:\[\d+\]|\.\w+)*): (.*)", re.DOTALL)


@dataclass(frozen=True)
class Remark:
    """at: the key as the check writes it, one of secrets.json with "secrets." before it; empty:
    it is about no single key."""

    at: str
    text: str

    def __str__(self) -> str:
        return f"{self.at}: {self.text}" if self.at else self.text


@dataclass(frozen=True)
class Judgement:
    """errors: nothing is written while there are any. notes: what may be wrong."""

    errors: list[Remark]
    notes: list[Remark]

    def as_json(self) -> dict[str, Any]:
        """As a page is told."""
        return asdict(self)


def judged(config: dict[str, Any], secrets: dict[str, Any]) -> Judgement:
    """Of all that has been typed so far."""
    _, errors = schema_check.check(copy.deepcopy(config), copy.deepcopy(secrets))
    errors = files.advised(errors, config)
    # What has not been typed yet keeps nothing from being said of pins.
    settings, _ = schema_check.check(_finished(config), _ANY_SECRETS)
    notes: list[str] = []
    if settings:
        notes = report.cautions(settings) + report.drivers_elsewhere(settings)
        errors += report.driver_errors(settings, None)
        board = settings["board"]
        if chip := pins.chip_or_none(board):
            wrong, of_pins = pins.check(settings, chip)
            errors += wrong
            notes += of_pins
        elif board:
            notes.append(
                f"board: its pins are not known here; known are {', '.join(pins.boards())}"
            )
    return Judgement([_remark(one) for one in errors], [_remark(one) for one in notes])


def _finished(config: dict[str, Any]) -> dict[str, Any]:
    """With a name and a broker in the place of those that are missing."""
    mqtt = config.get("mqtt", {})
    if isinstance(mqtt, dict):
        mqtt = {"host": "192.168.1.10", **mqtt}
    return copy.deepcopy({"node": "node", **config, "mqtt": mqtt})


@dataclass(frozen=True)
class Loaded:
    """config: what the form has a place for. left_out: what was wrong with the rest."""

    config: dict[str, Any]
    left_out: list[str]


def loaded(text: str) -> Loaded:
    """A config.json that somebody gives the page. Raises CommandError if it is none."""
    found, errors = files.parse(text.encode("utf-8", "surrogatepass"), CONFIG)
    if errors or not isinstance(found, dict):
        raise BadConfig((errors or [f"{CONFIG}: not a JSON object"])[0])
    if isinstance(found.get("wifi"), list):
        raise BadConfig(
            f"that is a {SECRETS}, as it has networks: type what it says into the form, which "
            f"shows no secret again. To be loaded is a {CONFIG}"
        )
    known = known_part(found)
    before, after = (
        schema_check.check(copy.deepcopy(one), _ANY_SECRETS)[1] for one in (found, known)
    )
    return Loaded(known, [one for one in files.advised(before, found) if one not in after])


def file_of(config: dict[str, Any]) -> str:
    """A config.json to be kept, in the order of its documentation. Raises CommandError for one
    with errors: what no node takes, or a credential in the wrong place, is not handed on."""
    _, errors = schema_check.check(copy.deepcopy(config), _ANY_SECRETS)
    if errors:
        raise BadConfig("\n".join(files.advised(errors, config)))
    return for_board(in_order(config)).decode()


def _remark(text: str) -> Remark:
    found = _AT.fullmatch(text)
    if not found or found[2] == CONFIG:
        return Remark("", text)
    return Remark(("secrets." if found[1] else "") + found[2], found[3])
