"""One store into another: what it copies in which order, and the account of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select

from fieldpost.errors import Usage
from fieldpost.store import columns
from fieldpost.store.address import StoreAddress
from fieldpost.store.opened import open_store, open_to_read
from fieldpost.store.rows import Written
from fieldpost.store.tables import events, readings
from fieldpost.stores.copying import aside, check, retention
from fieldpost.stores.copying import events as events_of_nodes
from fieldpost.stores.copying import readings as by_key
from fieldpost.stores.copying.aside import Aside
from fieldpost.stores.copying.check import Checked
from fieldpost.stores.copying.ends import Origin, Target
from fieldpost.stores.copying.note import Note

# What, how many of them, of how many.
Progress = Callable[[str, int, int], None]


@dataclass
class Account:
    """What became of all. resumed: whether it went on where another copy was interrupted, so that
    `readings` counts those behind it. left_out: readings that the target has removed for their
    age."""

    resumed: bool = False
    readings: Written = field(default_factory=Written)
    left_out: int = 0
    events: Aside = field(default_factory=Aside)
    conflicts: Aside = field(default_factory=Aside)
    rejected: Aside = field(default_factory=Aside)
    checked: Checked = field(default_factory=Checked)

    def as_json(self) -> dict[str, Any]:
        """Without the sentences."""
        counts = self.readings.counts()
        names = ("stored", "repeated", "filled", "conflicts")
        return {
            "resumed": self.resumed,
            "readings": {name: counts[name] for name in names} | {"left_out": self.left_out},
            **{name: asdict(getattr(self, name)) for name in ("events", "conflicts", "rejected")},
            "checked": asdict(self.checked),
        }


def copy(given: StoreAddress, taking: StoreAddress, progress: Progress) -> Account:
    """Copy all, and look whether it is there. Raises CommandError if one of the stores can't be
    opened, or is away for long: another call goes on from there."""
    _check_two(given, taking)
    engine = open_to_read(given)
    try:
        store = open_store(taking)
        try:
            return _copied(Origin(given, engine), Target(store), progress)
        finally:
            store.close()
    finally:
        engine.dispose()


def _copied(origin: Origin, target: Target, progress: Progress) -> Account:
    account = Account()
    with origin.reading() as connection:
        total = connection.execute(select(func.count()).select_from(readings)).scalar_one()
        of_events = connection.execute(select(func.count()).select_from(events)).scalar_one()
        names = columns.all_names(connection)
    target.change(lambda connection: columns.add_names(connection, names))
    note = Note(target, origin.identity())
    account.resumed = note.after is not None
    account.readings, account.left_out = by_key.copy(
        origin,
        target,
        note,
        lambda done, left_out: progress("readings", _seen(done) + left_out, total),
    )
    account.conflicts = aside.copy_conflicts(origin, target)
    account.rejected = aside.copy_rejected(origin, target)
    account.events = events_of_nodes.copy(
        origin, target, lambda done: progress("events", done, of_events)
    )
    retention.copy(origin, target, note)
    account.checked = check.check(origin, target, lambda done: progress("checking", done, total))
    return account


def _seen(done: Written) -> int:
    return done.stored + done.repeated + done.conflicts


def _check_two(given: StoreAddress, taking: StoreAddress) -> None:
    files = (given.file and given.file.resolve(), taking.file and taking.file.resolve())
    if given.url == taking.url or (files[0] and files[0] == files[1]):
        raise Usage(f"{given} is both the store that is read and the one that is written to")
