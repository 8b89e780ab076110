"""Who comes to each broker, and what each of them may do. Passwords are for loopback only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A name, and topic filters: what it may publish and what it may subscribe to."""

    user: str
    password: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


# Whoever collects readings and sends commands.
OWNER = Account("owner", "owners-word", ("#",), ("#",))
# A node with the least rights with which everything works.
NODE = Account(
    "node",
    "nodes-word",
    ("fieldpost/n/#", "homeassistant/#"),
    ("fieldpost/n/cmd", "homeassistant/status"),
)
# A node that may bring its own messages and hear nothing; discovery is refused to it, too.
WRITER = Account("writer", "writers-word", ("fieldpost/w/#",), ())
ALL = (OWNER, NODE, WRITER)
# What the nodes are called that come with these accounts: with TLS, in their certificates, too.
NODE_NAMES = {NODE.user: "n", WRITER.user: "w"}
