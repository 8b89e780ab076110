"""This machine in its network: under which addresses boards find it, and who has a port."""

import ipaddress
import os
import re
import socket
from collections.abc import Sequence

import psutil

from fieldpost.mqtt.brokers import EVERYWHERE, HOST

# TEST-NET-1 of RFC 5737. Asking the system for the way there sends nothing.
_ANYWHERE = "192.0.2.254"
# What containers and virtual machines have between themselves: no board is there.
_VIRTUAL = re.compile(r"(docker|veth|br-|virbr|vmnet|vboxnet|lxc|cni|podman)")
_PORTS_OF_MQTT = (1883, 8883)
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def addresses() -> list[str]:
    """The IPv4 addresses of this machine that others reach, the likeliest first."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found: dict[str, str] = {}
    for interface, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if entry.family == socket.AF_INET and interface in up:
                address = ipaddress.ip_address(entry.address)
                if not address.is_loopback and not address.is_link_local:
                    found[entry.address] = interface
    first = _way_out()
    return sorted(found, key=lambda one: (one != first, bool(_VIRTUAL.match(found[one]))))


def host_names() -> list[str]:
    """What this machine may be called by others, where that is a name that can be looked up."""
    name = socket.gethostname().lower()
    if not _HOST_NAME.fullmatch(name) or name == "localhost":
        return []
    return [name] if "." in name else [name, f"{name}.local"]


def is_free(host: str, port: int) -> bool:
    """Whether a broker can listen there, and will be the only one who does."""
    with socket.socket() as probe:
        if os.name == "posix":
            # What ended a moment ago must not count; elsewhere this would take a port away.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    # Some systems give all addresses to one program though another has one of them.
    try:
        socket.create_connection((HOST if host == EVERYWHERE else host, port), 1).close()
    except OSError:
        return True
    return False


def holder(port: int) -> str | None:
    """Who listens on that port, as far as this user may know; None if the system does not tell."""
    try:
        listening = [
            one
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
        ]
    except psutil.Error:
        listening = []
    for one in listening:
        if one.pid and (text := _described(one.pid)):
            return text
    return _mosquitto_of_another() if port in _PORTS_OF_MQTT else None


def _way_out() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ANYWHERE, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _mosquitto_of_another() -> str | None:
    """Of another user's process the system tells no port, but that it runs."""
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "mosquitto" and (text := _described(process.pid)):
            return f"probably {text}"
    return None


def _described(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        name = process.name()
    except psutil.Error:
        return None
    try:
        command = process.cmdline()
    except psutil.Error:
        command = []
    return f"{name} (process {pid}){_as_service(command)}"


def _as_service(command: Sequence[str]) -> str:
    if "/etc/mosquitto/mosquitto.conf" not in command:
        return ""
    return (
        ", the system's service, which by itself lets in this machine alone; "
        "`sudo systemctl stop mosquitto` ends it"
    )
