"""`fieldpost collect` with the fault that it must not have: it acknowledges before the commit.

A test that finds nothing lost with this would find nothing at all.
"""

import time

from fieldpost.collect import collector
from fieldpost.collect.intake import Arrival
from fieldpost.start import main

_honest = collector.Storing._store_batch


def _too_early(self: collector.Storing, arrivals: list[Arrival]) -> bool:
    self._session.acknowledge([one.receipt for one in arrivals if one.receipt])
    # A commit on a slow disk.
    time.sleep(0.1)
    # RabbitMQ ends a connection that acknowledges twice.
    return _honest(self, [Arrival(one.message, None) for one in arrivals])


collector.Storing._store_batch = _too_early
main()
