"""The tables of the wake over TLS."""

from typing import Any

from benchmarks.certificates import OWN
from benchmarks.figures import Row, pick
from benchmarks.tables import ms, table
from benchmarks.tls import CLIENTS, ROUND_TRIP_MS

_SEEN = ("round_trips", "segments", "sent_bytes", "received_bytes")


def render(found: dict[str, Any]) -> str:
    """As Markdown: by client, by certificate, and what a shortened handshake would save."""
    rows = found["clients"]
    return "\n\n".join(
        [
            "### 1c. The same over verified TLS",
            f"Over TLS 1.2; the broker's certificate is {OWN}. At 0 ms it is this machine's "
            "processor that takes the time, which is no board's.",
            _by_client(rows),
            *_left_out(rows),
            "One reading from Fieldpost, by what the broker shows:",
            _by_certificate(rows),
            "One reading from OpenSSL's client over TLS 1.2, CONNECT and reading in one piece:",
            _shortened(found["shortened"]),
        ]
    )


def _at(rows: list[Row], **wanted: Any) -> Row | None:
    return pick(rows, round_trip_ms=ROUND_TRIP_MS, **wanted)


def _by_client(rows: list[Row]) -> str:
    lines = []
    for count in sorted({row["readings"] for row in rows}):
        for name in CLIENTS:
            wanted = {"client": name, "readings": count, "certificate": OWN}
            row = _at(rows, **wanted)
            if row:
                near = ms(pick(rows, round_trip_ms=0, **wanted))
                seen = [f"{row[figure]:,.0f}" for figure in _SEEN]
                spread = f"{row['ms_min']:,.0f} to {row['ms_max']:,.0f}"
                lines.append((name, count, near, ms(row), spread, *seen))
    head = ("client", "readings", "0 ms", f"{ROUND_TRIP_MS} ms", "least to most")
    return table((*head, "round trips", "segments", "bytes sent", "received"), lines)


def _left_out(rows: list[Row]) -> list[str]:
    why = sorted({f"{row['client']} ({row['not_run']})" for row in rows if "not_run" in row})
    return ["Not run: " + "; ".join(why) + "."] if why else []


def _by_certificate(rows: list[Row]) -> str:
    lines = []
    for name in dict.fromkeys(row["certificate"] for row in rows):
        wanted = {"client": "Fieldpost", "readings": 1, "certificate": name}
        row = _at(rows, **wanted)
        if row:
            near = ms(pick(rows, round_trip_ms=0, **wanted))
            seen = [f"{row[figure]:,.0f}" for figure in _SEEN]
            lines.append((name, f"{row['shown_bytes']:,}", near, ms(row), *seen))
    head = ("certificates", "bytes of the broker's", "0 ms", f"{ROUND_TRIP_MS} ms")
    return table((*head, "round trips", "segments", "bytes sent", "received"), lines)


def _shortened(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        seen = ["not run", "", "", ""]
        if "not_run" not in row:
            seen = [f"{row[figure]:,.0f}" for figure in _SEEN]
        lines.append((row["how"], *seen))
    return table(("it begins with", "round trips", "segments", "bytes sent", "received"), lines)
