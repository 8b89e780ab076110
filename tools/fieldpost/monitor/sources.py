"""Where a monitor's events come from: the console of a board, and a broker.

Each has a thread of its own, so that neither a driver that hangs nor a broker that is gone stops
the other, or keeps Ctrl-C from ending it all.
"""

import os
import threading
import time
from typing import Any

import serial
from paho.mqtt.client import MQTTMessage

from fieldpost.board.lines import Lines
from fieldpost.board.ports import port_named, present_name, there_is_no, why_unavailable
from fieldpost.errors import CommandError
from fieldpost.monitor.events import TEXT_MAX, TOPIC_MAX, Event, Events
from fieldpost.mqtt.client import TIMEOUT_S, Connection
from fieldpost.mqtt.url import BrokerAddress

_BAUD = 115_200
_SLICE_S = 0.1
# What stands without a line's end for so long is a prompt.
_PROMPT_S = 0.3
_LOOK_AGAIN_S = 0.3
_DIAL_AGAIN_S = 5.0
_END_S = 1.0


class ConsoleSource:
    """Reads a board's port and writes nothing to it, so that its program runs on.

    A port that goes away is waited for, under its name or, where USB gives the board a serial
    number, under that.
    """

    def __init__(self, port: str, events: Events) -> None:
        self._port = port
        self._known = port_named(port)
        self._events = events
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Return at once; what comes of it is told through the events."""
        self._thread.start()

    def close(self) -> None:
        """Let go of the port. A driver that hangs is left behind."""
        self._end.set()
        self._thread.join(_END_S)

    def _run(self) -> None:
        told = ""
        while not self._end.is_set():
            device = present_name(self._known)
            try:
                if device is None:
                    raise FileNotFoundError
                port = _open(device)
            except (OSError, ValueError) as error:  # SerialException is an OSError
                why, _ = why_unavailable(device or self._port, str(error))
                if device is None:
                    why = f"{there_is_no(self._port)} Waiting for it to be plugged in"
                # Once, not at each try.
                if told not in (why, "gone"):
                    self._events.notice(why)
                    told = why
                self._end.wait(_LOOK_AGAIN_S)
                continue
            back = "is back" if told else "is read; the board's program is not disturbed"
            renamed = f" as {device}" if device != self._port else ""
            self._events.notice(f"{self._port} {back}{renamed}")
            told = "gone"
            with port:
                self._read(port)

    def _read(self, port: Any) -> None:
        lines = Lines()
        heard_at = time.monotonic()
        try:
            while not self._end.is_set():
                data = port.read(max(1, min(port.in_waiting, 4096)))
                if data:
                    heard_at = time.monotonic()
                    self._tell(lines.feed(data))
                elif time.monotonic() - heard_at > _PROMPT_S:
                    self._tell(lines.flush())
            _let_go(port)
        except OSError:
            self._tell(lines.flush())
            self._events.notice(
                f"{self._port} went away: unplugged, or the board restarts. Waiting for it."
            )

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self._events.put(Event("console", line))


def _open(device: str) -> Any:
    """With RTS and DTR raised as one, which resets no board."""
    options: dict[str, Any] = {"timeout": _SLICE_S, "do_not_open": True}
    port = serial.serial_for_url(device, _BAUD, **options)
    if "://" not in device:
        port.exclusive = True
    if os.name == "nt":
        # There some drivers raise one after the other, and a reset lies between.
        port.dtr = port.rts = False
        port.open()
        port.dtr = True
        port.rts = True
    else:
        port.open()
    return port


def _let_go(port: Any) -> None:
    """Lower RTS before DTR: the other order would reset an ESP32."""
    try:
        port.rts = False
        port.dtr = False
    except OSError:
        pass  # A pseudo-terminal has no such lines.


class MqttSource:
    """Subscribes to the nodes' topics, and again whenever the broker comes back."""

    def __init__(self, address: BrokerAddress, topic: str, events: Events) -> None:
        self._address = address
        self._topic = topic
        self._events = events
        self._end = threading.Event()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, must: bool) -> None:
        """Return at once, or, if it `must` succeed, raise CommandError if the broker won't."""
        if must:
            self._dial()
        else:
            self._thread.start()

    def close(self) -> None:
        """Say goodbye to the broker."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        if self._connection:
            self._connection.close()

    def _run(self) -> None:
        told = ""
        while not self._end.is_set():
            try:
                self._dial()
                return
            except CommandError as error:
                if told != str(error):
                    told = str(error)
                    self._events.notice(f"{told} (tried again every {_DIAL_AGAIN_S:g} s)")
            self._end.wait(_DIAL_AGAIN_S)

    def _dial(self) -> None:
        connection = Connection(
            self._address,
            on_message=self._arrived,
            on_lost=lambda why: self._events.notice(f"{self._address} is lost: {why}"),
            on_connected=lambda: self._connected(connection),
        )
        connection.open(TIMEOUT_S)
        if self._end.is_set():
            connection.close()
        self._connection = connection

    def _connected(self, connection: Connection) -> None:
        # What is published from then on is seen.
        connection.resubscribe(self._topic, 0, self._answered)

    def _answered(self, is_granted: bool) -> None:
        said = "is connected:" if is_granted else "does not let us subscribe to"
        self._events.notice(f"{self._address} {said} {self._topic}")

    def _arrived(self, message: MQTTMessage) -> None:
        text = message.payload[:TEXT_MAX].decode(errors="replace")
        if len(message.payload) > TEXT_MAX:
            text += f"… ({len(message.payload)} bytes)"
        self._events.put(Event("mqtt", text, message.topic[:TOPIC_MAX], message.retain))
