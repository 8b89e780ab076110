"""What the project set itself, against what was measured."""

from typing import Any

from benchmarks import deployment, report_phases
from benchmarks.figures import Row, pick, ratio

_KB = 1000
# All the bytecode that the default node loads, at most; host_tests/whole/test_footprint.py checks.
MPY_MAX = 45 * _KB
# Three round trips, which a client needs that waits for CONNACK, by two; and what machines differ.
_FASTER = 1.4
# One for TCP, two for TLS 1.2 (RFC 5246 section 7.3), one for MQTT.
_TLS_TRIPS = 4


def judge(results: dict[str, Any]) -> list[Row]:
    """One row for each target: `target`, `measured` in words, `met`, None if it was not run."""
    rows: list[Row] = []

    def add(target: str, value: float | None, limit: float, form: str, least: bool) -> None:
        met = None if value is None else value >= limit if least else value <= limit
        said = "not run" if value is None else form.format(value)
        rows.append({"target": target, "measured": said, "met": met})

    wake = results.get("wake", [])
    at_50 = {"round_trip_ms": 50, "readings": 50}
    ours, theirs = (pick(wake, client=name, **at_50) for name in ("Fieldpost", "umqtt.simple"))
    add(
        "wake to delivered, 50 ms, 50 readings: 20 times faster than umqtt.simple",
        *(ratio("ms", theirs, ours), 20, "{:.1f} times", True),
    )
    trips = ours["ms"] / 50 if ours else None
    add(
        "the same: at most 2.2 round trips, as time by round trip time",
        *(trips, 2.2, "{:.2f}", False),
    )
    for readings in (1, 50):
        at = {"round_trip_ms": 50, "readings": readings}
        best = _best_other(wake, **at)
        times = ratio("ms", best, pick(wake, client="Fieldpost", **at))
        add(
            f"wake to delivered, 50 ms, {readings} reading{'s' * (readings > 1)}: "
            f"{_FASTER} times faster than the best other client",
            *(times, _FASTER, f"{{:.2f}} times ({best['client']})" if best else "", True),
        )
    # "Whatever its certificates": one that was not run leaves it open.
    secured = [
        row.get("round_trips")
        for row in (results.get("tls") or {}).get("clients", [])
        if row["client"] == "Fieldpost" and row["round_trip_ms"]
    ]
    most = None if None in secured else max(secured, default=None)
    add(
        f"wake over verified TLS 1.2, whatever its certificates: at most {_TLS_TRIPS} round trips",
        *(most, _TLS_TRIPS, "{:.0f}", False),
    )
    _judge_board(results.get("footprint") or {}, add)
    again = pick(results.get("deployment", []), way=deployment.AGAIN)
    add(
        "a deployment that changes nothing takes under 2 s",
        *(again["s"] if again else None, 2, "{:.1f} s", False),
    )
    report_phases.judge(results.get("phases") or {}, add)
    return rows


def _best_other(wake: list[Row], **at: Any) -> Row | None:
    """The fastest row there of a client that is not ours."""
    others = [row for row in wake if row["client"] != "Fieldpost"]
    names = dict.fromkeys(row["client"] for row in others)
    found = [row for name in names if (row := pick(others, client=name, **at))]
    return min(found, key=lambda row: row["ms"], default=None)


def _judge_board(board: dict[str, Any], add: Any) -> None:
    part, count, best = _segments(board.get("segments", []))
    add(
        "TCP segments per reading from the Pico W: a fifth of the best other client's",
        *(part, 0.2, f"{{:.2f}}, at {count} readings ({best})", False),
    )
    heap = board.get("heap", {})
    client, mqtt_as = taken(heap, "Fieldpost's client"), taken(heap, "mqtt_as")
    add(
        "client heap, connected, on the Pico W: half of mqtt_as's",
        *(client / mqtt_as if client and mqtt_as else None, 0.5, "{:.2f}", False),
    )
    node = heap.get("Fieldpost's whole node")
    free = node["steady"]["free"] / _KB if node and "steady" in node else None
    add(
        "the whole node with two sensors leaves 120 kB of the image's heap",
        *(free, 120, "{:.0f} kB", True),
    )
    loaded = loaded_bytes(board)
    add(
        ".mpy of everything that the default node loads: under 45 kB",
        *(loaded and loaded / _KB, MPY_MAX / _KB, "{:.1f} kB", False),
    )


def _segments(rows: list[Row]) -> tuple[float | None, int, str]:
    """(ours by the best other client's, at how many readings: the most that another one did, whose
    that is)."""
    figure = "sent_data_segments"
    others = [row for row in rows if row["client"] != "Fieldpost" and figure in row]
    count = max((row["readings"] for row in others), default=0)
    ours = pick(rows, client="Fieldpost", readings=count)
    those = [row for row in others if row["readings"] == count]
    best = min(those, key=lambda row: row[figure], default=None)
    if not ours or not best:
        return None, count, ""
    return ours[figure] / best[figure], count, best["client"]


def taken(heap: dict[str, Any], client: str, stage: str = "connected") -> int | None:
    """Bytes of heap that a client takes from its start to a stage."""
    stages = heap.get(client)
    if not stages or stage not in stages:
        return None
    return stages["start"]["free"] - stages[stage]["free"]


def loaded_bytes(board: dict[str, Any]) -> int | None:
    """Bytes of the .mpy files that the node loads."""
    if not board.get("loaded"):
        return None
    return sum(board["mpy_bytes"][name] for name in board["loaded"])
