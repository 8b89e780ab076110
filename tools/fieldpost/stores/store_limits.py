"""Whether a store can take what is to come: its room, and what it promises of a commit."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from fieldpost.doctor.check import Check
from fieldpost.errors import CommandError
from fieldpost.store import schema
from fieldpost.store.address import StoreAddress
from fieldpost.store.opened import explained, open_to_read
from fieldpost.store.tables import conflicts, readings, rejected

_DAY_S = 86_400.0
_FEW_DAYS, _MANY_DAYS = 14, 1000
_LITTLE_BYTES = 200 * 1024 * 1024
_AHEAD_S = 120.0


@dataclass(frozen=True)
class Looked:
    """What was found. a_minute: readings that came in the last day, in each of its minutes."""

    checks: list[Check]
    a_minute: float | None = None


def store(address: StoreAddress, now_s: float | None = None) -> Looked:
    """Look at the store at `address`, and change nothing."""
    now_s = time.time() if now_s is None else now_s
    if address.file and not address.file.exists():
        return Looked([_place_for(address.file)])
    try:
        engine = open_to_read(address)
    except CommandError as error:
        return Looked([Check("store", "missing", str(error))])
    try:
        return _looked(engine, address, now_s)
    except SQLAlchemyError as error:
        return Looked([Check("store", "missing", str(explained(address, error)))])
    finally:
        engine.dispose()


def _looked(engine: Engine, address: StoreAddress, now_s: float) -> Looked:
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(readings)).scalar_one()
        latest = connection.execute(select(func.max(readings.c.received))).scalar()
        day = connection.execute(
            select(func.count())
            .select_from(readings)
            .where(readings.c.received >= now_s - _DAY_S, readings.c.received <= now_s)
        ).scalar_one()
        text = f"{count} readings, schema {len(schema.STEPS)}"
        if latest is not None:
            text += f", the last came {_ago(now_s - latest)}"
        checks = [Check("store", "ok", text), *_odd(connection)]
        if latest is not None and latest > now_s + _AHEAD_S:
            fix = "set this machine's clock by NTP: age and the time of arrival are told by it"
            checks.append(Check("clock", "note", "readings came later than it is now", fix))
        if address.file:
            checks.append(_room(address.file, count, day))
        else:
            checks += _promises(connection)
    return Looked(checks, day / 1440 if day else None)


def _ago(seconds: float) -> str:
    for unit, length_s in ("days", 86_400), ("hours", 3600), ("minutes", 60):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit} ago"
    return "just now" if seconds < 2 else f"{seconds:.0f} seconds ago"


def _odd(connection: Connection) -> list[Check]:
    found = []
    for table, fix in (
        (conflicts, "two nodes of one name, or one whose boot count began anew?"),
        (rejected, "its column `why` says what each of them was"),
    ):
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if count:
            found.append(Check(table.name, "note", f"{count} rows", fix))
    return found


def _place_for(file: Path) -> Check:
    folder = file.resolve().parent
    if not folder.is_dir():
        return Check("store", "missing", f"there is no folder {folder}", "make it")
    if not os.access(folder, os.W_OK):
        return Check("store", "missing", f"this user may not write into {folder}")
    free = shutil.disk_usage(folder).free
    return Check("store", "ok", f"none yet; {_size(free)} are free for {file.name}")


def _room(file: Path, count: int, day: int) -> Check:
    free = shutil.disk_usage(file.resolve().parent).free
    size = sum(
        one.stat().st_size for one in (file, file.with_name(f"{file.name}-wal")) if one.exists()
    )
    text = f"{_size(size)} used, {_size(free)} free"
    fix = "make room, or let fieldpost collect --keep 365d remove what is old"
    if day and count:
        days = free / (size / count * day)
        long = "years" if days > _MANY_DAYS else f"{days:.0f} days"
        text += f": room for {long}, if as many readings come as in the last day"
        if days < _FEW_DAYS:
            return Check("room", "missing", text, fix)
    state = "note" if free < _LITTLE_BYTES else "ok"
    return Check("room", state, text, fix if state == "note" else "")


def _promises(connection: Connection) -> list[Check]:
    """Of PostgreSQL: what is told as committed is on its disk, or is not."""
    found = []
    for name, lost in (("fsync", "a store"), ("synchronous_commit", "the last readings")):
        value = connection.exec_driver_sql(f"SHOW {name}").scalar()
        if value == "off":
            text = f"{name} is off: a power cut can cost {lost} that were acknowledged"
            found.append(Check(name, "missing", text, f"ALTER SYSTEM SET {name} = on"))
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar()
    text = f"{_size(int(size or 0))} used; PostgreSQL does not say how much is free"
    found.append(Check("room", "ok", text, ""))
    may = connection.exec_driver_sql(
        "SELECT has_database_privilege(current_database(), 'TEMPORARY')"
    ).scalar()
    if not may:
        text = "this user may make no temporary table, and readings come through one"
        found.append(Check("rights", "missing", text, "GRANT TEMPORARY ON DATABASE … TO …"))
    return found


def _size(size: int) -> str:
    for unit, least in ("GB", 1e9), ("MB", 1e6), ("kB", 1e3):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} bytes"
