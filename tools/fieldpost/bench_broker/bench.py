"""A broker at a bench: set up, shown, and kept until Ctrl-C."""

import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fieldpost.bench_broker import addresses
from fieldpost.bench_broker.report import Login, Report
from fieldpost.bench_broker.tls_files import TlsFiles
from fieldpost.bench_broker.visitors import Visitors
from fieldpost.errors import Ended, PortTaken, Usage
from fieldpost.mqtt.brokers import EVERYWHERE, HOST, Broker, Program, free_port
from fieldpost.processes.programs import signals_end_it
from fieldpost.terminal.console import Console
from fieldpost.terminal.safe_text import to_json
from fieldpost.terminal.wrapping import fit

PASSWORD_VARIABLE = "FIELDPOST_BROKER_PASSWORD"
_PORTS_TRIED = 10
_TICK_S = 0.2


@dataclass(frozen=True)
class Options:
    """port: None takes a free one. certs: the authority's folder, for TLS; None: without."""

    port: int | None = None
    is_loopback: bool = False
    using: Program | None = None
    certs: Path | None = None
    clients_show_certificates: bool = False
    user: str | None = None
    as_json: bool = False


def broker_command(options: Options) -> None:
    """Run it until Ctrl-C. Raises CommandError if it does not start, or ends by itself."""
    host = HOST if options.is_loopback else EVERYWHERE
    found = [] if options.is_loopback else addresses.addresses()
    with signals_end_it():
        try:
            port = _port(options, host)
            tls = _tls(options, found)
            login = _login(options.user)
            with Broker(
                options.using,
                port=port,
                users={login.user: login.password} if login else None,
                host=host,
                tls=tls and tls.server,
                tells=True,
            ) as broker:
                _serve(broker, Report(broker, found, options.is_loopback, tls, login), options)
        except KeyboardInterrupt:
            if not options.as_json:
                print("\nThe broker has ended.")


def _serve(broker: Broker, report: Report, options: Options) -> None:
    if options.as_json:
        print(to_json(report.as_json()), flush=True)
    else:
        report.show(Console(highlight=False, markup=False, emoji=False))
    visitors = Visitors(broker.log)
    while broker.running():
        for line in visitors.news():
            if not options.as_json:
                print(line, flush=True)
        time.sleep(_TICK_S)
    raise Ended(f"{broker.name} has ended by itself: {broker.last_words()}")


def _port(options: Options, host: str) -> int:
    if options.port is not None:
        if not addresses.is_free(host, options.port):
            raise PortTaken(
                f"port {options.port} is taken{_by(options.port)}. Without --port another one is "
                "taken"
            )
        return options.port
    usual = 8883 if options.certs else 1883
    for port in range(usual, usual + _PORTS_TRIED):
        if addresses.is_free(host, port):
            if port != usual:
                _say(f"Port {usual} is taken{_by(usual)}. This one gets port {port}.")
            return port
    return free_port()


def _by(port: int) -> str:
    who = addresses.holder(port)
    return f" by {who}" if who else ", by whom the system does not tell"


def _tls(options: Options, found: list[str]) -> TlsFiles | None:
    if options.certs is None:
        return None
    names = [*found, *([] if options.is_loopback else addresses.host_names()), "localhost", HOST]
    return TlsFiles(
        options.certs,
        names,
        clients_show_theirs=options.clients_show_certificates,
        tell=_say,
    )


def _login(user: str | None) -> Login | None:
    if user is None:
        return None
    if not user or ":" in user or not user.isprintable():
        raise Usage(
            "--user: a name without colons; its password is made up, or taken from "
            f"{PASSWORD_VARIABLE}"
        )
    given = os.environ.get(PASSWORD_VARIABLE)
    return Login(user, given or secrets.token_urlsafe(9), is_made_up=not given)


def _say(text: str) -> None:
    print(fit(text, sys.stderr), file=sys.stderr)
