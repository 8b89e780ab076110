"""`fieldpost monitor`: a board's console and the nodes' MQTT messages, in the order they came."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fieldpost.board.ports import all_ports
from fieldpost.errors import NoBoard, SeveralBoards
from fieldpost.monitor.events import Event, Events
from fieldpost.monitor.screen import JsonLines, LogFile, Screen
from fieldpost.monitor.sources import ConsoleSource, MqttSource
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import check_filter
from fieldpost.mqtt.tls import ClientFiles

_SLICE_S = 0.2


class View(Protocol):
    """Who shows events to the user."""

    def show(self, event: Event) -> None:
        """Print it."""


@dataclass(frozen=True)
class Options:
    """port: None takes the one board that is connected. broker: None shows no MQTT.

    node: None shows all nodes' messages. timeout_s: None goes on until Ctrl-C.
    """

    port: str | None = None
    broker: str | None = None
    tls: ClientFiles | None = None
    node: str | None = None
    base: str = "fieldpost"
    log: Path | None = None
    as_json: bool = False
    timeout_s: float | None = None


def monitor_command(options: Options) -> None:
    """Show what comes until Ctrl-C or the limit. Raises CommandError if there is nothing to watch.

    A board that goes away is waited for, and so is a broker, if a board is watched too.
    """
    port = options.port or _only_board(optional=options.broker is not None)
    events = Events()
    console = ConsoleSource(port, events) if port else None
    mqtt = None
    if options.broker:
        topic = f"{options.base}/{options.node or '+'}/#"
        check_filter(topic)
        mqtt = MqttSource(mqtt_url.parse(options.broker, options.tls), topic, events)
    view: View = JsonLines() if options.as_json else Screen(options.base, options.node)
    log = LogFile(options.log) if options.log else None
    try:
        if mqtt:
            mqtt.start(must=console is None)
        if console:
            console.start()
        _show_all(events, view, log, options.timeout_s)
    except KeyboardInterrupt:
        pass
    finally:
        if console:
            console.close()
        if mqtt:
            mqtt.close()
        if log:
            log.close()


def _show_all(events: Events, view: View, log: LogFile | None, timeout_s: float | None) -> None:
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while end is None or time.monotonic() < end:
        event = events.get(_SLICE_S)
        if event is None:
            continue
        view.show(event)
        if log:
            try:
                log.write(event)
            except OSError as error:
                events.notice(f"the log {log.path} ends here: {error.strerror}")
                log.close()
                log = None


def _only_board(optional: bool) -> str | None:
    found = [port for port in all_ports() if port.may_be_a_board]
    if len(found) == 1:
        return found[0].device
    if len(found) > 1:
        listed = "\n".join(f"  {one.device}  {one.description}" for one in found)
        raise SeveralBoards(f"several boards are connected:\n{listed}\nChoose with --port.")
    if optional:
        return None
    raise NoBoard(
        "no board was found, and no broker was given. Plug the board in with a cable that carries "
        "data, name its --port, or watch the nodes' messages with --broker mqtt://HOST"
    )
