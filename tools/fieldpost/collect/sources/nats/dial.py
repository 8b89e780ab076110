"""A connection to one server of NATS: every question is bounded, and what its errors mean."""

import asyncio
import contextlib
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from fieldpost.collect.sources.address import ClusterAddress, host_and_port
from fieldpost.errors import CommandError
from fieldpost.mqtt import tls as tls_files
from fieldpost.mqtt.client import TIMEOUT_S, Away, Denied, Refused, Silent, Untrusted

# A server that has vanished is noticed after three of them.
_PING_S = 10
_GOODBYE_S = 2.0
_TIMES = 3
# What it has to say comes to us as well.
logging.getLogger("nats").setLevel(logging.CRITICAL + 1)
# What nats-py raises for a connection that is none, or no longer.
FAILURES = (Error, OSError, asyncio.TimeoutError, ValueError)


class _InTheClear(Error):
    """The server speaks no TLS."""


class Link:
    """It ends with its connection, and `ended` is set then; another takes another Link.

    named: for the user. tell: given each sentence for the user. needed: subjects to publish to;
    one that the account may not is told. refused: the subjects, in small letters, that the account
    may not subscribe to.
    """

    def __init__(
        self,
        address: ClusterAddress,
        host: str,
        port: int,
        tell: Callable[[str], None],
        needed: Sequence[str] = (),
    ) -> None:
        self.named = f"{address.scheme}://{host_and_port(host, port)}"
        self.client = Client()
        self.ended = asyncio.Event()
        self.refused: list[str] = []
        self._address = address
        self._host, self._port = host, port
        self._tell = tell
        self._needed = needed
        self._forbidden: set[str] = set()
        self._last_error: Exception | None = None
        self._asked: dict[str, asyncio.Future[None]] = {}

    async def open(self, name: str) -> None:
        """Raises CommandError saying why there is none."""
        failed: BaseException | None = None
        for _ in range(_TIMES):
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._dial(name)
                return
            except FAILURES as error:
                failed = self._last_error or error
                await self.close()
            # A server that refuses a login ends the connection, and that can overtake its word.
            if not isinstance(failed, ConnectionResetError):
                break
            self.client = Client()
        assert failed
        raise self._explained(failed) from None

    async def _dial(self, name: str) -> None:
        address = self._address
        context = address.tls.context() if address.tls else None
        login: dict[str, Any] = {}
        if address.password is not None:
            login = {"user": address.user, "password": self._in_private(address.password)}
        elif address.user is not None:
            login = {"token": self._in_private(address.user)}
        self._last_error = None
        await self.client.connect(
            [f"nats://{host_and_port(self._host, self._port)}"],
            name=name,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(TIMEOUT_S),
            ping_interval=_PING_S,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            tls=context,
            tls_hostname=self._host if context else None,
            **login,
        )
        self._need_tls()
        self.ended.clear()

    def _in_private(self, word: str) -> Callable[[], str]:
        """nats-py asks for it when it is about to send it."""

        def given() -> str:
            self._need_tls()
            return word

        return given

    def _need_tls(self) -> None:
        """nats-py goes on without it where the server, or somebody between, asks for none."""
        if self._address.tls and not self.client._server_info.get("tls_required"):
            raise _InTheClear

    async def close(self) -> None:
        """Never raises."""
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(_GOODBYE_S):
                await self.client.close()
        self.ended.set()

    async def ask(self, subject: str, body: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer of JetStream's interface. Raises Denied if this account may not ask, Silent
        if there is no answer in time, and what is in FAILURES."""
        may_not: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[subject] = may_not
        sent = json.dumps(body).encode() if body else b""
        request = asyncio.ensure_future(self.client.request(subject, sent, timeout=timeout_s))
        try:
            await asyncio.wait({request, may_not}, return_when=asyncio.FIRST_COMPLETED)
            if may_not.done() and not request.done():
                raise Denied(f"{self.named} does not let this account publish to {subject}")
            return dict(json.loads((await request).data))
        except NoRespondersError:
            raise Denied(
                f"{self.named} has no JetStream for this account, or too few servers of the "
                "cluster run"
            ) from None
        except NatsTimeout:
            raise Silent(
                f"{self.named} did not answer within {timeout_s:g} s: do most servers of the "
                "cluster run?"
            ) from None
        finally:
            del self._asked[subject]
            request.cancel()

    def why(self) -> str:
        """Why it ended."""
        error = self._last_error or self.client.last_error
        text = str(error).removeprefix("nats: ").strip("'") if error else ""
        if isinstance(error, ConnectionError) or "UnexpectedEOF" in type(error).__name__:
            text = ""
        return text or "the server closed it"

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        if "ermissions" not in text:
            self._last_error = error
            return
        # nats-py has made small letters of it, and so it can only be compared.
        subject = text.partition('"')[2].partition('"')[0].lower()
        if "subscription" in text.lower():
            self.refused.append(subject)
            return
        for asked, may_not in self._asked.items():
            if asked.lower() == subject and not may_not.done():
                may_not.set_result(None)
                return
        for needed in self._needed:
            if subject.startswith(needed.lower().removesuffix(">")):
                self._may_not(needed)

    def _may_not(self, subject: str) -> None:
        """It can't be asked without a message, so it comes out in the middle of all."""
        if subject not in self._forbidden:
            self._forbidden.add(subject)
            self._tell(
                f"{self.named} does not let this account publish to {subject}: without that "
                "nothing can be read and acknowledged"
            )

    async def _on_closed(self) -> None:
        self.ended.set()

    def _explained(self, error: BaseException) -> CommandError:
        named, address = self.named, self._address
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        if isinstance(error, _InTheClear):
            return Untrusted(f"{named} does not speak TLS: is it nats:// in place of tls://?")
        if isinstance(error, AuthorizationError) or "uthorization" in str(error):
            return Refused(f"the server at {named} refused us: {_login(address)}")
        if isinstance(cause, ssl.SSLError) and address.tls:
            return Untrusted(tls_files.explain(cause, named, address.tls))
        if isinstance(cause, ssl.SSLError):
            return Untrusted(f"{named} wants TLS: write tls:// in front, with --ca")
        if isinstance(cause, socket.gaierror):
            return Away(f"no host is named {self._host}: check the spelling, or give its address")
        if isinstance(cause, ConnectionRefusedError):
            return Away(f"nothing listens at {named}: is NATS running there?")
        if isinstance(cause, TimeoutError | NatsTimeout):
            return Away(
                f"no answer from {named} within {TIMEOUT_S:g} s: check the address, the network "
                "and the firewall"
            )
        if isinstance(cause, OSError):
            return Away(f"cannot reach {named}: {cause.strerror or cause}")
        return Away(f"{named} does not answer as NATS does: is it the port of its clients, 4222?")


def _login(address: ClusterAddress) -> str:
    if address.user is None:
        return f"it wants a user and a password: give {address.scheme}://user:password@host"
    return (
        f"wrong password, or no user {address.user} there "
        "(in the address, write @ : / ? # of a password as %40 %3A %2F %3F %23)"
    )
