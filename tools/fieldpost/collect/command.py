"""`fieldpost collect`: its command line."""

from typing import Annotated

import typer

from fieldpost.collect.sources.address import DEFAULT_QUEUE
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import (
    BrokerOption,
    CaOption,
    CertOption,
    JsonOption,
    KeyOption,
    StoreOption,
)
from fieldpost.store.address import DEFAULT_URL as DEFAULT_STORE


def collect(
    store: StoreOption = DEFAULT_STORE,
    base: Annotated[str, typer.Option(help="mqtt.base of the nodes.")] = "fieldpost",
    client_id: Annotated[
        str | None,
        typer.Option(
            help="By it the broker keeps for us what comes while we are away; two collectors "
            "need two. By itself it is made of this machine, the store and the base.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Remove what came longer ago, 90d or 52w; by itself all stays. Counts stay.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="PORT",
            help="Answer Prometheus there, on loopback; HOST:PORT for other machines, too.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many new readings.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="Store nothing: have the broker forget our session, and what it keeps for us, as "
            "of a collector that will not come back.",
        ),
    ] = False,
    as_json: JsonOption = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="FIELDPOST_FROM",
            metavar="URL",
            help="Read from there; by itself, from --broker.",
        ),
    ] = None,
    queue: Annotated[
        str,
        typer.Option(help="Of a cluster: the queue that all collectors share."),
    ] = DEFAULT_QUEUE,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Store every reading exactly once, until Ctrl-C or SIGTERM.

    A message is acknowledged when it is stored, so the broker keeps what comes while this is away.
    docs/collect.md describes the tables, and what the broker must be set to.
    """
    from fieldpost.collect.metrics import Metrics
    from fieldpost.collect.run import Wish
    from fieldpost.collect.run import collect as run_it
    from fieldpost.collect.sources.address import parse as parse_source
    from fieldpost.collect.told import Told
    from fieldpost.errors import Usage
    from fieldpost.mqtt.client import check_topic, forget_session
    from fieldpost.mqtt.url import BrokerAddress
    from fieldpost.result import result
    from fieldpost.store.address import parse as parse_store
    from fieldpost.times import age_s

    check_topic(base)
    wish = Wish(
        source=parse_source(source or broker, ClientFiles(ca, cert, key)),
        store=parse_store(store),
        base=base,
        client_id=client_id,
        count=count,
        timeout_s=timeout,
        keep_s=None if keep is None else age_s(keep),
        queue=queue,
    )
    if forget:
        if not isinstance(wish.source, BrokerAddress):
            raise Usage("--forget is for MQTT: other collectors may read from a cluster's queue")
        forget_session(wish.source, wish.session_id)
        told_of = {"broker": str(wish.source), "client_id": wish.session_id}
        typer.echo(result(told_of) if as_json else f"{wish.session_id} is forgotten")
        return
    answering = Metrics(metrics) if metrics else None
    with Told(as_json) as told:
        account = run_it(wish, told, answering)
    if as_json:
        typer.echo(result(account, indent=None))
        return
    typer.echo(
        f"{account['stored']} readings stored, {account['repeated']} came again, "
        f"{account['events']} events, {account['conflicts']} conflicts, "
        f"{account['rejected']} rejected"
    )
