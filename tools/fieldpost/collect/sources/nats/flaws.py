"""Which settings of a consumer and of its stream in NATS lose readings."""

from collections.abc import Mapping, Sequence
from typing import Any

from fieldpost.collect.sources.flaws import Flaw, shown_s
from fieldpost.collect.sources.nats.question import ASK_S, ASKED_BYTES_MAX, ASKED_MAX
from fieldpost.messages.payload import BYTES_MAX

_SECOND_NS = 1_000_000_000
_EDIT = "nats consumer edit '$MQTT_msgs' {name} {option}"
_EDIT_STREAM = "nats stream edit '$MQTT_msgs' {option}"
# Of a collector that was killed, another one waits so long for what that had.
_LONG_WAIT_S = 300


def of_consumer(name: str, told: Mapping[str, Any], subjects: Sequence[str]) -> list[Flaw]:
    """told: what the server answers about it. subjects: to read; the first is needed."""
    config = told["config"]
    again = f"remove it, nats consumer rm '$MQTT_msgs' {name}, and start a collector at once"
    filters = config.get("filter_subjects") or [config.get("filter_subject") or ">"]
    return [
        *_kind(config, again),
        *_filter(filters, subjects, again),
        *_asking(name, config, again),
        *_deliveries(name, config),
        *_life(name, told, again),
    ]


def _kind(config: Mapping[str, Any], again: str) -> list[Flaw]:
    found = []
    if config.get("deliver_subject"):
        text = "it pushes, so that no collector can share it"
        found.append(Flaw("deliver_subject", text, again, "unreadable"))
    if config.get("ack_policy") != "explicit":
        text = "it does not wait for an acknowledgement of each message"
        found.append(Flaw("ack_policy", text, again, "unreadable"))
    return found


def _filter(filters: Sequence[str], subjects: Sequence[str], again: str) -> list[Flaw]:
    left = [one for one in subjects if not any(covers(kept, one) for kept in filters)]
    if subjects[0] in left:
        text = f"it does not take {subjects[0]}: give another --queue"
        return [Flaw("filter_subjects", text, again, "unreadable")]
    return [
        Flaw("filter_subjects", f"{one} is left out: it does not take it", again, "note")
        for one in left
    ]


def _asking(name: str, config: Mapping[str, Any], again: str) -> list[Flaw]:
    found = []
    if config.get("headers_only"):
        text = "it hands out messages without what is in them"
        fix = _EDIT.format(name=name, option="--no-headers-only")
        found.append(Flaw("headers_only", text, fix))
    for setting, asked in (
        ("max_batch", ASKED_MAX),
        ("max_bytes", ASKED_BYTES_MAX),
        ("max_expires", ASK_S * _SECOND_NS),
    ):
        most = config.get(setting, 0)
        if 0 < most < asked:
            text = f"it refuses what collectors ask, {asked}, as it is more than {most}"
            found.append(Flaw(setting, text, again))
    if config.get("replay_policy", "instant") != "instant":
        text = "what waits comes only as quickly as it was published: it is never made up for"
        found.append(Flaw("replay_policy", text, again, "note"))
    return found


def _deliveries(name: str, config: Mapping[str, Any]) -> list[Flaw]:
    found = []
    most = config.get("max_deliver", -1)
    if most > 0:
        text = f"it hands a message out {most} times at most, and loses it then"
        fix = _EDIT.format(name=name, option="--max-deliver=-1")
        found.append(Flaw("max_deliver", text, fix))
    wait_s = max([config.get("ack_wait", 0), *config.get("backoff", [])]) / _SECOND_NS
    if wait_s > _LONG_WAIT_S:
        text = f"what a collector had that was killed comes to another after {shown_s(wait_s)}"
        fix = _EDIT.format(name=name, option="--wait 15s")
        found.append(Flaw("ack_wait", text, fix, "note"))
    return found


def _life(name: str, told: Mapping[str, Any], again: str) -> list[Flaw]:
    config = told["config"]
    found = []
    if config.get("inactive_threshold"):
        away = shown_s(config["inactive_threshold"] / _SECOND_NS)
        text = (
            f"it is removed when no collector has come for {away}, and what waits is lost with it"
        )
        fix = _EDIT.format(name=name, option="--inactive-threshold 0s")
        found.append(Flaw("inactive_threshold", text, fix))
    if told.get("paused"):
        text = f"it is paused until {config.get('pause_until', 'later')}, and hands out nothing"
        found.append(Flaw("paused", text, f"nats consumer resume '$MQTT_msgs' {name}"))
    if config.get("num_replicas") == 1 and (told.get("cluster") or {}).get("name"):
        text = (
            "one server alone knows it: without that one's disk nothing that waits is kept for it"
        )
        fix = _EDIT.format(name=name, option="--replicas 3")
        found.append(Flaw("num_replicas", text, fix))
    if config.get("mem_storage"):
        text = "what is acknowledged stands in memory alone, and after a restart comes again"
        found.append(Flaw("mem_storage", text, again, "note"))
    return found


