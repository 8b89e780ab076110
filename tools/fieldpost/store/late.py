"""A store whose file is made when there is something to collect from: who finds no broker leaves
none behind."""

import os
import threading
from collections.abc import Sequence

from fieldpost.store.address import StoreAddress
from fieldpost.store.errors import StoreAway
from fieldpost.store.opened import Store, check_place, open_store
from fieldpost.store.rows import Row, Written


class LateStore:
    """One that is there is opened at once, so that what is wrong with it is told at once. Raises
    CommandError for that, or where no file could be made."""

    def __init__(self, address: StoreAddress) -> None:
        self.shown = str(address)
        self._address = address
        self._made: Store | None = None
        self._making = threading.Lock()
        if address.file is None or address.file.exists():
            self.opened()
            return
        check_place(address)
        if not os.access(address.file.parent, os.W_OK):
            raise StoreAway(f"{address}: may this user write to {address.file.parent}?")

    def opened(self) -> Store:
        """The store itself, made now if it is not yet. From any thread. Raises as `open_store`."""
        with self._making:
            if self._made is None:
                self._made = open_store(self._address)
            return self._made

    def write(self, rows: Sequence[Row]) -> Written:
        """As that of a Store."""
        return self.opened().write(rows)

    def close(self) -> None:
        """Let go of its connections. Never raises."""
        if self._made:
            self._made.close()
