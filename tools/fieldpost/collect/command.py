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

# What the broker has kept comes without a pause.
_LEFT_QUIET_S = 10.0


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
    quiet: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="End when nothing has come for so long, 90m or 2h: at a broker that is given up, "
            "longer than any node sleeps.",
        ),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="Divide readings among the collectors of this group. Each has a --client-id of "
            "its own, and comes back under it, for the broker keeps a share for it meanwhile.",
        ),
    ] = None,
    leave: Annotated[
        bool,
        typer.Option(
            "--leave",
            help="Store what the broker has kept for us, ask for nothing more, and have it forget "
            "us: of a collector that will not come back.",
        ),
    ] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="Store nothing: have the broker forget our session, and what it keeps for us.",
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
    publisher: Annotated[
        str | None,
        typer.Option(
            help="For --share: the broker with an account that may publish, where the "
            "collector's may not.",
            envvar="FIELDPOST_OWNER",
            metavar="URL",
        ),
    ] = None,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Store every reading exactly once, until Ctrl-C or SIGTERM.

    A message is acknowledged when it is stored, so the broker keeps what comes while this is away.
    docs/collect.md describes the tables, and what the broker must be set to.
    """
    from fieldpost.collect.ending import Limits
    from fieldpost.collect.metrics import Metrics
    from fieldpost.collect.run import Wish
    from fieldpost.collect.run import collect as run_it
    from fieldpost.collect.sources.address import parse as parse_source
    from fieldpost.collect.sources.mqtt.share import check_group, try_share
    from fieldpost.collect.told import Told
    from fieldpost.errors import Usage
    from fieldpost.mqtt.client import check_topic, forget_session
    from fieldpost.mqtt.url import BrokerAddress
    from fieldpost.mqtt.url import parse as parse_broker
    from fieldpost.store.address import parse as parse_store
    from fieldpost.terminal.result import result
    from fieldpost.times import age_s, length_s

    check_topic(base)
    if share is not None:
        check_group(share)
    files = ClientFiles(ca, cert, key)
    owner = parse_broker(publisher, files) if share and publisher else None
    quiet_s = None if quiet is None else length_s(quiet)
    wish = Wish(
        source=parse_source(source or broker, files),
        store=parse_store(store),
        base=base,
        client_id=client_id,
        limits=Limits(count, timeout, _LEFT_QUIET_S if leave and quiet_s is None else quiet_s),
        keep_s=None if keep is None else age_s(keep),
        queue=queue,
        share=share,
        leaves=leave,
    )
    at_broker = wish.source if isinstance(wish.source, BrokerAddress) else None
    if at_broker is None and (forget or leave or share):
        raise Usage(
            "--share, --leave and --forget are for MQTT: all collectors of a cluster share its "
            "queue, and leave nothing behind"
        )
    if forget and at_broker:
        if share or leave:
            raise Usage(
                "--forget would lose what the broker keeps for us: a collector that is one of a "
                "group goes by --leave alone"
            )
        forget_session(at_broker, wish.session_id)
        told_of = {"broker": str(wish.source), "client_id": wish.session_id}
        typer.echo(result(told_of) if as_json else f"{wish.session_id} is forgotten")
        return
    if share and at_broker and not leave:
        try_share(at_broker, owner, base)
    answering = Metrics(metrics) if metrics else None
    with Told(as_json) as told:
        account = run_it(wish, told, answering)
    if leave and at_broker and account["drained"]:
        forget_session(at_broker, wish.session_id)
    if as_json:
        typer.echo(result(account, indent=None))
        return
    typer.echo(
        f"{account['stored']} readings stored, {account['repeated']} came again, "
        f"{account['events']} events, {account['conflicts']} conflicts, "
        f"{account['rejected']} rejected"
    )
    if leave:
        typer.echo(
            f"{wish.session_id} is forgotten"
            if account["drained"]
            else "ended too early to know whether the broker keeps more for us: call it again"
        )
