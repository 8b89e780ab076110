"""Fieldpost: firmware for Wi-Fi sensors that publish over MQTT."""

VERSION = "0.1.0"


class ConfigError(Exception):
    """What the schema cannot see is wrong with the configuration: the text begins with the key."""


def publish(topic, message="Hello from Fieldpost", qos=0, retain=False):
    """Publish one message by the board's configuration, from its REPL, and say each step.

    Joins Wi-Fi, connects with a clean session and keepalive 30 s, waits for the delivery and
    disconnects. Raises `OSError` or `Refused` if that fails.
    """
    from firmware.repl import publish

    publish(topic, message, qos, retain)
