"""`fieldpost ha import --broker`: readings as they arrive, until Ctrl-C."""

import queue
import sys
import time

from fieldpost.errors import CommandError
from fieldpost.home_assistant.ha_import import Options, import_readings
from fieldpost.home_assistant.readings import Readings
from fieldpost.home_assistant.report import as_json, as_lines
from fieldpost.home_assistant.statistics import Outcome
from fieldpost.home_assistant.websocket import HomeAssistant
from fieldpost.messages.arrivals import Arrivals
from fieldpost.mqtt.client import check_filter
from fieldpost.mqtt.kept import KeptSubscription
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.terminal.safe_text import neutral, to_json

# Of those that came last: some days of forty nodes.
_REMEMBERED = 200_000
# A backlog comes without such a pause; half of it would give half an hour's mean.
_QUIET_S = 5.0


def follow(broker: BrokerAddress, options: Options, *, base: str, every_s: float) -> int:
    """Import each hour when it is over, and late ones when their readings have come.

    every_s: at least so long between two looks. What Home Assistant refuses, or that it cannot be
    reached, is told once, and tried again. Ctrl-C ends it, after a last import; the exit status.
    """
    topic = f"{base}/{options.node or '+'}/telemetry"
    check_filter(topic)
    arrived = Arrivals()
    subscription = KeptSubscription(broker, topic, 1, on_message=arrived.put, tell=_say)
    importer = _Importer(options)
    try:
        subscription.open()
        due = time.monotonic() + every_s
        while True:
            try:
                message = arrived.get(timeout=min(_QUIET_S, every_s))
            except queue.Empty:
                if time.monotonic() >= due:
                    importer.run()
                    due = time.monotonic() + every_s
                continue
            importer.add(message.topic, message.payload)
            if time.monotonic() >= due + 10 * every_s:
                # Somebody publishes without a pause.
                importer.run()
                due = time.monotonic() + every_s
    except KeyboardInterrupt:
        return 0 if importer.run() else 1
    finally:
        subscription.close()
        if arrived.missed:
            _say(f"{arrived.missed} messages came faster than they could be taken")


class _Importer:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._readings = Readings()
        self._told = ""
        self._shown: list[str] = []

    def add(self, topic: str, payload: bytes | bytearray) -> None:
        self._readings.add(topic, payload, time.time())
        self._readings.keep_newest(_REMEMBERED)

    def run(self) -> bool:
        """Whether Home Assistant has now what it should."""
        if not len(self._readings):
            return True
        try:
            with HomeAssistant(self._options.url, self._options.token, self._options.ca) as home:
                outcomes = import_readings(home, self._readings, self._options)
        except CommandError as error:
            if str(error) != self._told:
                self._told = str(error)
                _say(f"{error} (tried again)")
            return False
        self._told = ""
        self._show(outcomes)
        return True

    def _show(self, outcomes: list[Outcome]) -> None:
        """What was done, and what is left out when that is new."""
        news = [one for one in outcomes if one.added or one.replaced]
        dry_run = self._options.dry_run
        if self._options.as_json:
            if news:
                print(to_json(as_json(outcomes, self._readings, dry_run=dry_run)), flush=True)
            return
        for line in as_lines(
            [one for one in outcomes if one in news or one.problem], dry_run=dry_run
        ):
            if line not in self._shown:
                print(neutral(line), flush=True)
        self._shown = as_lines([one for one in outcomes if one.problem], dry_run=dry_run)


def _say(text: str) -> None:
    print(neutral(text), file=sys.stderr, flush=True)
