"""Makes a node's config.json and secrets.json of a few answers, and puts them on a board or in a
folder. Nothing here prints, logs or quotes a secret.
"""

import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board import met
from fieldpost.board.link import BoardLink
from fieldpost.board.ports import port_named
from fieldpost.board.said import json_or_none
from fieldpost.board_json import for_board
from fieldpost.config import files as config_files
from fieldpost.config import pins
from fieldpost.config.checked import with_checked
from fieldpost.errors import BadConfig, BadFile, NotWritten, Usage
from fieldpost.file_names import (
    CONFIG,
    PENDING,
    SECRETS,
    SETTINGS,
    UPDATE_KEYS,
    config_at,
    on_board,
    secrets_beside,
)
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.tls import ClientFiles
from firmware.config import check as schema_check

VARIABLES = {
    "ssid": "FIELDPOST_WIFI_SSID",
    "password": "FIELDPOST_WIFI_PASSWORD",
    "broker": "FIELDPOST_BROKER",
    "node": "FIELDPOST_NODE",
}
_TOLD_MAX = 8
_TLS_FILES = {"ca": "ca_file", "cert": "cert_file", "key": "key_file"}


@dataclass(frozen=True)
class Answers:
    """What has to be known of a node; None: not said yet. broker: a URL, with its credentials.

    password: "" for an open network.
    """

    ssid: str | None = None
    password: str | None = field(default=None, repr=False)
    broker: str | None = field(default=None, repr=False)
    node: str | None = None

    def missing(self) -> list[str]:
        """The names of those that were not given."""
        return [name for name in VARIABLES if getattr(self, name) is None]


@dataclass(frozen=True)
class NodeFiles:
    """The two files as dicts, and what else belongs on the board, by name: certificates."""

    config: dict[str, Any]
    secrets: dict[str, Any] = field(repr=False)
    others: dict[str, bytes] = field(default_factory=dict, repr=False)

    def contents(self) -> dict[str, bytes]:
        """By file name, secrets first: a node with both old or with new secrets can start."""
        return with_checked(
            {
                **self.others,
                SECRETS: for_board(self.secrets),
                CONFIG: for_board(self.config),
            }
        )


