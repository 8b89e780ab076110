"""A connection to one node of RabbitMQ, and what its errors mean."""

import contextlib
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

import pika
from pika import exceptions

from fieldpost.collect.sources.address import ClusterAddress, host_and_port
from fieldpost.errors import CommandError
from fieldpost.mqtt import tls as tls_files
from fieldpost.mqtt.client import TIMEOUT_S, Away, Refused, Untrusted

# Sooner than RabbitMQ's own 60 s it is seen that a node has vanished.
_HEARTBEAT_S = 20
# The account of a new RabbitMQ, which it lets in from its own machine alone.
_GUEST = "guest"
# What a quorum queue without its majority never answers.
ANSWER_S = 20.0
# What pika raises at bytes that are none of AMQP's.
SENSELESS = (ValueError, LookupError, TypeError, AssertionError, struct.error)
FAILURES = (exceptions.AMQPError, OSError, *SENSELESS)
_Answer = TypeVar("_Answer")
# What pika has to say it raises as well.
logging.getLogger("pika").setLevel(logging.CRITICAL + 1)


def dial(
    address: ClusterAddress, host: str, port: int, client_id: str
) -> "pika.BlockingConnection":
    """Raises CommandError saying why there is none."""
    named = f"{address.scheme}://{host_and_port(host, port)}"
    context = address.tls.context() if address.tls else None
    parameters = pika.ConnectionParameters(
        host=host,
        port=port,
        virtual_host=address.path or "/",
        credentials=pika.PlainCredentials(address.user or _GUEST, address.password or _GUEST),
        heartbeat=_HEARTBEAT_S,
        socket_timeout=TIMEOUT_S,
        stack_timeout=TIMEOUT_S,
        ssl_options=pika.SSLOptions(context, host) if context else None,
        client_properties={"connection_name": client_id},
    )
    try:
        return pika.BlockingConnection(parameters)
    except (exceptions.AMQPError, OSError) as error:
        raise _explained(error, address, host, named) from None


def in_time(ask: Callable[[], _Answer], limit_s: float = ANSWER_S) -> _Answer:
    """What `ask` returns, or raises. Raises TimeoutError after `limit_s`, and it may still wait
    then: pika waits for an answer for as long as the broker's node lives."""
    answers: list[_Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failures:
        raise failures[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def leave(connection: "pika.BlockingConnection", limit_s: float) -> None:
    """Say goodbye, which a broker need not answer. Never raises."""

    def close() -> None:
        with contextlib.suppress(*FAILURES):
            connection.close()

    with contextlib.suppress(TimeoutError):
        in_time(close, limit_s)


def _explained(error: Exception, address: ClusterAddress, host: str, named: str) -> CommandError:
    if isinstance(error, exceptions.ProbableAuthenticationError):
        return Refused(f"the broker at {named} refused us: {_login(address)}")
    if isinstance(error, exceptions.ProbableAccessDeniedError):
        return Refused(
            f"the broker at {named} refused us: there is no virtual host {address.path or '/'}, "
            f"or {address.user or _GUEST} may not use it (rabbitmqctl set_permissions)"
        )
    if isinstance(error, exceptions.ConnectionClosedByBroker):
        return Refused(f"the broker at {named} refused us: {error.reply_text}")
    cause: BaseException = error
    while not isinstance(cause, OSError) and cause.args:
        inner = getattr(cause.args[0], "exception", cause.args[0])
        if not isinstance(inner, BaseException):
            break
        cause = inner
    if isinstance(cause, ssl.SSLError) and address.tls:
        return Untrusted(tls_files.explain(cause, named, address.tls))
    if isinstance(cause, socket.gaierror):
        return Away(f"no host is named {host}: check the spelling, or give its IP address")
    if isinstance(cause, ConnectionRefusedError):
        return Away(f"nothing listens at {named}: is RabbitMQ running there?")
    if isinstance(cause, TimeoutError) or "imeout" in type(cause).__name__:
        return Away(
            f"no answer from {named} within {TIMEOUT_S:g} s: check the address, the network and "
            "the firewall"
        )
    if isinstance(error, exceptions.IncompatibleProtocolError | exceptions.StreamLostError):
        return Away(f"{named} does not answer as RabbitMQ does: is it the port of AMQP, 5672?")
    if isinstance(cause, OSError):
        return Away(f"cannot reach {named}: {cause.strerror or cause}")
    return Away(f"{named} does not answer as RabbitMQ does ({type(error).__name__})")


def _login(address: ClusterAddress) -> str:
    if address.user is None:
        return "it wants a user and a password: give amqp://user:password@host"
    return (
        f"wrong password, or no user {address.user} there "
        "(in the address, write @ : / ? # of a password as %40 %3A %2F %3F %23)"
    )


def why(error: BaseException) -> str:
    """Why a connection ended, in words."""
    text = getattr(error, "reply_text", None)
    if text:
        return str(text)
    if isinstance(error, exceptions.AMQPHeartbeatTimeout):
        return "the broker was silent for too long"
    if isinstance(error, exceptions.StreamLostError):
        return "the broker closed it"
    return f"{error}" or type(error).__name__
