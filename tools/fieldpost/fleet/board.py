"""One board of a fleet: what of it is not as the fleet's file says, and making it so."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink, open_link
from fieldpost.board.reach import reach
from fieldpost.board.said import json_or_none
from fieldpost.board.screen import Screen
from fieldpost.config import pins
from fieldpost.deploy import build as deploy_build
from fieldpost.deploy import deployment
from fieldpost.deploy import survey as deploy_survey
from fieldpost.errors import BadConfig, CommandError
from fieldpost.file_names import CONFIG, SECRETS, UPDATE_KEYS
from fieldpost.fleet.file import Node
from fieldpost.keys import on_board as on_board_keys
from fieldpost.paths import ROOT
from fieldpost.provision import node_files

_SHOWN_MAX = 6


@dataclass(frozen=True)
class Source:
    """Where the firmware comes from, and how long a node may take to be ready."""

    root: Path = ROOT
    umqtt: Path | None = None
    ready_s: float = deployment.READY_S


@dataclass(frozen=True)
class Difference:
    """changes: in words, without a secret. files: the node's own, None if they are right."""

    changes: list[str]
    files: node_files.NodeFiles | None


def compare(port: str, node: Node, source: Source) -> list[str]:
    """What `bring` would do, in words; [] if nothing. Writes nothing, and the program that is
    stopped to ask starts again. Raises CommandError."""
    with open_link(port) as link:
        return _difference(link, node, source).changes


def bring(
    port: str, node: Node, source: Source, screen: Screen, wait_s: float | None = 0.0
) -> tuple[list[str], str]:
    """Make the board what `node` says: what was done, and the node's own words then.

    wait_s: how long to wait for it, if it sleeps. Raises CommandError; what was done until then
    stays, and the next time goes on from there.
    """
    screen.progress(port, "comparing", 0, None)
    with reach(port, screen, wait_s) as link:
        port = link.port
        found = _difference(link, node, source)
        if not found.changes:
            return [], ""
        if found.files:
            screen.progress(port, "writing its configuration", 0, None)
            for path in found.files.others:
                if folder := path.rpartition("/")[0]:
                    board_files.make_folder(link, folder)
            node_files.put_on_board(link, found.files.contents())
        # It is started when all of it is there.
        link.was_running = False
    outcome = deployment.deploy(
        port, deployment.Wish(source.root, source.umqtt, ready_s=source.ready_s), screen
    )
    for text in (*outcome.warnings, *outcome.console):
        screen.say(port, text)
    if not outcome.ok:
        raise CommandError(outcome.text, outcome.code)
    screen.say(port, outcome.text)
    ready = outcome.ready or ""
    return found.changes, ready[max(ready.find("ready:"), 0) :].strip()


def _difference(link: BoardLink, node: Node, source: Source) -> Difference:
    found = deploy_survey.survey(link)
    errors, _ = pins.of_config(node.config, pins.chip_on(link))
    if errors:
        raise BadConfig("\n".join(["its configuration does not fit the board:", *errors]))
    changes: list[str] = []
    if todo := _firmware(link, found, source):
        changes.append(todo)
    own: list[str] = []
    config = _read(link, found, CONFIG)
    if config != node.config:
        own.append(f"{CONFIG}: {_what_differs(config, node.config)}")
    if _read(link, found, SECRETS) != node.secrets:
        own.append(SECRETS)
    keys: bytes | None = None
    wanted = dict(node.files)
    if UPDATE_KEYS in wanted:
        keys = on_board_keys.there(link)
        wanted[UPDATE_KEYS] = on_board_keys.raised(wanted[UPDATE_KEYS], keys)
    hashes = board_files.hash_files(link, [f"/{path}" for path in wanted])
    others = {
        path: data
        for path, data in wanted.items()
        if hashes[f"/{path}"] != deploy_build.sha256(data)
    }
    # Each release raises the counter beside the keys, for which alone no node is stopped.
    own += [
        path
        for path, data in others.items()
        if path != UPDATE_KEYS or not on_board_keys.same_keys(data, keys)
    ]
    changes += own
    is_needed = own or (changes and others)
    files = node_files.NodeFiles(node.config, node.secrets, others) if is_needed else None
    if not changes and not link.was_running:
        changes.append("its start: the node did not run")
    return Difference(changes, files)


def _firmware(link: BoardLink, found: deploy_survey.Survey, source: Source) -> str:
    if found.is_committed:
        return "firmware: the rest of a deployment that was cut short"
    wish = deployment.Wish(source.root, source.umqtt)
    found, wanted, todo = deployment.compare(link, wish)
    if todo.is_empty:
        return ""
    parts = [f"{len(todo.send)} files"] if todo.send else []
    parts += [f"{len(todo.removals)} stale ones away"] if todo.removals else []
    parts += ["leftovers away"] if not parts else []
    version = wanted.version
    if found.version and found.version != version:
        version = f"{found.version} → {version}"
    return f"firmware {version}: {', '.join(parts)}"


def _read(link: BoardLink, found: deploy_survey.Survey, path: str) -> Any:
    if not found.has(path):
        return None
    return json_or_none(board_files.read_file(link, "/" + path))  # spoilt: to be written anew


def _what_differs(old: Any, new: dict[str, Any]) -> str:
    if not isinstance(old, dict):
        return "new"
    was, now = _flat(old), _flat(new)
    keys = [key for key in {**now, **was} if was.get(key) != now.get(key)]
    told = [
        f"{key} {was.get(key, 'default')} → {now.get(key, 'default')}" for key in keys[:_SHOWN_MAX]
    ]
    more = len(keys) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        found: dict[str, str] = {}
        for key, one in value.items():
            found |= _flat(one, f"{path}.{key}" if path else key)
        return found
    return {path: json.dumps(value, ensure_ascii=False)}
