"""What the back-off alone would do in a storm that was measured: the same fleet, simulated."""

from typing import Any

# More than any broker here was seen to take: it is the nodes that are simulated.
_TAKES_PER_S = 2000
# How long their sessions had lasted: so short that the first pause is the shortest.
_UP_MS = 15_000


def storm(row: dict[str, Any]) -> dict[str, Any]:
    """dials, in all and in the busiest second with brokers that are back; when the last node is
    back, since the first dialled. Of the same outage, as the measured series tells it."""
    from scale import storm as simulation

    simulation.prepare()
    lost_s, back_s = outage(row["series"])
    broker = simulation.Broker(_TAKES_PER_S, away_s=back_s - lost_s)
    made = simulation.always_on("Fieldpost", row["nodes"], _UP_MS, broker)
    return {
        "dials": made.dials,
        "dials_per_s": max(made.arrivals[back_s - lost_s :], default=0),
        "back_s": round(lost_s + made.delivered_s[-1], 1),
    }


def outage(series: dict[str, list[int]]) -> tuple[int, int]:
    """From the second in which nodes begin to dial to the one in which a broker takes the first
    of them."""
    rows = list(zip(series["second"], series["dials"], series["reached"], strict=True))
    lost_s = next(second for second, dials, _ in rows if second >= 0 and dials)
    back_s = next(second for second, _, reached in rows if second > lost_s and reached)
    return lost_s, back_s
