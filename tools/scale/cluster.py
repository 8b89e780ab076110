"""What the driver asks of a cluster of brokers, whichever engine it is."""

from typing import Protocol


class Cluster(Protocol):
    """Brokers that are one to their clients. Nodes are told by their index, from 0."""

    title: str

    @property
    def nodes(self) -> int:
        """How many there are."""
        ...

    def start(self) -> None:
        """Start all; return when they form one cluster and take MQTT clients. Raises CommandError
        if they do not."""
        ...

    def close(self) -> None:
        """End all for good, and remove their files."""
        ...

    def kill(self, index: int) -> None:
        """SIGKILL to a node, with all that it has started."""
        ...

    def stop(self, index: int) -> None:
        """End a node as a service manager would; return when it has ended."""
        ...

    def start_node(self, index: int) -> None:
        """Start one that has ended; return when it takes part again. Raises CommandError if it
        does not."""
        ...

    def leader(self) -> int:
        """The node that leads the queue, or the stream, of the readings."""
        ...

    def mqtt(self, index: int) -> tuple[str, int]:
        """Host and port at which a node takes MQTT clients."""
        ...

    def source(self) -> str:
        """For `fieldpost collect --from`: all nodes in one address."""
        ...

    def waiting(self) -> int | None:
        """Readings that the engine keeps, and no collector has acknowledged; None where it does
        not tell."""
        ...

    def told(self) -> list[str]:
        """What this engine itself does not promise, a sentence each."""
        ...
