"""A real Home Assistant on loopback, as `make home-assistant` installs it.

Its folder, recorder (SQLite) and MQTT are set up by its own interfaces, as a person would.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from websockets.sync.client import connect

from fieldpost.home_assistant.websocket import HomeAssistant, websocket_url
from fieldpost.mqtt.brokers import free_port
from fieldpost.paths import cache_folder

HASS = cache_folder() / "home-assistant" / "venv" / "bin" / "hass"
_START_S = 150.0
_NTP_TO_UNIX_S = 2_208_988_800
# Recorder, MQTT's set-up and what `default_config` would bring of the interface; no more.
_CONFIGURATION = """
homeassistant:
  name: Test
  unit_system: {units}
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {port}
recorder:
  db_url: sqlite:///{folder}/statistics.db
  commit_interval: 0
api:
config:
sensor:
websocket_api:
"""


def need_home_assistant() -> None:
    """Skip where it is not installed."""
    if not HASS.exists():
        pytest.skip(f"Home Assistant is not installed in {HASS.parents[2]}: make home-assistant")


class RealHomeAssistant:
    """In `folder`. `token`: a long-lived one, of its owner. Use `running` to start it."""

    def __init__(self, folder: Path, units: str = "metric") -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self._opener = build_opener(ProxyHandler({}))
        folder.mkdir()
        (folder / "configuration.yaml").write_text(
            _CONFIGURATION.format(port=self.port, folder=folder, units=units)
        )

    @contextmanager
    def running(self, broker_port: int) -> Iterator[HomeAssistant]:
        """Started, set up with that broker, and a connection to it."""
        log = self.folder / "output.txt"
        with log.open("w") as output:
            process = subprocess.Popen(
                [HASS, "-c", self.folder, "--skip-pip"], stdout=output, stderr=output
            )
        try:
            self._wait(process, log)
            self._onboard()
            self._connect_mqtt(broker_port)
            with HomeAssistant(self.url, self.token) as home:
                yield home
        except BaseException:
            print(log.read_text()[-3000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        end = time.monotonic() + _START_S
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                self._call("/api/onboarding")
                return
            except OSError:
                time.sleep(0.5)

    def _onboard(self) -> None:
        client = self.url + "/"
        owner = {"name": "Owner", "username": "owner", "password": "owner", "language": "en"}
        made = self._call("/api/onboarding/users", {"client_id": client, **owner})
        code = {"grant_type": "authorization_code", "code": made["auth_code"]}
        access = self._call("/auth/token", urlencode({**code, "client_id": client}).encode())
        # The one thing that only a session of a person may ask for.
        with connect(websocket_url(self.url), proxy=None) as session:
            session.recv()
            session.send(json.dumps({"type": "auth", "access_token": access["access_token"]}))
            session.recv()
            asked = {"type": "auth/long_lived_access_token", "client_name": "import"}
            session.send(json.dumps({"id": 1, **asked, "lifespan": 1}))
            self.token = json.loads(session.recv())["result"]

    def _connect_mqtt(self, port: int) -> None:
        flows = "/api/config/config_entries/flow"
        flow = self._call(flows, {"handler": "mqtt"})
        made = self._call(f"{flows}/{flow['flow_id']}", {"broker": "127.0.0.1", "port": port})
        assert made["type"] == "create_entry", made

    def _call(self, path: str, body: dict[str, Any] | bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body
        if isinstance(body, dict):
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = Request(self.url + path, data, headers)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            raise AssertionError(f"{path}: {error} {error.read()[:500]!r}") from None


@contextmanager
def clock_server(offset_s: float) -> Iterator[None]:
    """An NTP server on loopback whose clock is off by that. Skips where port 123 is not free."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(("127.0.0.1", 123))
    except OSError as error:
        server.close()
        pytest.skip(f"the port of NTP cannot be taken: {error}")

    def serve() -> None:
        while True:
            try:
                asked, source = server.recvfrom(256)
            except OSError:
                return
            if len(asked) != 48:
                return
            now = round((time.time() + offset_s + _NTP_TO_UNIX_S) * (1 << 32)) & (1 << 64) - 1
            stamp = now.to_bytes(8, "big")
            head = struct.pack(">BBbbII4s", asked[0] & 0x38 | 4, 2, 6, -20, 0, 0, b"TEST")
            server.sendto(head + stamp + asked[40:48] + stamp + stamp, source)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closing:
            closing.sendto(b"end", ("127.0.0.1", 123))
        thread.join(5)
        server.close()
