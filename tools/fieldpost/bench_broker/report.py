"""What a person at a bench has to know of the broker there: addresses, and the lines to type."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.text import Text

from fieldpost.bench_broker.tls_files import TlsFiles
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.terminal.console import Console

_INDENT = "  "
_TOPICS = "fieldpost/#"


@dataclass(frozen=True)
class Login:
    """A name and its password; `is_made_up`: nobody knows it yet."""

    user: str
    password: str
    is_made_up: bool


@dataclass(frozen=True)
class Report:
    """addresses: of this machine, for boards, the likeliest first; none on loopback alone."""

    broker: Broker
    addresses: list[str]
    is_loopback: bool
    tls: TlsFiles | None
    login: Login | None

    @property
    def board_host(self) -> str | None:
        """What a board has to dial."""
        return self.addresses[0] if self.addresses else None

    def as_json(self) -> dict[str, Any]:
        """For a script; a password only where it was made up here."""
        found: dict[str, Any] = {
            "ok": True,
            "program": self.broker.program,
            "name": self.broker.name,
            "pid": self.broker.pid,
            "port": self.broker.port,
            "local_url": self.broker.url,
            "url": self.board_host and self._url(self.board_host),
            "addresses": self.addresses,
            "config": self.board_host and {"mqtt": self._settings(self.board_host)},
            "ca": None if self.tls is None else str(self.tls.server.ca),
            "user": self.login and self.login.user,
        }
        if self.login and self.login.is_made_up:
            found["password"] = self.login.password
        return found

    def show(self, console: Console) -> None:
        """For a person."""
        console.print(self._first_sentence())
        console.print()
        if self.board_host:
            self._pair(console, "for a board", self._url(self.board_host))
            for other in self.addresses[1:]:
                self._pair(console, "  or", self._url(other))
        self._pair(console, "on this machine", self._url(HOST))
        if self.login and self.login.is_made_up:
            self._pair(console, "user, password", f"{self.login.user}, {self.login.password}")
            console.print("Set FIELDPOST_BROKER_PASSWORD to have the same next time.")
        if self.board_host:
            self._show_lines(console, "Tell a board", self._for_a_board(self.board_host))
            settings = f'"mqtt": {json.dumps(self._settings(self.board_host))}'
            if len(settings) > console.width - len(_INDENT):
                settings = f'"mqtt": {json.dumps(self._settings(self.board_host), indent=2)}'
            self._show_lines(console, "or write into its config.json", settings.split("\n"))
            if self.login:
                login = {"user": self.login.user, "password": self._word}
                line = f'"mqtt": {json.dumps(login)}'
                self._show_lines(console, "and into its secrets.json", [line])
        url = shlex.quote(self._url(HOST, with_login=True))
        if not self.tls:
            line = f"fieldpost run --broker {url}"
            self._show_lines(console, "Run a node on this machine", [line])
        self._show_lines(console, "Watch what arrives", self._watching())
        console.print("\nIt keeps nothing beyond its end. Ctrl-C ends it.")

    def _first_sentence(self) -> str:
        listens = f"{self.broker.name} listens on port {self.broker.port}"
        tls = "with TLS" if self.tls else "without TLS"
        if self.is_loopback:
            return (
                f"{listens} for this machine alone, {tls}: no board on the network can reach it; "
                "a node of `fieldpost run` can, and a board of `fieldpost emulate`."
            )
        who = "whoever is in your network may come in"
        if self.tls and self.tls.watcher:
            who = "whoever is in your network and has a certificate may come in"
        elif self.login:
            who = "whoever is in your network and knows the password may come in"
        sentence = (
            f"{listens} of every interface, {tls}. You asked for it by running this: {who}. "
            "--loopback keeps it to this machine."
        )
        if not self.addresses:
            sentence += " This machine is in no network now, so no board can reach it."
        return sentence

    def _url(self, host: str, *, with_login: bool = False) -> str:
        port = self.broker.port
        place = host if port == self._usual_port else f"{host}:{port}"
        login = ""
        if with_login and self.login:
            login = f"{quote(self.login.user, safe='')}:{quote(self._word, safe='')}@"
        return f"{'mqtts' if self.tls else 'mqtt'}://{login}{place}"

    @property
    def _usual_port(self) -> int:
        return 8883 if self.tls else 1883

    @property
    def _word(self) -> str:
        """The password where it has to be shown anyhow; what the user gave is not repeated."""
        assert self.login
        return self.login.password if self.login.is_made_up else "PASSWORD"

    def _settings(self, host: str) -> dict[str, Any]:
        settings: dict[str, Any] = {"host": host}
        if self.broker.port != self._usual_port:
            settings["port"] = self.broker.port
        if self.tls:
            names = ("ca", "cert", "key") if self.tls.watcher else ("ca",)
            settings["tls"] = {f"{one}_file": f"certs/{one}.der" for one in names}
        return settings

    def _for_a_board(self, host: str) -> list[str]:
        lines = []
        options = ""
        if self.tls and self.tls.watcher:
            folder = self.tls.folder
            lines.append(f"fieldpost certs node NAME --dir {_quoted(folder)}")
            for one in ("ca", "cert", "key"):
                options += f" --{one} {_quoted(folder / 'nodes' / 'NAME' / f'{one}.der')}"
        elif self.tls:
            options = f" --ca {_quoted(self.tls.folder / 'ca.crt')}"
        value = shlex.quote(self._url(host, with_login=True))
        if os.name == "nt":
            lines.append(f"set FIELDPOST_BROKER={self._url(host, with_login=True)}")
            return [*lines, f"fieldpost provision{options}"]
        return [*lines, f"FIELDPOST_BROKER={value} fieldpost provision{options}"]

    def _watching(self) -> list[str]:
        url = shlex.quote(self._url(HOST, with_login=True))
        listen = f"fieldpost listen '{_TOPICS}' --broker {url}"
        other = f"mosquitto_sub -p {self.broker.port} -v -t '{_TOPICS}'"
        if self.login:
            other += f" -u {shlex.quote(self.login.user)} -P {shlex.quote(self._word)}"
        if self.tls:
            ca = self.tls.folder / "ca.crt"
            listen += f" --ca {_quoted(ca)}"
            other += f" --cafile {_quoted(ca)}"
            if self.tls.watcher:
                own = self.tls.folder / "people" / self.tls.watcher
                for one in ("cert", "key"):
                    path = _quoted(own / ("client.crt" if one == "cert" else "client.key"))
                    listen += f" --{one} {path}"
                    other += f" --{one} {path}"
        return [listen, other]

    @staticmethod
    def _pair(console: Console, name: str, value: str) -> None:
        console.print(Text.assemble((f"{name:<17}", "dim"), (value, "bold")), soft_wrap=True)

    @staticmethod
    def _show_lines(console: Console, title: str, lines: list[str]) -> None:
        console.print(f"\n{title}:")
        for line in lines:
            # A command stays one that can be copied, however narrow the terminal is.
            if len(line) > console.width - len(_INDENT) and os.name == "posix":
                line = line.replace(" --", f" \\\n{_INDENT * 2}--")
            console.print(Text(_INDENT + line, style="cyan"), soft_wrap=True)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
