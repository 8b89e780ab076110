"""What docs/reliability.md says of the flash's life is what the outbox does to it."""

import pytest

from fieldpost.paths import ROOT
from simulation import wear


def test_the_table_in_the_manual_is_the_one_that_is_measured() -> None:
    assert wear.table() in (ROOT / "docs" / "reliability.md").read_text()


@pytest.mark.parametrize("durability", ["outage", "reading"])
@pytest.mark.parametrize("link_up", [True, False])
def test_a_reading_costs_about_one_erase_at_most(durability: str, link_up: bool) -> None:
    cost = wear.measure(durability, link_up, 2000)
    assert cost.writes <= 1.0
    assert cost.erases < 1.1
    if durability == "outage" and link_up:
        assert cost.writes == cost.commits == cost.erases == 0
