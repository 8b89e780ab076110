"""Home Assistant's WebSocket interface as far as statistics go, on loopback.

The answers have the shapes that Home Assistant 2025.4 gave; test_home_assistant.py in
host_tests/whole asks a real one the same. As there, an import is only queued: its rows show later.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

TOKEN = "a-token.of-sixty_characters"
_OLD_METADATA = {
    "has_mean",
    "has_sum",
    "name",
    "source",
    "statistic_id",
    "unit_of_measurement",
}
_NEW_METADATA = _OLD_METADATA | {"mean_type", "unit_class"}


class FakeHomeAssistant:
    """is_new: it takes `mean_type` and `unit_class`, as from late 2025 on.

    lag_s: after which an imported row shows. `imports`: the commands that it took.
    `rows`: by statistic id and start in Unix seconds, (mean, least, most).
    """

    def __init__(self, *, is_new: bool = False, lag_s: float = 0.0) -> None:
        self.is_new = is_new
        self.lag_s = lag_s
        self.is_admin = True
        self.loses_rows = False
        self.registry: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.metadata: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[int, tuple[float, float, float]]] = {}
        self.imports: list[dict[str, Any]] = []
        self._due: list[tuple[float, dict[str, Any]]] = []
        self._server = serve(self._serve, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        port = self._server.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def entity(
        self,
        unique_id: str,
        entity_id: str,
        unit: str | None = None,
        *,
        has_statistics: bool = False,
        **more: Any,
    ) -> None:
        """An entity that MQTT has brought. has_statistics: it has some already, in that unit."""
        entry = {"unique_id": unique_id, "entity_id": entity_id, "platform": "mqtt"}
        self.registry.append({**entry, "disabled_by": None, **more})
        attributes: dict[str, Any] = {"friendly_name": unique_id}
        if entity_id.startswith("sensor."):
            attributes["state_class"] = "measurement"
        if unit:
            attributes["unit_of_measurement"] = unit
        self.states.append(
            {"entity_id": entity_id, "state": "unavailable", "attributes": attributes}
        )
        if has_statistics:
            self._know(entity_id, unit)

    def _know(self, entity_id: str, unit: str | None) -> None:
        classes = {"°C": "temperature", "°F": "temperature", "hPa": "pressure"}
        self.metadata[entity_id] = {
            "statistic_id": entity_id,
            "display_unit_of_measurement": unit,
            "has_mean": True,
            "has_sum": False,
            "name": None,
            "source": "recorder",
            "statistics_unit_of_measurement": unit,
            "unit_class": classes.get(unit or ""),
        }
        self.rows.setdefault(entity_id, {})

    def _serve(self, connection: ServerConnection) -> None:
        try:
            connection.send(json.dumps({"type": "auth_required", "ha_version": "2025.4.4"}))
            told = json.loads(connection.recv())
            if told != {"type": "auth", "access_token": TOKEN}:
                refused = {
                    "type": "auth_invalid",
                    "message": "Invalid access token or password",
                }
                connection.send(json.dumps(refused))
                return
            connection.send(json.dumps({"type": "auth_ok", "ha_version": "2025.4.4"}))
            for text in connection:
                connection.send(json.dumps(self._answer(json.loads(text))))
        except ConnectionClosed:
            pass

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._apply()
        kind = asked["type"]
        if kind == "config/entity_registry/list":
            result: Any = self.registry
        elif kind == "get_states":
            result = self.states
        elif kind == "recorder/get_statistics_metadata":
            wanted = asked["statistic_ids"]
            result = [one for name, one in self.metadata.items() if name in wanted]
        elif kind == "recorder/statistics_during_period":
            result = self._during(asked)
        elif kind == "recorder/import_statistics":
            return self._import(asked)
        else:
            return _error(asked, "unknown_command", "Unknown command.")
        return {"id": asked["id"], "type": "result", "success": True, "result": result}

    def _during(self, asked: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        first, end = (
            datetime.fromisoformat(asked[key]).timestamp() for key in ("start_time", "end_time")
        )
        found = {}
        for name in asked["statistic_ids"]:
            rows = [
                {
                    "start": start * 1000,
                    "end": (start + 3600) * 1000,
                    "mean": mean,
                    "min": least,
                    "max": most,
                }
                for start, (mean, least, most) in sorted(self.rows.get(name, {}).items())
                if first <= start < end
            ]
            if rows:
                found[name] = rows
        return found

    def _import(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self.is_admin:
            return _error(asked, "unauthorized", "Unauthorized")
        for key in asked["metadata"]:
            if key not in (_NEW_METADATA if self.is_new else _OLD_METADATA):
                return _error(
                    asked,
                    "invalid_format",
                    f"extra keys not allowed @ data['metadata']['{key}']. Got None",
                )
        for row in asked["stats"]:
            start = datetime.fromisoformat(row["start"])
            assert start.minute == start.second == 0 and start.tzinfo is not None
        self.imports.append(asked)
        if not self.loses_rows:
            self._due.append((time.monotonic() + self.lag_s, asked))
        return {"id": asked["id"], "type": "result", "success": True, "result": None}

    def _apply(self) -> None:
        now = time.monotonic()
        for due, asked in list(self._due):
            if due > now:
                continue
            self._due.remove((due, asked))
            name = asked["metadata"]["statistic_id"]
            self._know(name, asked["metadata"]["unit_of_measurement"])
            for row in asked["stats"]:
                start = int(datetime.fromisoformat(row["start"]).timestamp())
                self.rows[name][start] = (row["mean"], row["min"], row["max"])


def _error(asked: dict[str, Any], code: str, message: str) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"id": asked["id"], "type": "result", "success": False, "error": error}
