"""Runs one client script in MicroPython's unix port and takes its answer."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import CLIENTS, Parts, paths_for
from fieldpost.errors import CommandError
from fieldpost.mqtt.proxy import Connection

_HEAP = "32M"
_SCRIPTS = {
    "fieldpost": "fieldpost_client.py",
    "mqtt_as": "mqtt_as_client.py",
    "umqtt.robust2": "robust2_client.py",
    "chumicro-mqtt": "chumicro_client.py",
}


class ClientFailed(CommandError):
    """A client script ended with an error, or not at all."""


def ask(
    parts: Parts,
    client: str,
    limit_s: float = 60,
    prefix: Sequence[str] = (),
    heap: str = _HEAP,
    **asked: Any,
) -> dict[str, Any]:
    """The answer of `client` (fieldpost, umqtt.simple, mqtt_as, chumicro-mqtt, …) to `asked`.

    prefix: a command that runs the interpreter, such as `ip netns exec`.
    """
    script = CLIENTS / _SCRIPTS.get(client, "umqtt_client.py")
    paths = paths_for(client, parts.folder)
    return run(parts, script, {"client": client, **asked}, paths, limit_s, prefix, heap)


def run(
    parts: Parts,
    script: Path,
    asked: dict[str, Any],
    paths: Sequence[Path],
    limit_s: float = 60,
    prefix: Sequence[str] = (),
    heap: str = _HEAP,
) -> dict[str, Any]:
    """The last line of a script's output, as JSON. Raises ClientFailed."""
    name = asked.get("client", script.stem)
    try:
        done = subprocess.run(
            [
                *prefix,
                *(parts.micropython, "-X", f"heapsize={heap}"),
                str(script),
            ],
            # Not as an argument: MicroPython ends at one of more than 255 bytes.
            input=json.dumps(asked) + "\n",
            cwd=parts.folder,
            env={**os.environ, "MICROPYPATH": os.pathsep.join([*map(str, paths), ".frozen"])},
            capture_output=True,
            text=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        raise ClientFailed(f"{name} took longer than {limit_s:g} s") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no word"]
        raise ClientFailed(f"{name}: {said[0]}")
    return json.loads(lines[-1])


def only(connections: Sequence[Connection], client: str) -> Connection:
    """The one connection that `client` has made. Raises ClientFailed for another number."""
    if len(connections) != 1:
        raise ClientFailed(f"{client} made {len(connections)} connections where one would do")
    return connections[0]
