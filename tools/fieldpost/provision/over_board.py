"""A whole configuration, as the page's form makes it, over what a board has already."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpost.config import pins
from fieldpost.errors import BadConfig
from fieldpost.provision.node_files import NodeFiles, certificates, secrets_for
from firmware.config import check as schema_check

_NETWORKS_MAX = 8


@dataclass(frozen=True)
class Wanted:
    """config, secrets: as the two files are. files: certificates by the names that the
    configuration has for them. keeps: what it says nothing of stays as it is on the board."""

    config: dict[str, Any]
    secrets: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    keeps: bool = True


def make(
    wanted: Wanted,
    there: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None),
    names: Container[str] = (),
    chip: pins.Chip | None = None,
) -> NodeFiles:
    """The files, checked with the firmware's own schema. there: config.json and secrets.json of
    the board; names: the files on it. Raises CommandError with all that is wrong."""
    config, secrets = wanted.config, wanted.secrets
    if wanted.keeps:
        config = _over(there[0] or {}, config)
        secrets = _secrets(secrets, secrets_for(config, *there) or {})
    _, errors = schema_check.check(config, secrets)
    errors = errors or pins.of_config(config, chip)[0]
    named = certificates(config)
    errors += [
        f"mqtt.tls.{key}: the board has no file {name}: choose it on the page, too"
        for key, name in named
        if name not in wanted.files and f"/{name}" not in names
    ]
    if errors:
        raise BadConfig("\n".join(["this is no configuration:", *errors]))
    used = {name for _, name in named}
    others = {name: data for name, data in wanted.files.items() if name in used}
    return NodeFiles(config, secrets, others)


def _over(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with what `new` says; a list is taken whole."""
    merged = {**old, **new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(before := old.get(key), dict):
            merged[key] = _over(before, value)
    return merged


def _secrets(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Other networks stay, after the new ones; a login stays if none is given."""
    given = [one for one in new.get("wifi") or [] if isinstance(one, dict)]
    known = old.get("wifi")
    names = [one.get("ssid") for one in given]
    rest = [
        one
        for one in (known if isinstance(known, list) else [])
        if isinstance(one, dict) and one.get("ssid") not in names
    ]
    merged = {**new, "wifi": [*given, *rest][:_NETWORKS_MAX]}
    if not new.get("mqtt") and old.get("mqtt"):
        merged["mqtt"] = old["mqtt"]
    return merged
