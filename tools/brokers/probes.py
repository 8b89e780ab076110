"""What a broker answers, packet by packet, to what a node does or depends on.

Each probe returns words for a cell of the table. A word in it that a reader could take for a fault
of the node is explained on the page.
"""

import time
from collections.abc import Callable

from brokers import packets
from brokers.accounts import NODE, OWNER, WRITER
from brokers.packets import Packet
from brokers.probe_client import LIMIT_S, ProbeClient, Refused
from brokers.process import RunningBroker

_WINDOW = 100
_TRIES = 5
_SIZES = (200, 400, 1000, 4000, 16_000, 64_000, 256_000)
_QUEUED = 5
_QUIET_S = 1.0  # that nothing comes is believed after so long


def early_packets(port: int) -> str:
    """CONNECT and three readings in one segment, several times: it may depend on the moment."""
    said = [_early_packets(port, f"early{n}") for n in range(_TRIES)]
    words = sorted(set(said), key=said.count, reverse=True)
    if len(words) == 1:
        return words[0]
    return ", ".join(f"{one} ({said.count(one)} of {_TRIES})" for one in words)


def _early_packets(port: int, client_id: str) -> str:
    with ProbeClient(port) as client:
        readings = b"".join(packets.publish("fieldpost/n/probe", b"x", n) for n in (1, 2, 3))
        client.send(packets.connect(client_id, NODE) + readings)
        client.wait(lambda: len(client.of("PUBACK")) == 3 and client.of("CONNACK"))
        # amqtt hands a new client retained messages that it never subscribed to.
        names = [one.name for one in client.seen if one.name in ("CONNACK", "PUBACK")]
        if not names:
            return "closes without a word" if client.closed else "never answers"
        if names == ["CONNACK", "PUBACK", "PUBACK", "PUBACK"]:
            return "taken"
        if "CONNACK" in names and names[0] == "PUBACK":
            return "acknowledged before CONNACK"
        missing = 3 - names.count("PUBACK")
        end = ", then closes" if client.closed else ""
        return f"{missing} of 3 dropped{end}" if names[0] == "CONNACK" else ", ".join(names) + end


def window(port: int) -> str:
    """Many QoS 1 messages at once on an open connection."""
    with ProbeClient(port) as client:
        client.open("window", NODE)
        readings = (packets.publish("fieldpost/n/probe", b"x", n + 1) for n in range(_WINDOW))
        client.send(b"".join(readings))
        client.wait(lambda: len(client.of("PUBACK")) == _WINDOW)
        ids = [one.packet_id for one in client.of("PUBACK")]
        if len(ids) < _WINDOW:
            return f"{len(ids)} of {_WINDOW}" + (", then closes" if client.closed else "")
        return f"{_WINDOW}" + ("" if ids == list(range(1, _WINDOW + 1)) else ", not in order")


def persistent_session(port: int) -> str:
    """A subscriber that leaves, what is sent meanwhile, and its return."""
    with ProbeClient(port) as sleeper:
        sleeper.open("sleeper", NODE, clean=False)
        if sleeper.subscribe("fieldpost/n/cmd") != 1:
            return "no subscription"
        sleeper.disconnect()
    with ProbeClient(port) as owner:
        owner.open("owner", OWNER)
        for n in range(_QUEUED):
            owner.send(packets.publish("fieldpost/n/cmd", b"%d" % n, n + 1))
        owner.wait(lambda: len(owner.of("PUBACK")) == _QUEUED)
    with ProbeClient(port) as sleeper:
        is_present = sleeper.open("sleeper", NODE, clean=False)
        start = time.monotonic()
        sleeper.wait(lambda: sleeper.of("PUBLISH"), 3)
        first_ms = (time.monotonic() - start) * 1000
        came = _acknowledged(sleeper, _QUEUED)
        sleeper.disconnect()
    if not came:
        return "session present, nothing queued" if is_present else "none"
    words = [f"{len(came)} of {_QUEUED} queued, the first after {_ms(first_ms)}"]
    if not is_present:
        words.append("'session present' not set")
    if any(one.is_retained for one in came):
        words.append("with RETAIN set")
    return ", ".join(words)