def of_stream(told: Mapping[str, Any], subjects: Sequence[str]) -> list[Flaw]:
    """told: what the server answers about `$MQTT_msgs`. subjects: that have to be kept there."""
    config = told["config"]
    found = _bounds(config)
    age_ns = config.get("max_age", 0)
    if age_ns > 0:
        text = f"what has waited for {shown_s(age_ns / _SECOND_NS)} is gone"
        found.append(Flaw("max_age", text, _EDIT_STREAM.format(option="--max-age=0")))
    if config.get("storage") != "file":
        text = "it is in memory: what waits is gone when the servers have ended"
        fix = "stop nodes and collectors, nats stream rm '$MQTT_msgs', and connect one client"
        found.append(Flaw("storage", text, fix))
    if config.get("no_ack"):
        text = "the server acknowledges nothing that nodes publish: they never go on"
        found.append(Flaw("no_ack", text, _EDIT_STREAM.format(option="--ack")))
    for one in subjects:
        if not any(covers(kept, one) for kept in config.get("subjects", [])):
            text = f"it does not keep {one}"
            fix = _EDIT_STREAM.format(option="--subjects '$MQTT.msgs.>'")
            found.append(Flaw("subjects", text, fix))
    return [*found, *_copies(told)]


def _bounds(config: Mapping[str, Any]) -> list[Flaw]:
    found = []
    refuses = config.get("discard") == "new"
    for setting, option, unit in (
        ("max_msgs", "--max-msgs=-1", "messages"),
        ("max_bytes", "--max-bytes=-1", "bytes"),
        ("max_msgs_per_subject", "--max-msgs-per-subject=-1", "messages of one node"),
    ):
        most = config.get(setting, -1)
        if most <= 0:
            continue
        fix = _EDIT_STREAM.format(option=option)
        of_each = setting == "max_msgs_per_subject"
        if refuses and (not of_each or config.get("discard_new_per_subject")):
            text = f"it takes no more than {most} {unit}; nodes then keep theirs"
            found.append(Flaw(setting, text, fix, "note"))
        else:
            text = f"of more than {most} {unit} that wait the oldest are gone"
            found.append(Flaw(setting, text, fix))
    if 0 < config.get("max_msg_size", -1) < BYTES_MAX:
        text = f"a node whose message has more than {config['max_msg_size']} bytes never goes on"
        fix = _EDIT_STREAM.format(option="--max-msg-size=-1")
        found.append(Flaw("max_msg_size", text, fix, "note"))
    return found


def _copies(told: Mapping[str, Any]) -> list[Flaw]:
    cluster = told.get("cluster") or {}
    copies = told["config"].get("num_replicas", 1)
    if copies < 2 and cluster.get("name"):
        text = f"of {cluster['name']} one server alone has it: it is lost with that one's disk"
        fix = _EDIT_STREAM.format(option="--replicas 3") + "; mqtt { stream_replicas: 3 }"
        return [Flaw("num_replicas", text, fix)]
    if copies < 2:
        text = "one server has it: what waits is lost with its disk"
        fix = "if that may not be: three servers (docs/scale.md)"
        return [Flaw("num_replicas", text, fix, "note")]
    behind = [
        str(one.get("name"))
        for one in cluster.get("replicas") or []
        if one.get("offline") or not one.get("current")
    ]
    if not behind:
        return []
    text = f"of {copies} copies these are not up to date: {', '.join(behind)}"
    return [Flaw("replicas", text, "nats server report jetstream", "note")]


def covers(wide: str, narrow: str) -> bool:
    """Whether all that has the subject `narrow`, with its wildcards, has `wide` as well."""
    wides, narrows = wide.split("."), narrow.split(".")
    for at, token in enumerate(wides):
        if token == ">":
            return len(narrows) > at
        if at >= len(narrows) or (token not in ("*", narrows[at])):
            return False
        if token == "*" and narrows[at] == ">":
            return False
    return len(wides) == len(narrows)
