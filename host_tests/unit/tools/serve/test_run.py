"""What the page at the bench says as it starts."""

from __future__ import annotations

import re
from pathlib import Path

from fieldpost.serve.run import Wish, page
from fieldpost.store.address import parse


def test_the_one_port_that_is_told_of_is_that_to_which_nodes_come(tmp_path: Path) -> None:
    said: list[str] = []
    wish = Wish(parse(f"sqlite:///{tmp_path}/readings.db"), is_loopback=True)
    with page(wish, said.append) as running:
        relay = running.bench.relay
    assert relay
    assert {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", " ".join(said))} == {
        relay.port
    }
