"""The part of benchmark 3 over TLS: the heap, and what a handshake takes."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import certificates
from benchmarks.bench_board import BenchBoard, set_clock, why
from benchmarks.certificates import OWN, Chain
from fieldpost.board.link import open_link
from fieldpost.emulator.emulator import GATEWAY
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker

FIRST_PORT = 8883
NODE = "Fieldpost's whole node, TLS"
_TRIES = 2
_NAMES = {"ca": "ca_file", "cert": "cert_file", "key": "key_file"}


def measure(board: BenchBoard, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """`node`, `clients` by name: stages. `certificates`: rows of Fieldpost's by certificate."""
    chains = certificates.make(folder, False, GATEWAY)
    found: dict[str, Any] = {"clients": {}, "certificates": []}
    with ExitStack() as stack:
        brokers = [stack.enter_context(Broker("mosquitto", tls=one.broker)) for one in chains]
        ports = {FIRST_PORT + at: broker.port for at, broker in enumerate(brokers)}
        files = {
            f"certs/{at}/{name}.der": Path(path).read_bytes()
            for at, chain in enumerate(chains)
            for name, path in chain.asked.items()
        }

        def stages(name: str, call: str) -> dict[str, Any]:
            said: dict[str, Any] = {}
            for _ in range(_TRIES):
                say(f"footprint, {board.engine.title}: {name}")
                config = _configuration(board, chains)
                try:
                    with (
                        board.boot(ports, config, files) as emulator,
                        open_link(emulator.console, 30) as link,
                    ):
                        set_clock(link)
                        return board.stages(link, call)
                except CommandError as error:
                    said = {"not_run": why(error)}
            return said

        where = f"{board.engine.ssid!r}, {board.password!r}, {GATEWAY!r}"
        found["node"] = stages(NODE, f"measure.measure_node({board.depth})")
        for at, chain in enumerate(chains):
            paths = "".join(f", 'certs/{at}/{name}.der'" for name in chain.asked)
            call = f"({where}, {FIRST_PORT + at}{paths})"
            said = stages(f"TLS, {chain.name}", f"board_tls.fieldpost{call}")
            row = {"certificate": chain.name, "shown_bytes": chain.shown_bytes, **said}
            found["certificates"].append(row)
            if chain.name == OWN:
                found["clients"]["Fieldpost"] = said
                found["clients"]["umqtt.simple"] = stages(
                    "umqtt.simple over TLS", f"board_tls.umqtt{call}"
                )
    return found


def _configuration(board: BenchBoard, chains: list[Chain]) -> dict[str, Any]:
    """The same node over TLS, with a certificate of its own where the run has one."""
    at = len(chains[:2]) - 1
    tls = {_NAMES[name]: f"certs/{at}/{name}.der" for name in chains[at].asked}
    mqtt = {"host": GATEWAY, "port": FIRST_PORT + at, "tls": tls, "timeout_s": 20}
    return board.configuration(mqtt=mqtt, ntp={"host": GATEWAY})
