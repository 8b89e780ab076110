"""Fleets of nodes, as the TOML of `fieldpost fleet`. Their secret is in the variable NET."""

_NODE = """
[[node]]
id = "{id}"
name = "{name}"
config = {{mqtt = {{host = "192.168.1.10"}}}}
secrets = {{wifi = [{{ssid = "net", password = {{env = "NET"}}}}]}}
"""
# The chip's own number of the board that rigs/hostile_board.py is.
CONNECTED = "e6614104035f8a2c"


def fleet(**ids: str) -> str:
    """The ids of its nodes, by their names."""
    return "".join(_NODE.format(id=number, name=name) for name, number in ids.items())
