"""A collector beside the page: the parts of `fieldpost collect`, in threads of this process."""

import threading
from collections.abc import Callable

from fieldpost.collect.collector import Storing, TakesRows
from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.mqtt.source import MqttSource
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.processes.started import Started

_LAST_COMMITS_S = 10.0


class Collecting(Started):
    """Stores into `store` what comes to the broker, from entering `with` until leaving it.

    tell: given each sentence for the user; tell_of_many: of a message, of which there can be as
    many as somebody likes to send. on_end: told why it has ended by itself.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        base: str,
        store: TakesRows,
        tell: Callable[[str], None],
        tell_of_many: Callable[[str], None],
        on_end: Callable[[BaseException], None],
    ) -> None:
        intake, reader = Intake(), Reader(base)
        self._on_end = on_end
        self._session = MqttSource(address, client_id, reader.topics(), intake, tell)
        self._storing = Storing(store, self._session, intake, reader, tell, tell_of_many)
        self._threads: list[threading.Thread] = []

    @property
    def is_connected(self) -> bool:
        """To the broker."""
        return self._session.is_connected

    def start(self) -> None:
        """Raises CommandError if the broker does not let us in."""
        # It stores from the beginning on: a broker with a backlog may hand over more of it than
        # fits in here before it answers that we are subscribed.
        storer = self._thread(self._storing.run)
        try:
            self._session.open()
        except BaseException:
            self._storing.stop()
            raise
        self._threads = [self._thread(self._session.run), storer]

    def close(self) -> None:
        """Store what has arrived; the broker keeps what comes from now on."""
        if not self._threads:
            return
        self._session.hold()
        self._storing.stop()
        self._threads[1].join(_LAST_COMMITS_S)
        self._session.stop()
        self._threads[0].join(_LAST_COMMITS_S)
        self._session.close()

    def _thread(self, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=(run,), daemon=True)
        thread.start()
        return thread

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self._on_end(error)
