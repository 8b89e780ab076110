"""Erlang from Debian's packages, in a folder of its own: what RabbitMQ and ejabberd run on."""

from pathlib import Path

# Debian's `erl` knows one place only, /usr/lib/erlang. This one is told where it is.
_ERL = '#!/bin/sh\nexec "$BINDIR/erlexec" "$@"\n'


def environment(root: Path, folder: Path) -> dict[str, str]:
    """Variables with which `erl` finds its parts below `root`. folder: for a small script."""
    home = root / "usr" / "lib" / "erlang"
    (own,) = home.glob("erts-*/bin")
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "erl").write_text(_ERL)
    (programs / "erl").chmod(0o755)
    return {
        "ROOTDIR": str(home),
        "BINDIR": str(own),
        "EMU": "beam",
        "PROGNAME": "erl",
        "PATH": f"{programs}:{own}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": ":".join(str(one) for one in sorted(root.glob("usr/lib/*-linux-gnu"))),
        "HOME": str(folder),
        "ERL_CRASH_DUMP": str(folder / "crash"),
    }


def port_mapper(root: Path, port: int, *addresses: str) -> list[str]:
    """The command of epmd on a port of its own, until it is ended. addresses: besides loopback."""
    (program,) = (root / "usr" / "lib" / "erlang").glob("erts-*/bin/epmd")
    return [str(program), "-port", str(port), "-address", ",".join(addresses or ("127.0.0.1",))]
