"""The ways for a store to fail."""

from fieldpost.errors import CommandError


class StoreAway(CommandError):
    """The store can't be reached or written to now: it may be later."""

    code = "store_away"


class StoreUnfit(CommandError):
    """What is there is no store of Fieldpost's, or one of a newer Fieldpost."""

    code = "store_unfit"
