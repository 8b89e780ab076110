"""ejabberd with mod_mqtt."""

import sys

from brokers.accounts import ALL
from brokers.cache import Cache, Installed
from brokers.catalogue import erlang
from brokers.kinds import Command, Kind, Place

_CHECK = '''"""Answers ejabberd, which asks with a length and auth:user:server:password."""
import sys

KNOWN = {known!r}
while length := sys.stdin.buffer.read(2):
    asked = sys.stdin.buffer.read(int.from_bytes(length, "big")).decode().split(":", 3)
    is_known = KNOWN.get(asked[1]) == asked[3] if asked[0] == "auth" else asked[1] in KNOWN
    sys.stdout.buffer.write(bytes((0, 2, 0, is_known)))
    sys.stdout.buffer.flush()
'''


def _install(cache: Cache) -> Installed:
    return cache.debian("ejabberd")


def _rules() -> list[str]:
    lines = ["acl:"]
    for account in ALL:
        lines += [f"  {account.user}:", f"    user: {account.user}@localhost"]
    lines += ["modules:", "  mod_mqtt:", "    access_publish:"]
    lines += _topics({one.user: one.publish for one in ALL})
    lines.append("    access_subscribe:")
    lines += _topics({one.user: one.subscribe for one in ALL})
    return lines


def _topics(filters: dict[str, tuple[str, ...]]) -> list[str]:
    # The first filter that fits a topic decides, so the narrow ones come first.
    narrow = sorted({one for some in filters.values() for one in some}, key=len, reverse=True)
    lines = []
    for topic in narrow:
        who = [user for user, some in filters.items() if topic in some or "#" in some]
        lines.append(f'      "{topic}":')
        lines += [f"        - allow: {user}" for user in who]
    return lines


def _command(installed: Installed, place: Place) -> Command:
    folder = place.folder
    check = folder / "check_password.py"
    check.write_text(_CHECK.format(known={one.user: one.password for one in ALL}))
    lines = [
        "hosts: [localhost]",
        "loglevel: info",
        "certfiles: []",
        "auth_method: external",
        f'extauth_program: "{sys.executable} {check}"',
        "extauth_pool_size: 1",
        "auth_use_cache: false",
        "listen:",
        f"  - {{port: {place.port}, ip: 127.0.0.1, module: mod_mqtt}}",
        *_rules(),
    ]
    file = folder / "ejabberd.yml"
    file.write_text("\n".join(lines) + "\n")
    (home,) = installed.folder.glob("usr/lib/*-linux-gnu/ejabberd-*.*-*")
    environment = erlang.environment(installed.folder, folder) | {
        "ERL_LIBS": str(home.parent),
        "EJABBERD_CONFIG_PATH": str(file),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
    }
    arguments = ["-noinput", "-pa", str(home / "ebin"), "-mnesia", "dir", f'"{folder / "data"}"']
    return Command([str(folder / "bin" / "erl"), *arguments, "-s", "ejabberd"], environment)


KIND = Kind("ejabberd", "ejabberd, mod_mqtt", _install, _command, start_s=60.0)
