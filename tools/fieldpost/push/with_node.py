"""`fieldpost config push --node` and `pull --node`: what is told of a node that MQTT reaches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from fieldpost.config.changes import changes
from fieldpost.config.order import in_order
from fieldpost.errors import CommandError
from fieldpost.file_names import CONFIG
from fieldpost.messages.dialogue import Dialogue
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.node_start import tell, watch
from fieldpost.push import local, over_mqtt, show
from fieldpost.terminal.progress import FlashScreen
from fieldpost.terminal.result import result
from fieldpost.terminal.wrapping import fit


def push(
    node: str,
    file: Path,
    *,
    drivers: Path | None,
    dry_run: bool,
    ready_s: float,
    as_json: bool,
    broker: str,
    timeout_s: float | None,
    tls: ClientFiles,
) -> int:
    """Bring it, and say how it went; the exit status."""
    wanted = local.read(file)
    dialogue = Dialogue(node, broker=broker, timeout_s=timeout_s, tls=tls, also=_ALSO)
    told: dict[str, Any] = {"where": str(dialogue.address), "node": node}
    with dialogue:
        # What is printed while a screen is up goes the way of its bars.
        with _leaving(lambda: over_mqtt.unchanged(node)), FlashScreen(steps=False) as screen:
            screen.progress(node, "asking for its configuration", 0, None)
            found = over_mqtt.look(dialogue)
        cautions = over_mqtt.fit(node, found, wanted, drivers)
        differ = changes(found.config, wanted.config)
        told |= {"changes": [vars(one) for one in differ], "warnings": cautions}
        if not as_json:
            tell.say(f"{node}: {found.board or 'a board that it does not name'}")
            show.differences(differ, cautions, "node")
        outcome = over_mqtt.Outcome()
        failure: CommandError | None = None
        if not dry_run and differ:
            bringing = over_mqtt.Bringing(dialogue, found, wanted)
            with _leaving(bringing.state), FlashScreen(steps=False) as screen:
                try:
                    outcome = bringing.run(screen, wait=bool(ready_s))
                except CommandError as error:
                    if not as_json:
                        raise
                    failure = error
        if outcome.verdict in (None, "in force"):
            over_mqtt.release(dialogue)
    start = _as_start(node, outcome)
    is_fine = not outcome.verdict or not ready_s or tell.measures(start)
    if as_json:
        told |= {
            "written": [CONFIG] if outcome.verdict else [],
            "verdict": outcome.verdict or ("went back" if _went_back(failure) else None),
            **tell.as_json(start if outcome.verdict else None),
        }
        why = (failure.code, str(failure)) if failure else None
        if not is_fine:
            why = ("not_measuring", "the node does not measure with it")
        typer.echo(result(told, why))
        return 1 if why else 0
    if dry_run:
        tell.say("nothing was sent: this was a dry run")
    elif outcome.verdict in ("kept", "in force"):
        how = (
            "the node is connected, and keeps it"
            if outcome.verdict == "kept"
            else "it is in force"
        )
        tell.say(how)
        if ready_s:
            tell.reading(start)
    elif outcome.verdict:
        tell.say(f"it is on trial now. What it has then: `fieldpost cmd {node} get`")
    return 0


def pull(
    node: str,
    folder: Path | None,
    *,
    force: bool,
    as_json: bool,
    broker: str,
    timeout_s: float | None,
    tls: ClientFiles,
) -> int:
    """Write the node's config.json here; the exit status."""
    with Dialogue(node, broker=broker, timeout_s=timeout_s, tls=tls, also=_ALSO) as dialogue:
        found = over_mqtt.look(dialogue)
        over_mqtt.release(dialogue)
    target, is_new = local.keep(folder, in_order(found.config), force)
    if as_json:
        told = {"where": str(dialogue.address), "file": str(target), "changed": is_new}
        typer.echo(result(told))
    else:
        tell.say(f"{node}: its configuration is in {target}" + ("" if is_new else ", as it was"))
    return 0


_ALSO = ("health", "telemetry")


@contextmanager
def _leaving(state: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C stops us, not the node: in which state that is gets said."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(fit(f"ended: {state()}", sys.stderr), err=True)
        raise


def _as_start(node: str, outcome: over_mqtt.Outcome) -> watch.Start:
    has_read = outcome.reading is not None
    ready = f"{watch.READY}{node}, boot {outcome.boot}" if has_read else None
    return watch.Start(ready=ready, reading=outcome.reading, is_delivered=has_read)


def _went_back(failure: CommandError | None) -> bool:
    return isinstance(failure, over_mqtt.WentBack)
