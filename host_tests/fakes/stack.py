"""One node's end of the network: its radio link, its descriptors, and the modules it imports."""

import struct

from fakes.connection import Connection
from fakes.network_ends import Network
from fakes.ports import POLLERR, POLLHUP, POLLIN, POLLOUT, Port
from fakes.sockets import FakePoll, FakeSocket


class Stack:
    """One node's network. `radio(up)`, `power_off()` and `power_on()` are for the simulation."""

    def __init__(self, net: Network, name: str, port: Port) -> None:
        self.net = net
        self.world = net.world
        self.name = name
        self.port = port
        self.radio_up = True
        self.powered = True
        self.open_sockets: list[FakeSocket] = []
        self.most_open = 0
        self.sockets_made = 0
        self._radio_down_us = 0
        self._held: list[Connection] = []
        self.socket = SocketModule(self)
        self.select = SelectModule(self)

    def radio(self, up: bool, drop: bool = False) -> None:
        """The radio's link comes or goes: packets vanish, nothing is said.

        `drop`: the port notices (its interface lost the address) and ends every connection.
        """
        if up == self.radio_up:
            return
        self.radio_up = up
        self.world.note("radio", self.name, up)
        if up:
            outage_ms = (self.world.now_us - self._radio_down_us) / 1000
            held, self._held = self._held, []
            for connection in held:
                connection.radio_is_back(outage_ms)
            return
        self._radio_down_us = self.world.now_us
        for socket in self.open_sockets[:]:
            if drop and socket.connection is not None:
                socket.failed(self.port.not_connected)

    def hold(self, connection: Connection) -> None:
        """A connection has something to send again once the radio is back."""
        if connection not in self._held:
            self._held.append(connection)

    def power_off(self) -> None:
        """The node is gone without a word, and with it every descriptor."""
        self.powered = False
        self.radio_up = False
        for socket in self.open_sockets[:]:
            if socket.connection is not None:
                socket.connection.client_vanish()
            socket.state = "closed"
        self.open_sockets.clear()
        self._held.clear()

    def power_on(self, radio_up: bool = True) -> None:
        self.powered = True
        self.radio_up = radio_up


class SocketModule:
    """`socket`, for one node."""

    AF_INET = 2
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    SOL_SOCKET = 1
    SO_REUSEADDR = 2

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        if stack.port.name != "unix":  # whose module has neither
            self.IPPROTO_TCP = 6
            self.TCP_NODELAY = 1

    def socket(self, family: int = 2, kind: int = 1, protocol: int = 0) -> "FakeSocket":
        return FakeSocket(self._stack, kind)

    def getaddrinfo(self, host: str, port: int, *_hints: int) -> list[tuple]:
        """Blocks like the ports do: no time-out but the port's own."""
        stack = self._stack
        net = stack.net
        if isinstance(host, bytes):
            host = host.decode()
        numeric = host.replace(".", "").isdigit()
        fault = net.name_faults.get(host)
        if not numeric:
            if not stack.radio_up:
                stack.world.sleep_ms(stack.port.name_limit_ms)
                raise OSError(stack.port.no_name)
            if fault is not None and fault.stall_ms:
                stack.world.sleep_ms(min(fault.stall_ms, stack.port.name_limit_ms))
            else:
                stack.world.sleep_ms(2 * net.conditions.latency_ms)
            if fault is not None and fault.error is not None:
                raise OSError(stack.port.no_name if fault.error == -2 else fault.error)
            if host not in net.names or not stack.radio_up:
                raise OSError(stack.port.no_name)
        address = net.address(host)
        if not stack.port.addresses_are_bytes:
            return [(2, 1, 0, "", (address, port))]
        packed = bytes(int(part) for part in address.split("."))
        return [
            (
                2,
                1,
                6,
                None,
                bytearray(struct.pack("<H", 2) + struct.pack(">H", port) + packed + bytes(8)),
            )
        ]


class SelectModule:
    """`select`, for one node."""

    POLLIN = POLLIN
    POLLOUT = POLLOUT
    POLLERR = POLLERR
    POLLHUP = POLLHUP

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def poll(self) -> "FakePoll":
        return FakePoll(self._stack)