def read_answers(path: Path) -> Answers:
    """From a TOML or JSON file with some of the keys ssid, password, broker, node."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):  # JSON's, TOML's and Unicode's may quote a secret
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise BadFile(
            f'{path} is not {kind}. Lines such as ssid = "my network", and password, broker and '
            "node, are what it should have"
        ) from None
    if not isinstance(found, dict):
        raise BadFile(f"{path} is no object with {', '.join(VARIABLES)}")
    if unknown := sorted(set(found) - set(VARIABLES)):
        told = ", ".join(map(_told_key, unknown[:_TOLD_MAX]))
        if len(unknown) > _TOLD_MAX:
            told += f" and {len(unknown) - _TOLD_MAX} more"
        raise BadFile(f"{path} has {told}, none of: {', '.join(VARIABLES)}")
    for name, value in found.items():
        if not isinstance(value, str):
            raise BadFile(f'{path}: {name} must be a text in "quotes"')
    return Answers(**found)


def _told_key(key: str) -> str:
    """A key that nobody knows may be a secret in the wrong place: it is not repeated."""
    if meant := difflib.get_close_matches(key.lower(), VARIABLES, 1):
        return f"{key} (did you mean {meant[0]}?)"
    return key if key in config_files.known_keys() else "a key that is not shown"


def from_environment(environment: Mapping[str, str] = os.environ) -> Answers:
    """From the variables of VARIABLES that are set."""
    return Answers(**{name: environment.get(key) for name, key in VARIABLES.items()})


def merged(*sources: Answers) -> Answers:
    """Each answer from the first source that has it."""
    found: dict[str, str | None] = {}
    for name in VARIABLES:
        given = [getattr(source, name) for source in sources]
        found[name] = next((value for value in given if value is not None), None)
    return Answers(**found)


def make(
    answers: Answers,
    tls: ClientFiles | None = None,
    config: dict[str, Any] | None = None,
    secrets: dict[str, Any] | None = None,
    chip: pins.Chip | None = None,
) -> NodeFiles:
    """The files for these answers, checked with the firmware's own schema.

    config, secrets: those that there are; what was not answered is kept of them, and so are
    other Wi-Fi networks, after the new one. chip: of the board they are for, if it is known.
    Raises CommandError with all that is wrong.
    """
    new, hidden = dict(config or {}), dict(secrets or {})
    for name in unanswered(answers, new, hidden):
        raise Usage(f"the {name} is missing: give it with --from FILE or {VARIABLES[name]}")
    others: dict[str, bytes] = {}
    if answers.node is not None:
        new["node"] = answers.node
    if answers.ssid is not None:
        known = hidden.get("wifi")
        rest = [
            one
            for one in (known if isinstance(known, list) else [])
            if isinstance(one, dict) and one.get("ssid") != answers.ssid
        ]
        hidden["wifi"] = [{"ssid": answers.ssid, "password": answers.password}, *rest]
    if answers.broker is not None:
        address = mqtt_url.parse(answers.broker, tls or ClientFiles())
        new["mqtt"] = _mqtt(address, new.get("mqtt"), others)
        # Credentials for one broker are never shown to another.
        hidden.pop("mqtt", None)
        if address.user is not None:
            login = {"user": address.user, "password": address.password}
            hidden["mqtt"] = {name: value for name, value in login.items() if value is not None}
    _, errors = schema_check.check(new, hidden)
    errors = errors or pins.of_config(new, chip)[0]
    if errors:
        raise BadConfig("\n".join(["the answers make no configuration:", *errors]))
    return NodeFiles(new, hidden, others)


def secrets_for(
    config: Mapping[str, Any], old: dict[str, Any] | None, secrets: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Of `secrets`, which belong to the configuration `old`, what `config` may be given: a login
    belongs to one broker."""
    place = [
        (one.get("host"), one.get("port"), bool(one.get("tls")))
        for one in ((of or {}).get("mqtt") or {} for of in (config, old))
    ]
    if secrets is None or place[0] == place[1]:
        return secrets
    return {key: value for key, value in secrets.items() if key != "mqtt"}


def unanswered(
    answers: Answers, config: Mapping[str, Any], secrets: Mapping[str, Any]
) -> list[str]:
    """The names of what neither was answered nor stands in the files."""
    known = {
        "ssid": bool(secrets.get("wifi")),
        "password": answers.ssid is None and bool(secrets.get("wifi")),
        "broker": isinstance(mqtt := config.get("mqtt"), dict) and "host" in mqtt,
        "node": "node" in config,
    }
    return [name for name in answers.missing() if not known[name]]


def _mqtt(address: mqtt_url.BrokerAddress, old: Any, others: dict[str, bytes]) -> dict[str, Any]:
    """The section `mqtt` for a broker: what is not about where it is stays as it was."""
    kept = old.items() if isinstance(old, dict) else ()
    mqtt = {key: value for key, value in kept if key not in ("port", "tls")}
    mqtt["host"] = address.host
    usual = 8883 if address.tls else 1883
    if address.port != usual:
        mqtt["port"] = address.port
    if address.tls:
        mqtt["tls"] = _tls(address.tls, others)
    return mqtt


def check_answer(name: str, value: str, tls: ClientFiles) -> None:
    """Raises CommandError if this answer is wrong, whatever the others are."""
    broker = "mqtts://broker" if tls.given() else "mqtt://broker"
    right = Answers(ssid="x", password="", broker=broker, node="node")
    make(replace(right, **{name: value}), tls)


