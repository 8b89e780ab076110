"""A broker of our own, on loopback unless more is asked for: Mosquitto if installed, else amqtt.

with Broker() as broker:
    ...                     # broker.port, broker.name
    broker.stop()           # as `systemctl stop` does
    broker.start()          # again, on the same port
"""

import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from fieldpost.errors import Ended, MissingTool
from fieldpost.processes import programs
from fieldpost.processes.started import Started

Program = Literal["mosquitto", "amqtt"]
HOST = "127.0.0.1"
# Every interface of this machine: only where the user asked for it.
EVERYWHERE = "0.0.0.0"
# Mosquitto by itself keeps 1000 messages for a collector that is away, and loses what follows.
_KEEPS = ("max_queued_messages 100000", "max_queued_bytes 0")
_START_S = 15.0
_STOP_S = 5.0
_PORT_TRIES = 5


def find_mosquitto() -> str | None:
    """The path of the Mosquitto broker, None if it is not installed."""
    return programs.find("mosquitto")


def free_port() -> int:
    """A loopback port on which nobody listens.

    From below the range that the system hands out to outgoing connections: there, a client that
    keeps dialling a stopped broker could be given that very port and connect to itself.
    """
    while True:
        port = random.SystemRandom().randrange(10240, 32768)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


@dataclass(frozen=True)
class ServerTls:
    """What a broker speaks TLS with, as PEM files.

    acl: what goes into Mosquitto's acl_file; with it, clients show a certificate that `ca` has
    signed, and are who that says. None: they need none.
    """

    ca: Path
    cert: Path
    key: Path
    acl: str | None = None


