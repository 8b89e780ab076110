"""The account of a copy, for people."""

from collections.abc import Iterator

from fieldpost.stores.copying.aside import Aside
from fieldpost.stores.copying.run import Account


def failure(account: Account) -> tuple[str, str] | None:
    """Code and words; None if every reading is there."""
    missing = account.checked.missing
    if not missing:
        return None
    return (
        "readings_missing",
        f"{missing} readings are not there yet: did a collector write meanwhile into the store "
        "that was read? Copy it again",
    )


def lines(account: Account) -> Iterator[str]:
    """In the order in which they are to be read."""
    done, checked = account.readings, account.checked
    if account.resumed:
        yield "It went on where the copy before was interrupted."
    yield from done.told
    filled = f", {done.filled} of them without the time that is now filled in"
    yield (
        f"{done.stored} readings were copied, {done.repeated} were there already"
        f"{filled if done.filled else ''}"
    )
    if done.conflicts:
        yield f"{done.conflicts} readings differ from the one under their key: kept in conflicts"
    if account.left_out:
        yield f"{account.left_out} readings were left out: they have been removed there once"
    yield f"copied besides: {_aside('events', account.events)}"
    for name, one in (("conflicts", account.conflicts), ("rejected", account.rejected)):
        if one.stored or one.known:
            yield f"copied besides: {_aside(name, one)}"
    removed = f", {checked.removed} removed for their age" if checked.removed else ""
    yield (
        f"checked: {checked.nodes} nodes, {checked.boots} boots, {checked.readings} readings: "
        f"{checked.found} are there{removed}, {checked.missing} are missing"
    )
    for one in checked.listed:
        yield (
            f"missing: {one.node} boot {one.boot}: {one.readings} readings from seq {one.first} "
            f"to {one.last}"
        )
    if told := failure(account):
        yield told[1]


def _aside(name: str, one: Aside) -> str:
    return f"{one.stored} {name}, {one.known} were there already"
