"""`fieldpost swarm`: its command line."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldpost.errors import MissingTool, Usage
from fieldpost.mqtt import url as mqtt_url
from fieldpost.options import BrokerOption, JsonOption

if TYPE_CHECKING:
    from fieldpost.swarm.arrivals import Arrivals, Came
    from fieldpost.swarm.swarm import Report, Swarm
    from fieldpost.terminal.progress import FlashScreen


def swarm(
    nodes: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 100,
    broker: BrokerOption = mqtt_url.DEFAULT_URL,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long they live.")] = 5.0,
    sample_s: Annotated[
        float, typer.Option("--every", min=1, help="Seconds from reading to reading.")
    ] = 60.0,
    sleeping: Annotated[
        float, typer.Option(min=0, max=1, help="Which part of them sleeps between readings.")
    ] = 0.0,
    deliver_every: Annotated[
        int, typer.Option(min=1, help="Readings that one which sleeps gathers for a delivery.")
    ] = 1,
    spread: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds within which all start; by itself, --every."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of their dice: starts, pauses, values.")] = 1,
    prefix: Annotated[str, typer.Option(help="Their names begin so: PREFIX-0 …")] = "swarm",
    base: Annotated[str, typer.Option(help="What their topics begin with.")] = "fieldpost",
    login: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD",
            help="Of each node, {node} standing for its name; by itself, that of --broker.",
        ),
    ] = None,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that readings which wait then have left, and after that at most so "
            "many for what is acknowledged to arrive.",
        ),
    ] = 120.0,
    watch: Annotated[
        bool, typer.Option(help="Count what the broker hands on; --no-watch if another does.")
    ] = True,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write each reading's key into it, when it was accepted and acknowledged.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let thousands of nodes live at a broker: is it large enough, does anything get lost?

    Each runs the firmware's own code, with its session, outbox and back-off. Status 0 only if
    nothing that was accepted was lost, or still waits in the end. Ctrl-C and SIGTERM end it early,
    and in order.
    """
    import asyncio

    from fieldpost.swarm.arrivals import QUIET_S, Arrivals
    from fieldpost.swarm.ledger import Ledger
    from fieldpost.swarm.swarm import Swarm, Wish
    from fieldpost.terminal.progress import FlashScreen

    _check_parts()
    address = mqtt_url.parse(broker)
    if address.tls:
        raise Usage(
            "a swarm speaks plain MQTT: arithmetic of TLS for thousands of nodes would measure "
            "this computer. Give the broker a listener without TLS on its own machine"
        )
    wish = Wish(
        broker=address,
        nodes=nodes,
        sample_s=sample_s,
        deliver_every=deliver_every,
        sleeping=sleeping,
        duration_s=minutes * 60,
        spread_s=sample_s if spread is None else spread,
        drain_s=drain,
        seed=seed,
        prefix=prefix,
        base=base,
        login=_login(login, address),
    )
    arrivals = Arrivals(address, base, prefix) if watch else None
    book = Ledger(ledger) if ledger else None
    with FlashScreen(steps=False) as screen, ExitStack() as ends:
        start_s = time.monotonic()
        played = Swarm(wish, lambda one: _show(screen, one, arrivals, start_s), book)
        if book:
            ends.callback(book.close)
        ends.enter_context(_ended_early(played))
        if arrivals:
            ends.enter_context(arrivals)
        report, came = asyncio.run(played.play()), None
        if arrivals:
            came = arrivals.settled(
                {node.name: node.accepted for node in played.nodes},
                report.waiting + report.under_way,
                max(drain, QUIET_S),
                lambda: _show(screen, played, arrivals, start_s),
            )
    failure = _failure(report, came)
    _tell(report, came, failure, as_json)
    if failure:
        raise typer.Exit(1)


@contextmanager
def _ended_early(swarm: "Swarm") -> Iterator[None]:
    """SIGTERM and Ctrl-C end the life of its nodes; a second one does not wait for what waits."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {}

    def end(_number: int, _frame: object) -> None:
        swarm.end()
        for number, handler in before.items():
            signal.signal(number, handler)

    # The loop would give Ctrl-C a meaning of its own, but for one that has another already.
    before |= {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_parts() -> None:
    import importlib.util

    from fieldpost.terminal.advice import install_command

    if importlib.util.find_spec("greenlet") is None:
        raise MissingTool(f"a swarm needs the package greenlet: `{install_command('greenlet')}`")


def _login(given: str | None, address: mqtt_url.BrokerAddress) -> tuple[str, str] | None:
    if given is None:
        return (address.user, address.password or "") if address.user else None
    user, colon, password = given.partition(":")
    if not (user and colon):
        raise Usage("--login looks like USER:PASSWORD, such as {node}:a-password")
    return user, password


def _show(
    screen: "FlashScreen", swarm: "Swarm", arrivals: "Arrivals | None", start_s: float
) -> None:
    up = sum(node.is_up for node in swarm.nodes)
    accepted = sum(len(node.accepted) for node in swarm.nodes)
    waiting = sum(node.waiting for node in swarm.nodes)
    text = f"{up} of {len(swarm.nodes)} connected, {accepted} readings, {waiting} wait"
    if arrivals:
        text += f", {arrivals.count} arrived"
    wish = swarm.wish
    passed_s = min(time.monotonic() - start_s, wish.duration_s)
    screen.progress("swarm", text, int(passed_s), int(wish.duration_s))


def _failure(report: "Report", came: "Came | None") -> tuple[str, str] | None:
    """Code and words; None if all that was accepted has arrived."""
    if came and (came.lost or came.foreign):
        return "account", f"{came.lost} readings are lost, {came.foreign} are nobody's"
    if report.waiting:
        return "timeout", f"{report.waiting} readings still wait to be acknowledged"
    return None


def _tell(
    report: "Report", came: "Came | None", failure: tuple[str, str] | None, as_json: bool
) -> None:
    from dataclasses import asdict

    from fieldpost.swarm.arrivals import QUIET_S
    from fieldpost.terminal.result import result
    from fieldpost.terminal.wrapping import fit

    if as_json:
        account = report.as_json() | {"came": asdict(came) if came else None}
        print(result(account, failure))
        return
    lines = [
        f"{report.nodes} nodes in {report.seconds:g} s: {report.accepted} readings accepted, "
        f"{report.waiting} still waiting, {report.dropped} dropped by full outboxes.",
        f"{report.dials} connections, {report.dials_per_s} in the busiest second; "
        f"{report.reconnects} ended that nobody wanted to end; {report.repeats} readings were "
        "sent again.",
    ]
    if came:
        lines.append(
            f"{came.readings} arrived, each once by its key ({came.repeats} repeated on the "
            f"wire), {came.lost} lost."
        )
    if came and came.lost and came.still_coming:
        lines.append(
            f"More was still coming {came.waited_s:g} s after the last acknowledgement, so they "
            "may be late and not lost: give it longer with --drain."
        )
    elif came and came.lost:
        lines.append(f"Nothing more had come for {QUIET_S:g} s.")
    lines += [f"{count} times: {cause}" for cause, count in report.causes.items()]
    lines += report.said
    for line in lines:
        print(fit(line, sys.stdout))
