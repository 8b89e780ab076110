"""The tables of what clients and the node take of a board, and what its radio sends."""

from typing import Any

from benchmarks.figures import Row
from benchmarks.tables import table
from benchmarks.targets import loaded_bytes

_TLS = "Over verified TLS, one reading each; the largest piece is what a next handshake finds:"
_OUTSIDE = (
    "The heap grows into what the system has left: what is free counts both. Radio and TLS take "
    "theirs outside of the heap."
)


def render(number: str, board: dict[str, Any]) -> str:
    """As Markdown, under a heading with that number."""
    is_esp32 = "ESP32" in board["board"]
    parts = [
        f"### {number}. Footprint on the {board['board']}",
        f"Image {board['image']}, in {board['emulator']}." + (f" {_OUTSIDE}" if is_esp32 else ""),
        _heap(board, is_esp32),
        _segments(board["segments"]),
        *_left_out(board),
    ]
    if board.get("tls"):
        parts += [_TLS, _tls(board["tls"], is_esp32)]
    if not is_esp32:
        parts.append(_modules(board))
    return "\n\n".join(parts)


def _cells(stages: dict[str, Any], last: str, is_esp32: bool) -> list[str]:
    """What is taken since the start, what is left, and its largest piece."""
    used = stages["start"]["free"] - stages[last]["free"]
    cells = [f"{figure:,}" for figure in (used, stages[last]["free"], stages[last]["block"])]
    if is_esp32:
        cells.append(f"{stages[last]['outside']:,}")
    return cells


def _heap(board: dict[str, Any], is_esp32: bool) -> str:
    lines = []
    rows = dict(board["heap"])
    node = (board.get("tls") or {}).get("node")
    if node:
        rows["Fieldpost's whole node, over TLS"] = node
    for name, stages in rows.items():
        if "not_run" in stages:
            continue
        last = "steady" if "steady" in stages else "connected"
        after_import = next(s for s in ("imported", "app imported") if s in stages)
        imported = stages["start"]["free"] - stages[after_import]["free"]
        lines.append((name, f"{imported:,}", *_cells(stages, last, is_esp32)))
    head = ["client", "after import", "connected", "left free", "largest piece"]
    return table([*head, "left outside"] if is_esp32 else head, lines)


def _segments(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        if "not_run" in row:
            lines.append((row["client"], row["readings"], "not run", "", ""))
            continue
        each = row["sent_data_segments"] / row["readings"]
        sent, got = row["sent_data_segments"], row["sent_segments"]
        lines.append((row["client"], row["readings"], sent, f"{each:.2f}", got))
    head = ("client", "readings", "segments with payload", "per reading", "all that it sent")
    return table(head, lines)


def _left_out(board: dict[str, Any]) -> list[str]:
    why = {f"{r['client']}: {r['not_run']}" for r in board["segments"] if "not_run" in r}
    heaps = {**board["heap"], **_secured(board.get("tls") or {})}
    why |= {f"{name}: {one['not_run']}" for name, one in heaps.items() if "not_run" in one}
    return ["Not run: " + "; ".join(sorted(why)) + "."] if why else []


def _secured(tls: dict[str, Any]) -> dict[str, Any]:
    """What was measured over TLS, by its name in the table."""
    if not tls:
        return {}
    named = {f"Fieldpost's client, {one['certificate']}": one for one in tls["certificates"]}
    return {
        "umqtt.simple, over TLS": tls["clients"].get("umqtt.simple", {}),
        **named,
        "Fieldpost's whole node, over TLS": tls["node"],
    }


def _tls(tls: dict[str, Any], is_esp32: bool) -> str:
    lines = []
    for name, stages in _secured(tls).items():
        if "connected" not in stages:
            continue
        shown = stages.get("shown_bytes", tls["certificates"][0]["shown_bytes"])
        wakes = stages["wake_ms"]
        # An emulated ESP32's processor is as fast as this machine.
        times = [] if is_esp32 else [f"{wakes[0]:,}", f"{wakes[-1]:,}"]
        cells = _cells(stages, "connected", is_esp32)
        lines.append((name, f"{shown:,}", *cells, *times))
    head = ["client, certificates", "bytes shown", "connected", "left free", "largest piece"]
    return table([*head, *(["left outside"] if is_esp32 else ["ms", "ms, again"])], lines)


def _modules(board: dict[str, Any]) -> str:
    sizes, loaded = board["mpy_bytes"], board["loaded"]
    lines = [(f"`{name}`", f"{sizes[name]:,}") for name in loaded]
    lines.append(("all that the node loads", f"{loaded_bytes(board):,}"))
    lines += [
        (f"{name}, for comparison", f"{size:,}") for name, size in _others(sizes).items() if size
    ]
    return table(("module", "bytes of .mpy"), lines)


def _others(sizes: dict[str, int]) -> dict[str, int]:
    """Of the other clients, all that they load."""

    def beginning(*starts: str) -> int:
        return sum(size for name, size in sizes.items() if name.startswith(starts))

    return {
        "mqtt_as": sizes.get("mqtt_as.mpy", 0),
        "umqtt.robust2 with umqtt.simple2": beginning("umqtt2/"),
        "chumicro-mqtt with its sockets and clock": beginning("chumicro_"),
    }
