"""One Mosquitto in the place of a cluster: what most fleets begin with, and what others are
compared with."""

import os
import socket
import tempfile
import time
from pathlib import Path

from fieldpost.errors import Ended, MissingTool
from fieldpost.mqtt.brokers import find_mosquitto, free_port
from fieldpost.processes.started import Started
from scale.network import Places
from scale.program import Program

_START_S = 15.0
_LOOK_S = 0.05
# docs/collect.md tells users to set these: what comes while a collector is away must be kept.
_LINES = (
    "allow_anonymous true",
    "persistence true",
    "autosave_interval 30",
    "max_queued_messages 100000",
    "max_queued_bytes 0",
    "max_inflight_messages 1000",
    "log_dest stderr",
    "log_type error",
    "log_type warning",
)


class Mosquitto(Started):
    """A broker that keeps sessions on disk, in the place of a cluster's only node."""

    nodes = 1

    def __init__(self, places: Places) -> None:
        program = find_mosquitto()
        if not program:
            raise MissingTool("mosquitto is not installed: apt install mosquitto")
        self.title = "Mosquitto, one"
        self._host, self._port = places.client_address(0), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-broker-")
        folder = Path(self._folder.name)
        lines = [f"listener {self._port} {self._host}", f"persistence_location {folder}/", *_LINES]
        if os.geteuid() == 0:
            # Started by root it would become another user, who cannot read this folder.
            lines.append("user root")
        configuration = folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        argv = places.within(0, [program, "-c", str(configuration)])
        self._program = Program(self.title, argv, folder / "log")

    def start(self) -> None:
        self.start_node(0)

    def close(self) -> None:
        self._program.close()
        self._folder.cleanup()

    def kill(self, index: int) -> None:
        self._program.kill()

    def stop(self, index: int) -> None:
        self._program.stop()

    def start_node(self, index: int) -> None:
        self._program.start()
        end = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection((self._host, self._port), 1).close()
                return
            except OSError as error:
                self._program.require()
                if time.monotonic() > end:
                    raise Ended(f"{self.title} takes no clients: {error}") from None
            time.sleep(_LOOK_S)

    def leader(self) -> int:
        return 0

    def mqtt(self, index: int) -> tuple[str, int]:
        return self._host, self._port

    def source(self) -> str:
        return f"mqtt://{self._host}:{self._port}"

    def waiting(self) -> int | None:
        return None

    def told(self) -> list[str]:
        return [
            "What it has acknowledged since it last saved, 30 s ago at most, is in its memory "
            "alone: a power cut or SIGKILL takes what no collector has stored by then.",
            "While it is away nothing is accepted: nodes keep their readings.",
        ]