def _acknowledged(client: ProbeClient, count: int) -> list[Packet]:
    """The messages that come, each acknowledged at once: some brokers send one at a time."""
    for n in range(count):
        if not client.wait(lambda: len(client.of("PUBLISH")) > n, 2):  # noqa: B023
            break
        client.send(packets.puback(client.of("PUBLISH")[n].packet_id or 0))
    return client.of("PUBLISH")


def _ms(value: float) -> str:
    """In steps: a figure of one run on a busy machine says no more."""
    for step in (5, 20, 50, 100, 200, 500, 1000, 3000):
        if value <= step:
            return f"at most {step} ms"
    return "more than 3 s"


def retained(port: int) -> str:
    """A retained message, for somebody who subscribes later."""
    with ProbeClient(port) as client:
        client.open("retainer", OWNER)
        client.send(packets.publish("fieldpost/n/kept", b"kept", 1, retain=True))
        if not client.wait(lambda: client.of("PUBACK")):
            return "closes" if client.closed else "not acknowledged"
    with ProbeClient(port) as later:
        later.open("later", OWNER)
        later.subscribe("fieldpost/n/kept")
        later.wait(lambda: later.of("PUBLISH"), 3)
        came = later.of("PUBLISH")
        if not came:
            return "not kept"
        return "kept" if came[0].is_retained else "kept, RETAIN not set"


def will(port: int) -> str:
    """The will of a client that vanishes."""
    with ProbeClient(port) as watcher, ProbeClient(port) as client:
        watcher.open("watcher", OWNER)
        watcher.subscribe("fieldpost/n/will")
        client.open("mortal", NODE, will=("fieldpost/n/will", b"offline"))
        client.vanish()
        came = watcher.wait(lambda: watcher.of("PUBLISH"), 5)
        return "sent" if came else "not sent within 5 s"


def subscribe_refused(port: int) -> str:
    """SUBSCRIBE by an account that may publish only."""
    with ProbeClient(port) as client:
        client.open("writer", WRITER)
        code = client.subscribe("fieldpost/w/cmd")
        if code is None:
            return "closes" if client.closed else "no answer"
        return f"SUBACK 0x{code:02X}" if code & 0x80 else f"granted (SUBACK {code})"


def publish_refused(port: int) -> str:
    """PUBLISH by that account to a topic that it may not use."""
    with ProbeClient(port) as watcher, ProbeClient(port) as client:
        watcher.open("watcher", OWNER)
        watcher.subscribe("homeassistant/#")
        client.open("writer", WRITER)
        client.send(packets.publish("homeassistant/device/w/config", b"x", 1))
        client.wait(lambda: client.of("PUBACK"), 3)
        came = watcher.wait(lambda: watcher.of("PUBLISH"), _QUIET_S)
        if came:
            return "taken"
        if client.of("PUBACK"):
            return "acknowledged and dropped"
        return "closes" if client.closed else "no answer"


def packet_size(port: int) -> str:
    """The largest message of a few sizes that arrives, and what becomes of the next one."""
    largest = 0
    for size in _SIZES:
        with ProbeClient(port) as watcher, ProbeClient(port) as client:
            watcher.open(f"watcher{size}", OWNER)
            watcher.subscribe("fieldpost/n/large")
            # A name that comes back within a second is held up by NATS.
            client.open(f"large{size}", NODE)
            client.send(packets.publish("fieldpost/n/large", bytes(size), 1))
            client.wait(lambda: client.of("PUBACK"), 3)
            arrived = watcher.wait(lambda: watcher.of("PUBLISH"), 2)
            if not arrived:
                told = client.of("PUBACK")
                end = "closes" if client.closed else "acknowledged and dropped" if told else ""
                return f"{largest:,} bytes; {size:,}: {end or 'no answer'}"
            largest = size
    return f"at least {largest:,} bytes"


