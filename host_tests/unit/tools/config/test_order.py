"""A configuration in the order of its documentation."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from fieldpost.config.order import in_order
from fieldpost.paths import ROOT

_FILES = sorted((ROOT / "examples").glob("*/config.json"))


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        names = rng.sample(list(value), len(value))
        return {name: shuffled(value[name], rng) for name in names}
    return [shuffled(one, rng) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.parent.name)
def test_any_order_becomes_the_same_and_nothing_is_lost(path: Path) -> None:
    config = json.loads(path.read_text())
    texts = {json.dumps(in_order(shuffled(config, random.Random(seed)))) for seed in range(9)}
    (text,) = texts
    assert json.loads(text) == config
    assert text.startswith('{"node": ')


def test_what_is_not_known_is_kept_behind_the_rest() -> None:
    odd = {"zebra": 1, "sensors": [{"pin": 4, "type": "no such", "name": "x"}, 7], "node": "n"}
    found = in_order(odd)
    assert found == odd and list(found) == ["node", "sensors", "zebra"]
    assert list(found["sensors"][0]) == ["type", "name", "pin"]
