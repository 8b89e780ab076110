"""The tables of a store; docs/collect.md describes them to those who query it.

Time is no part of the key, for it may be unknown when a reading comes. PostgreSQL divides readings
by node, so that the key can be unique over all partitions.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

PARTITIONS = 8
# When a reading was taken: by the node's clock, else as long before it came as the node says at
# least. Whoever asks for it in these words is answered from an index.
TIME = "coalesce(ts, received - coalesce(age_s, 0))"

metadata = MetaData()
# SQLite keeps JSON as text, and has functions to look into it.
_JSON = Text().with_variant(JSONB(none_as_null=True), "postgresql")
_ID = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    Column("node", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger),
    Column("age_s", BigInteger),
    Column("received", Double, nullable=False),
    Column("fields", _JSON, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("readings_by_time", "node", text(TIME)),
    Index("readings_by_arrival", "received"),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (node)",
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("node", Text, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received", Double, nullable=False),
    Column("digest", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("node", "boot", "seq", "digest"),
)

rejected = Table(
    "rejected",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("received", Double, nullable=False),
    Column("topic", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("payload", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("node", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("received", Double, nullable=False),
    Column("body", _JSON),
    Index("events_by_node", "node", "kind", "id"),
)

# The names that were measured, in the order in which they appeared: columns of the view.
fields = Table(
    "fields",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # number or text
    Column("first_received", Double, nullable=False),
)

# What was removed for its age: its count stays, so that a gap can still be proved.
removed = Table(
    "removed",
    metadata,
    Column("node", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("readings", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
)