def takeover(port: int) -> str:
    """A second client with the name of the first."""
    with ProbeClient(port) as watcher, ProbeClient(port) as first, ProbeClient(port) as second:
        watcher.open("watcher", OWNER)
        watcher.subscribe("fieldpost/n/will")
        first.open("twin", NODE, will=("fieldpost/n/will", b"offline"))
        try:
            second.open("twin", NODE)
        except Refused as error:
            return f"the second is refused: {error}"
        if not first.wait(lambda: first.closed, 3):
            return "both stay"
        came = watcher.wait(lambda: watcher.of("PUBLISH"), _QUIET_S)
        return "the first is closed, its will " + ("sent" if came else "not sent")


def wrong_password(port: int) -> str:
    """The answer to it, alone and with early packets behind it."""
    answers = []
    for more in (b"", packets.publish("fieldpost/n/probe", b"x", 1)):
        with ProbeClient(port) as client:
            client.send(packets.connect("wrong", NODE, password="not-the-word") + more)
            client.wait(lambda: client.closed or any(not one.body[1] for one in _answers(client)))
            code = next((one.body[1] for one in _answers(client)), None)
            said = "closes without CONNACK" if code is None else f"CONNACK {code}"
            answers.append(said if code != 0 else "let in")
    return answers[0] if answers[0] == answers[1] else f"{answers[0]}; early: {answers[1]}"


def _answers(client: ProbeClient) -> list[Packet]:
    return client.of("CONNACK")


PROBES: dict[str, Callable[[int], str]] = {
    "early packets": early_packets,
    "QoS 1 window": window,
    "persistent session": persistent_session,
    "retained": retained,
    "will": will,
    "SUBSCRIBE refused": subscribe_refused,
    "PUBLISH refused": publish_refused,
    "packet size": packet_size,
    "takeover": takeover,
    "wrong password": wrong_password,
}
# Without rules for topics there is nothing to refuse.
_NEED_RIGHTS = ("SUBSCRIBE refused", "PUBLISH refused")


def ask(broker: RunningBroker) -> dict[str, str]:
    """Every probe's words, by its name."""
    answers = {}
    for name, probe in PROBES.items():
        if name in _NEED_RIGHTS and "rights" in broker.kind.lacks:
            answers[name] = "no rules"
            continue
        try:
            answers[name] = probe(broker.port)
        except (OSError, Refused) as error:
            answers[name] = f"failed: {error}"
    return answers


def over_a_restart(broker: RunningBroker) -> dict[str, str]:
    """What is left of a retained message and a session with a queued command, after each end."""
    return {
        "after SIGTERM": _restarted(broker, broker.stop),
        "after SIGKILL": _restarted(broker, broker.kill),
    }


def _restarted(broker: RunningBroker, end: Callable[[], None]) -> str:
    try:
        _leave_traces(broker.port)
        end()
        broker.start()
        return _found_traces(broker.port)
    except (OSError, Refused) as error:
        return f"failed: {error}"


def _leave_traces(port: int) -> None:
    with ProbeClient(port) as sleeper, ProbeClient(port) as owner:
        sleeper.open("dreamer", NODE, clean=False)
        sleeper.subscribe("fieldpost/n/cmd")
        sleeper.disconnect()
        owner.open("owner", OWNER)
        owner.send(packets.publish("fieldpost/n/lasting", b"kept", 1, retain=True))
        owner.send(packets.publish("fieldpost/n/cmd", b"wake up", 2))
        owner.wait(lambda: len(owner.of("PUBACK")) == 2)


def _found_traces(port: int) -> str:
    found = []
    with ProbeClient(port) as later:
        later.open("later", OWNER)
        later.subscribe("fieldpost/n/lasting")
        if later.wait(lambda: later.of("PUBLISH"), 2):
            found.append("retained")
    with ProbeClient(port) as sleeper:
        if sleeper.open("dreamer", NODE, clean=False):
            found.append("session")
        if sleeper.wait(lambda: sleeper.of("PUBLISH"), LIMIT_S / 5):
            found.append("queued command")
    return ", ".join(found) or "nothing"
