"""What happens to collectors, each time while readings come: the account after it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rigs.collecting import Account, Collecting, Engine, Stream, settled
from rigs.postgresql import PostgreSql

from fieldpost.store import address

_READY = "storing into"
_AWAY = "the store takes nothing"
_BACK = "the store takes readings again"


def killed_often(
    broker: Engine, store: str, seed: int, kills: int, *, sabotaged: bool = False
) -> Account:
    """SIGKILL at moments of chance: while it starts, or in the first half second after that."""
    chance = random.Random(seed)
    running = Collecting(broker, store, sabotaged=sabotaged)
    running.says(_READY)
    stream = Stream(broker)
    try:
        for _ in range(kills):
            if chance.random() < 0.75:
                running.says(_READY)
                time.sleep(chance.uniform(0.0, 0.6))
            else:
                time.sleep(chance.uniform(0.2, 1.6))
            running.kill()
            running = Collecting(broker, store, sabotaged=sabotaged)
        running.says(_READY)
        stream.end()
        found = settled(store, stream)
        assert running.terminate() == 0, running.lines
    finally:
        running.kill()
        stream.abandon()
    return found


def broker_restarted(broker: Engine, store: str, times: int = 3) -> Account:
    """The broker ends in order and starts again."""
    with _collecting(broker, store) as (_, stream):
        for _ in range(times):
            time.sleep(0.5)
            broker.stop()
            broker.start()
        time.sleep(0.5)
        stream.end()
        return settled(store, stream)


def store_away(broker: Engine, store: str, cluster: PostgreSql | None, away_s: float) -> Account:
    """PostgreSQL crashes; SQLite's file is held by somebody with a change begun."""
    with _collecting(broker, store) as (one, stream):
        time.sleep(0.5)
        with away(store, cluster):
            one.says(_AWAY)
            time.sleep(away_s)
        one.says(_BACK)
        stream.end()
        return settled(store, stream)


def clock_stepped(broker: Engine, store: str, for_s: float) -> Account:
    """The machine's clock is set by years, there and back; what came long ago is to be removed."""
    with _collecting(broker, store, "--keep", "52w", stepped=True) as (one, stream):
        time.sleep(for_s)
        one.kill()
        with Collecting(broker, store, "--keep", "52w", stepped=True) as other:
            other.says(_READY)
            stream.end()
            return settled(store, stream)


def ended_while_the_store_is_away(broker: Engine, store: str) -> Account:
    """SIGTERM then, and another one takes over."""
    with _collecting(broker, store) as (one, stream):
        with away(store, None):
            one.says(_AWAY)
            assert one.terminate() == 0, one.lines
        with Collecting(broker, store) as other:
            other.says(_READY)
            stream.end()
            return settled(store, stream)


def disk_full(broker: Engine, store: str) -> Account:
    """A limit on the size of its files stands for the disk: SQLite gets EFBIG, not ENOSPC."""
    with _collecting(broker, store, rate=1000, file_bytes=300_000) as (one, stream):
        one.says(_AWAY)
        time.sleep(2)
        one.limit_files(None)
        one.says(_BACK)
        stream.end()
        return settled(store, stream)


def disk_of_postgresql_full(broker: Engine, store: str) -> Account:
    """A trigger raises the error that PostgreSQL has for it."""
    with _collecting(broker, store) as (one, stream):
        _do(
            store,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON readings "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        one.says("could not extend file")
        time.sleep(1)
        _do(store, "DROP TRIGGER full_disk ON readings")
        one.says(_BACK)
        stream.end()
        return settled(store, stream)


def two_collectors(broker: Engine, store: str) -> Account:
    """Two of them on one store, each with all readings, and then one of them is killed."""
    with (
        _collecting(broker, store, "--client-id", "one", rate=1000) as (_, stream),
        Collecting(broker, store, "--client-id", "two") as two,
    ):
        two.says(_READY)
        time.sleep(2)
        two.kill()
        time.sleep(1)
        stream.end()
        return settled(store, stream)


@contextmanager
def away(store: str, cluster: PostgreSql | None) -> Iterator[None]:
    """Nobody can write to the store within the block."""
    file = address.parse(store).file
    if file:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        return
    assert cluster
    cluster.stop("immediate")
    try:
        yield
    finally:
        cluster.start()


@contextmanager
def _collecting(
    broker: Engine,
    store: str,
    *more: str,
    rate: float = 300.0,
    file_bytes: int | None = None,
    stepped: bool = False,
) -> Iterator[tuple[Collecting, Stream]]:
    """One that is ready, and readings that come."""
    with Collecting(broker, store, *more, stepped=stepped) as one:
        one.says(_READY)
        if file_bytes is not None:
            one.limit_files(file_bytes)
        stream = Stream(broker, rate=rate)
        try:
            yield one, stream
        finally:
            stream.abandon()


def _do(store: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(store, autocommit=True) as one:
        for statement in statements:
            one.execute(statement.encode())