class Broker(Started):
    """One broker process, with its files in a temporary folder. Starts on entering `with`.

    program: which one; None takes Mosquitto if there is one.
    host: the address of this machine to listen on.
    users: names and passwords; None lets anybody in.
    subscriber: (client id, topic filter) of a subscriber, coming with QoS 1 and a persistent
        session, for whom messages are kept from the start on, also across a stop and a start.
        To Mosquitto it must have come once before the stop.
    persistence: keep sessions and retained messages across a stop and a start (Mosquitto only).
    tls: None speaks plain MQTT. Clients that show certificates need Mosquitto.
    tells: have Mosquitto write into its log who comes and who goes, too.
    more: lines of Mosquitto's configuration, besides those that are made here.
    """

    def __init__(
        self,
        program: Program | None = None,
        *,
        port: int | None = None,
        users: Mapping[str, str] | None = None,
        subscriber: tuple[str, str] | None = None,
        persistence: bool = False,
        host: str = HOST,
        tls: ServerTls | None = None,
        tells: bool = False,
        more: Sequence[str] = (),
    ) -> None:
        self._mosquitto = None if program == "amqtt" else find_mosquitto()
        if program == "mosquitto" and not self._mosquitto:
            raise MissingTool("mosquitto is not installed: apt install mosquitto, or use amqtt")
        self.program: Program = "mosquitto" if self._mosquitto else "amqtt"
        if persistence and self.program == "amqtt":
            raise MissingTool("amqtt keeps nothing across a restart: persistence needs mosquitto")
        if tls and tls.acl is not None and self.program == "amqtt":
            raise MissingTool("amqtt knows nobody by a certificate: that needs mosquitto")
        self.name = _name_of(self._mosquitto)
        self._fixed_port = port is not None
        self.port = port or free_port()
        self._users = dict(users or {})
        self._subscriber = subscriber
        self._persistence = persistence or subscriber is not None
        self._host = host
        self._tls = tls
        self._tells = tells
        self._more = tuple(more)
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-broker-")
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: programs.Watchdog | None = None

    @property
    def url(self) -> str:
        """Where it listens, as `--broker` takes it on this machine."""
        return f"{'mqtts' if self._tls else 'mqtt'}://{self._reached_at}:{self.port}"

    @property
    def _reached_at(self) -> str:
        return HOST if self._host == EVERYWHERE else self._host

    @property
    def log(self) -> Path:
        """What it says, as long as it is open."""
        return Path(self._folder.name) / "log"

    @property
    def pid(self) -> int | None:
        """Its process, None while stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it accepts connections. Raises CommandError if it does not.

        A port that was picked here is picked again if somebody took it; from then on it stays.
        """
        if self.running():
            return
        for attempt in range(_PORT_TRIES):
            if not self._accepts():  # else it is somebody else who listens there
                self._spawn()
                if self._wait_until_it_accepts():
                    self._fixed_port = True
                    return
                self.kill()
            if self._fixed_port or attempt == _PORT_TRIES - 1:
                break
            self.port = free_port()
        raise Ended(
            f"{self.name} did not start on port {self.port}. Its last words: {self.last_words()}"
        )

    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it as its service manager would: it saves what it keeps. Killed after 5 s."""
        if self._process:
            if self._watchdog:
                self._watchdog.close()
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                pass  # kill() is next
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._watchdog:
            self._watchdog.close()
            self._watchdog = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill it and remove its files."""
        self.kill()
        self._folder.cleanup()

    def _spawn(self) -> None:
        command = self._mosquitto_command() if self._mosquitto else self._amqtt_command()
        with self.log.open("ab") as log:
            # In a session of its own, so that Ctrl-C in the terminal ends it when we say so.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder.name,
                start_new_session=True,
            )
        self._watchdog = programs.Watchdog(self._process)

    def _mosquitto_command(self) -> list[str]:
        assert self._mosquitto
        folder = Path(self._folder.name)
        lines = [
            f"listener {self.port} {self._host}",
            *self._tls_lines(folder),
            f"allow_anonymous {'false' if self._users or self._knows_clients else 'true'}",
            f"persistence {'true' if self._persistence else 'false'}",
            f"persistence_location {folder}/",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            *(["log_type notice"] if self._tells else []),
            *_KEEPS,
            *self._more,
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # Started by root it would become another user, who cannot read this folder.
            lines.append("user root")
        if self._users:
            passwords = folder / "passwords"
            passwords.write_text("".join(_password_line(*pair) for pair in self._users.items()))
            passwords.chmod(0o600)
            lines.append(f"password_file {passwords}")
        configuration = folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return [self._mosquitto, "-c", str(configuration)]

    @property
    def _knows_clients(self) -> bool:
        return self._tls is not None and self._tls.acl is not None

    def _tls_lines(self, folder: Path) -> list[str]:
        if not self._tls:
            return []
        files = {"cafile": self._tls.ca, "certfile": self._tls.cert, "keyfile": self._tls.key}
        lines = [f"{name} {path.resolve()}" for name, path in files.items()]
        if self._tls.acl is not None:
            acl = folder / "acl"
            acl.touch(mode=0o600)
            acl.write_text(self._tls.acl)
            lines += ["require_certificate true", "use_identity_as_username true"]
            lines += ["use_username_as_clientid true", f"acl_file {acl}"]
        return lines

    def _amqtt_command(self) -> list[str]:
        options = Path(self._folder.name) / "amqtt.json"
        options.touch(mode=0o600)
        tls = self._tls and {"certfile": self._tls.cert, "keyfile": self._tls.key}
        given = {
            "host": self._host,
            "port": self.port,
            "users": self._users,
            "subscriber": self._subscriber,
            "tls": tls and {name: str(path.resolve()) for name, path in tls.items()},
        }
        options.write_text(json.dumps(given))
        return [sys.executable, "-m", "fieldpost.mqtt.amqtt_broker", str(options)]

    def _wait_until_it_accepts(self) -> bool:
        end = time.monotonic() + _START_S
        while self.running() and time.monotonic() < end:
            if self._accepts():
                return True
            time.sleep(0.02)
        return False

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self._reached_at, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def last_words(self) -> str:
        """The last line of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        lines = text.strip().splitlines()
        return lines[-1] if lines else "none; is another program listening there?"


def _name_of(mosquitto: str | None) -> str:
    if mosquitto is None:
        return f"amqtt {metadata.version('amqtt')}"
    # `-h` prints the version and ends with a status that means nothing.
    told = subprocess.run([mosquitto, "-h"], capture_output=True, text=True, timeout=10)
    found = re.search(r"version (\S+)", told.stdout + told.stderr)
    return f"Mosquitto {found[1]}" if found else "Mosquitto"


def _password_line(user: str, password: str) -> str:
    """A line of Mosquitto's password file: PBKDF2 with SHA-512, as mosquitto_passwd writes it."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{user}:$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}\n"