def put_on_board(link: BoardLink, contents: dict[str, bytes]) -> list[str]:
    """Write what differs, each file whole or not at all; the names of those written."""
    there = board_files.hash_files(link, map(on_board, contents))
    different = [
        name
        for name, data in contents.items()
        if there[on_board(name)] != hashlib.sha256(data).hexdigest()
    ]
    for name in different:
        board_files.write_file(link, on_board(name), contents[name])
    # A change by command that was on trial would bring the settings before it back, and what was
    # typed into the node's own page would take their place, or open that page again.
    for name in PENDING:
        board_files.remove_file(link, on_board(name))
    if CONFIG in contents:
        met.remember_interval(port_named(link.port), json.loads(contents[CONFIG]))
    return different


def read_from_board(
    link: BoardLink, there: Container[str]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """(config, secrets) that are on the board, None where there is none. there: its files' paths.
    Raises CommandError if one is no JSON object: what it holds would be lost."""
    found: list[dict[str, Any] | None] = []
    for name in SETTINGS:
        data = board_files.read_file(link, on_board(name)) if on_board(name) in there else None
        found.append(None if data is None else parse(name, data, "the board"))
    return found[0], found[1]


def read_from_file(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """(config, secrets) of a config.json, or the folder that it is in, and of the secrets.json
    beside it, None without one. Read as a board reads them; raises CommandError."""
    path = config_at(path)
    config = _strictly(path, CONFIG)
    hidden = secrets_beside(path)
    return config, _strictly(hidden, SECRETS) if hidden.exists() else None


def certificates(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, name) of each file that `mqtt.tls` of a configuration names."""
    mqtt = config.get("mqtt")
    tls = mqtt.get("tls") if isinstance(mqtt, dict) else None
    named = [(key, tls.get(key)) for key in _TLS_FILES.values()] if isinstance(tls, dict) else []
    return [(key, name) for key, name in named if isinstance(name, str)]


def certificates_beside(path: Path, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Those of them that lie beside the config.json at `path`, by their names."""
    found = {}
    for _, name in certificates(config):
        beside = board_files.below(config_at(path).parent, name)
        if beside and beside.is_file():
            found[name] = beside.read_bytes()
    return found


def _strictly(path: Path, name: str) -> dict[str, Any]:
    try:
        found, errors = config_files.parse(path.read_bytes(), name)
    except FileNotFoundError:
        raise BadFile(f"there is no {path}") from None
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    if errors or not isinstance(found, dict):
        raise BadConfig(f"{path}: {(errors or ['not a JSON object'])[0]}")
    return found


def read_from_folder(folder: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The same from a folder."""
    found: list[dict[str, Any] | None] = []
    for name in SETTINGS:
        path = folder / name
        found.append(parse(name, path.read_bytes(), str(folder)) if path.exists() else None)
    return found[0], found[1]


def parse(name: str, data: bytes, where: str) -> dict[str, Any]:
    """A JSON object. Its text is never in the error."""
    value = json_or_none(data)
    if not isinstance(value, dict):
        raise BadConfig(
            f"{name} in {where} is not a JSON object, so nothing can be kept of it. Repair it, or "
            "replace it with --fresh"
        )
    return value


def put_in_folder(folder: Path, files: NodeFiles) -> list[Path]:
    """Write them to a folder, which is made; secrets.json and keys for this user alone."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.contents().items():
            path = folder / name
            partial = folder / f".{name}.partial"
            partial.unlink(missing_ok=True)
            private = name not in (CONFIG, UPDATE_KEYS, "ca.pem", "cert.pem")
            handle = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644
            )
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            partial.replace(path)
            written.append(path)
    except OSError as error:
        raise NotWritten(f"cannot write to {folder}: {error.strerror}") from None
    return written


def _tls(given: ClientFiles, others: dict[str, bytes]) -> dict[str, Any]:
    if given.ca is None:
        raise Usage(
            "mqtts:// needs the certificate of the authority that signed the broker's: give it "
            "with --ca FILE (fieldpost certs makes one)"
        )
    found: dict[str, Any] = {}
    for option, key in _TLS_FILES.items():
        path: Path | None = getattr(given, option)
        if path is None:
            continue
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
        name = option + (".pem" if b"-----BEGIN" in data else ".der")
        others[name] = data
        found[key] = name
    return found
