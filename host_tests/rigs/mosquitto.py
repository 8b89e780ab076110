"""What only Mosquitto can show: such a test skips, and says why amqtt would not do."""

import pytest

from fieldpost.mqtt.brokers import find_mosquitto


def need_mosquitto(why: str) -> None:
    """Skip where it is not installed. why: what amqtt lacks for this test."""
    if find_mosquitto() is None:
        pytest.skip(f"Mosquitto is not installed: {why}")
