"""What came into the store, and when each reading's commit was done: PostgreSQL notes that."""

from dataclasses import dataclass

from fieldpost.errors import Ended
from scale.fleet import Key

# With it the moment of a commit is kept beside the commit, also over a crash.
SETTINGS = {"track_commit_timestamp": "on"}
_READINGS = """
    SELECT node, boot, seq, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM readings WHERE starts_with(node, %s)
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM conflicts), (SELECT count(*) FROM rejected)
"""
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint,
           (SELECT count(*) FROM readings)
    FROM pg_inherits WHERE inhparent = 'readings'::regclass
"""


@dataclass(frozen=True)
class Stored:
    """committed: of each reading under a key. rows: how many there are. conflicts, rejected: in
    the whole store."""

    committed: dict[Key, float]
    rows: int
    conflicts: int
    rejected: int


class Look:
    """Asks a store. url: as `--store` takes it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def stored(self, prefix: str) -> Stored:
        """The readings of the nodes whose names begin so. Raises Ended if it does not answer."""
        rows = self._ask(_READINGS, (prefix,))
        ((conflicts, rejected),) = self._ask(_COUNTS, ())
        committed = {(node, boot, seq): moment for node, boot, seq, moment in rows}
        return Stored(committed, len(rows), conflicts, rejected)

    def bytes_per_reading(self) -> float:
        """On its disk, with indices."""
        ((size, count),) = self._ask(_SIZE, ())
        return size / count if count else 0.0

    def _ask(self, query: str, values: tuple[str, ...]) -> list[tuple]:
        import psycopg

        try:
            with psycopg.connect(self._url, connect_timeout=5) as one:
                return one.execute(query.encode(), values).fetchall()
        except psycopg.OperationalError as error:
            raise Ended(f"the store does not answer: {error}") from None
