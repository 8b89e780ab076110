"""Which settings of a queue of RabbitMQ lose readings."""

from collections.abc import Mapping

from fieldpost.collect.sources.flaws import Flaw, shown_s

# From this version on RabbitMQ has a limit of its own where a queue has none.
_LIMITS_BY_ITSELF = 4
# More often than that no message comes again.
_NEVER = 1_000_000


def of_queue(name: str, settings: Mapping[str, object], version: str) -> list[Flaw]:
    """settings: arguments with which it was made, and `durable`, `auto_delete` and `exclusive`
    where they are not as usual. version: of RabbitMQ."""
    again = f"collect from another queue (--queue), and empty this one: {name} stays as it is made"
    dead = settings.get("x-dead-letter-exchange")
    gone = f"go to the exchange {dead!r}, from which nobody collects" if dead else "are gone"
    found = [
        *_of_kind(name, settings, again),
        *_of_length(settings, again, gone),
        *_of_deliveries(settings, version, again, gone),
    ]
    ttl_ms = _number(settings, "x-message-ttl")
    if ttl_ms is not None:
        text = f"readings that have waited for {shown_s(ttl_ms / 1000)} {gone}"
        found.append(Flaw("x-message-ttl", text, again))
    expires_ms = _number(settings, "x-expires")
    if expires_ms is not None:
        text = (
            f"the queue is removed, with all that waits, when no collector has been there for "
            f"{shown_s(expires_ms / 1000)}"
        )
        found.append(Flaw("x-expires", text, again))
    return found


def _of_kind(name: str, settings: Mapping[str, object], again: str) -> list[Flaw]:
    found = []
    kind = settings.get("x-queue-type", "classic")
    if kind == "stream":
        text = "it is a stream, of which a collector gets only what comes while it is there"
        found.append(Flaw("x-queue-type", text, again, "unreadable"))
    elif kind != "quorum":
        text = "it is no quorum queue: what waits is on one node, and lost with its disk"
        found.append(Flaw("x-queue-type", text, again))
    if settings.get("durable") is False:
        text = "it is not durable: a restart of RabbitMQ removes it, with all that waits"
        found.append(Flaw("durable", text, again))
    if settings.get("auto_delete") is True:
        text = "it is removed, with all that waits, when the last collector goes"
        found.append(Flaw("auto-delete", text, again))
    if _number(settings, "x-quorum-initial-group-size") == 1:
        text = "it was made with one member: unless it was grown since, one disk has all of it"
        fix = f"rabbitmq-queues quorum_status {name} tells; rabbitmq-queues grow adds the others"
        found.append(Flaw("x-quorum-initial-group-size", text, fix, "note"))
    return found


def _of_length(settings: Mapping[str, object], again: str, gone: str) -> list[Flaw]:
    found = []
    keeps_the_oldest = str(settings.get("x-overflow", "")).startswith("reject-publish")
    for setting, unit in ("x-max-length", "readings"), ("x-max-length-bytes", "bytes"):
        most = _number(settings, setting)
        if most is None:
            continue
        if keeps_the_oldest:
            text = f"it takes no more than {most} {unit}; nodes then keep theirs, and reconnect"
            found.append(Flaw(setting, text, again, "note"))
        else:
            text = f"of more than {most} {unit} that wait the oldest {gone}"
            found.append(Flaw(setting, text, again))
    return found


def _of_deliveries(
    settings: Mapping[str, object], version: str, again: str, gone: str
) -> list[Flaw]:
    setting = "x-delivery-limit"
    limit = _number(settings, setting)
    limits_by_itself = _major(version) >= _LIMITS_BY_ITSELF
    if settings.get("x-queue-type") != "quorum" or (limit is not None and limit >= _NEVER):
        return []
    if limit is None:
        if not limits_by_itself:
            text = "there is none: RabbitMQ 4 drops a reading that was handed out 20 times"
            fix = "before an update to it, set a policy with a delivery-limit of 2147483647"
            return [Flaw(setting, text, fix, "note")]
        text = "there is none: a reading that was handed out 20 times is gone"
        return [Flaw(setting, text, "set a policy with a delivery-limit of 2147483647")]
    if limit < 0:
        if limits_by_itself:
            return []
        return [Flaw(setting, "to this RabbitMQ -1 means: what comes again is dropped", again)]
    text = f"readings that were handed out {limit} times, to collectors that died, {gone}"
    return [Flaw(setting, text, again)]


def _number(settings: Mapping[str, object], name: str) -> int | None:
    value = settings.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0
