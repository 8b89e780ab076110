"""The two stores of a copy: one that is read, and one that takes rows."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from fieldpost.store.address import StoreAddress
from fieldpost.store.errors import StoreAway
from fieldpost.store.opened import Store, explained
from fieldpost.store.rows import Row, Written
from fieldpost.store.tables import fields

T = TypeVar("T")
# A store that takes nothing now is tried again after each, and then the copy ends.
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)


class Origin:
    """What is read; nothing in it changes. engine: from `open_to_read`."""

    def __init__(self, address: StoreAddress, engine: Engine) -> None:
        self.address = address
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction, which is to be short: collectors may write there meanwhile."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise explained(self.address, error) from None

    def identity(self) -> str:
        """The same as long as it is this store, wherever it is moved to: when its first name was
        measured. One without a reading is known by its place."""
        with self.reading() as connection:
            first = connection.execute(
                select(fields.c.name, fields.c.first_received).order_by(fields.c.id).limit(1)
            ).first()
        named = f"{first[0]}\n{first[1]!r}" if first else str(self.address)
        return hashlib.sha256(named.encode(errors="replace")).hexdigest()[:12]


class Target:
    """What is written to. sleep: between two tries."""

    def __init__(self, store: Store, sleep: Callable[[float], object] = time.sleep) -> None:
        self.store = store
        self._sleep = sleep

    def write(self, rows: Sequence[Row]) -> Written:
        """As a collector writes. Raises StoreAway if that can't be done for a while."""
        return self._patiently(lambda: self.store.write(rows))

    def change(self, work: Callable[[Connection], T]) -> T:
        """What `work` does is there as a whole, or not at all."""

        def once() -> T:
            try:
                with self.store.engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                raise explained(self.store.address, error) from None

        try:
            return self._patiently(once)
        except SQLAlchemyError as error:
            raise explained(self.store.address, error) from None

    def _patiently(self, work: Callable[[], T]) -> T:
        for pause_s in _PAUSES_S:
            try:
                return work()
            except StoreAway:
                self._sleep(pause_s)
        return work()
