"""What config.check promises for any input at all: it raises nothing and shows no secret."""

import copy
import json
import random
from typing import Any

from rigs.configurations import FULL, FULL_SECRETS, mutate

from firmware.config import check as config


def test_no_input_whatsoever_raises_or_shows_a_secret() -> None:
    source = random.Random(20250611)
    accepted = 0
    for _ in range(4000):
        found = mutate(source, copy.deepcopy(FULL))
        secrets = mutate(source, copy.deepcopy(FULL_SECRETS))
        settings, errors = config.check(found, secrets)
        assert (settings is None) == bool(errors)
        assert all(isinstance(error, str) and ": " in error for error in errors)
        # Every error can be printed on any terminal and sent over MQTT.
        printed = "".join(errors)
        assert all(one >= " " for one in printed)
        assert b"correct horse" not in printed.encode()
        if settings:
            accepted += 1
            json.dumps(settings, allow_nan=False).encode()
    assert accepted > 200  # else the mutations are too rough to reach the checks between keys


def test_what_holds_itself_is_no_endless_loop() -> None:
    circle: dict[str, Any] = {}
    circle["wifi"] = circle["x"] = [circle, circle]
    assert config.check(circle, circle)[0] is None
