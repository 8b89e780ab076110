"""`fieldpost stores …`: its command line."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.collect.sources.address import DEFAULT_QUEUE, ClusterAddress
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.options import (
    CaOption,
    CertOption,
    JsonOption,
    KeyOption,
    StoreOption,
    optional_broker,
)
from fieldpost.store.address import DEFAULT_URL
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.doctor.check import Check

app = typer.Typer(help="Stores of readings.", no_args_is_help=True)


@app.command()
def doctor(
    store: StoreOption = DEFAULT_URL,
    broker: Annotated[
        str | None, optional_broker("Look at this broker too, with the collector's account")
    ] = None,
    publisher: Annotated[
        str | None,
        typer.Option(
            help="The broker with an account that may publish, where the collector's may not.",
            envvar="FIELDPOST_OWNER",
            metavar="URL",
        ),
    ] = None,
    base: Annotated[str, typer.Option(help="mqtt.base of the nodes.")] = "fieldpost",
    messages: Annotated[
        int,
        typer.Option(min=1, max=100_000, help="Messages that the broker is to keep in the trial."),
    ] = 2000,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="FIELDPOST_FROM",
            metavar="URL",
            help="Look at this cluster: what collect --from reads from.",
        ),
    ] = None,
    queue: Annotated[
        str, typer.Option(help="Of a cluster: the queue that all collectors share.")
    ] = DEFAULT_QUEUE,
    as_json: JsonOption = False,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Say what would lose readings on their way into a store.

    With --broker a session is left there, --messages are published to a topic of no node's, and
    those that were kept are counted; nothing is left behind. With --from a cluster is asked for
    its settings, as far as the collector's account may. Status 1 if something would lose readings.
    """
    from fieldpost.collect.sources.address import parse as parse_source
    from fieldpost.doctor.check import machine
    from fieldpost.doctor.command import show
    from fieldpost.mqtt.client import check_topic
    from fieldpost.mqtt.url import BrokerAddress
    from fieldpost.mqtt.url import parse as parse_broker
    from fieldpost.store.address import parse as parse_store
    from fieldpost.stores import mqtt_limits, store_limits

    check_topic(base)
    files = ClientFiles(ca, cert, key)
    # As for collect: --from is meant where both are named.
    named = source or broker
    collector = parse_source(named, files) if named else None
    other = parse_broker(publisher, files) if publisher else None
    looked = store_limits.store(parse_store(store))
    found = list(looked.checks)
    if isinstance(collector, BrokerAddress):
        trial = mqtt_limits.Trial(collector, other, base, messages, looked.a_minute)
        found += mqtt_limits.broker(trial)
    elif collector:
        found += _cluster(collector, base, queue)
    needed = [check for check in found if check.state == "missing"]
    failure = ("missing", ", ".join(check.name for check in needed)) if needed else None
    if as_json:
        typer.echo(result({"checks": [check.as_json() for check in found]}, failure))
    else:
        show(found, machine())
        if not collector:
            typer.echo("Not looked at: the broker. Name it: --broker or --from URL.")
        count = f"{len(needed)} to put right, marked ✗."
        typer.echo(count if needed else "Nothing was found that loses readings.")
    if needed:
        raise typer.Exit(1)


def _cluster(address: ClusterAddress, base: str, queue: str) -> "list[Check]":
    from fieldpost.collect.sources.choose import need_client

    need_client(address)
    if address.scheme in ("amqp", "amqps"):
        from fieldpost.stores import amqp_limits

        return amqp_limits.cluster(address, base, queue)
    from fieldpost.stores import nats_limits

    return nats_limits.cluster(address, base, queue)


@app.command()
def copy(
    given: Annotated[
        str,
        typer.Argument(metavar="FROM", help="Of the store that is read; nothing in it changes."),
    ],
    taking: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            envvar="FIELDPOST_STORE",
            help="Of the one that all goes into; it is made if there is none.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy a store into another one, from SQLite to PostgreSQL or back.

    Collectors may write into both meanwhile. Interrupted, it goes on where it was when it is
    called again; called twice, it brings nothing twice. In the end it looks for each reading by
    its number. Status 1 if one is not there.
    """
    from fieldpost.store.address import parse
    from fieldpost.stores.copying import show
    from fieldpost.stores.copying.run import copy as copy_all
    from fieldpost.terminal.progress import FlashScreen
    from fieldpost.terminal.wrapping import fit

    origin, target = parse(given), parse(taking)
    with FlashScreen(steps=not as_json) as screen:
        account = copy_all(
            origin,
            target,
            lambda what, done, total: screen.progress(str(target), what, done, total),
        )
        screen.finished(str(target))
    failure = show.failure(account)
    if as_json:
        told = {"from": str(origin), "to": str(target), **account.as_json()}
        typer.echo(result(told, failure))
    else:
        for line in show.lines(account):
            typer.echo(fit(line, sys.stdout))
    if failure:
        raise typer.Exit(1)


@app.command()
def prune(
    older: Annotated[
        str, typer.Argument(metavar="LENGTH", help="What came longer ago goes: 90d, 52w.")
    ],
    store: StoreOption = DEFAULT_URL,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what is old. The count of each boot stays, so that gaps can still be proved."""
    import time

    from sqlalchemy.exc import SQLAlchemyError

    from fieldpost.errors import Cancelled
    from fieldpost.store.address import parse
    from fieldpost.store.opened import explained, open_store, open_to_read
    from fieldpost.store.removal import count_older, remove_older
    from fieldpost.terminal.progress import FlashScreen
    from fieldpost.times import age_s

    before_s = time.time() - age_s(older)
    address = parse(store)
    open_to_read(address).dispose()  # It makes none.
    opened = open_store(address)
    try:
        with opened.engine.connect() as connection:
            count = count_older(connection, before_s)
        if count and not yes and not _agreed(count):
            raise Cancelled(f"{count} readings would be removed: say --yes")
        with FlashScreen(steps=False) as screen:
            done = remove_older(
                opened.engine,
                before_s,
                lambda some: screen.progress(str(address), "removing", some, count),
            )
            screen.finished(str(address))
    except SQLAlchemyError as error:
        raise explained(address, error) from None
    finally:
        opened.close()
    if as_json:
        typer.echo(result({"removed": done.readings, "others": done.others}))
        return
    typer.echo(f"{done.readings} readings and {done.others} other rows were removed")


def _agreed(count: int) -> bool:
    """Nobody agrees who is not there."""
    is_there = sys.stdin is not None and sys.stdin.isatty()
    return is_there and typer.confirm(f"Remove {count} readings?", err=True)
