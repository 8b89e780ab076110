"""A PostgreSQL for tests: a cluster in a temporary folder, reached by a socket in it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from fieldpost import programs

_PROGRAMS = ("initdb", "postgres", "pg_ctl")
_START_S = 30.0
_LOOK_S = 0.1


def find_postgresql() -> Path | None:
    """Where its programs are, None where it is not installed."""
    on_path = programs.find("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in (*([Path(on_path).parent] if on_path else []), *places):
        if all((place / name).exists() for name in _PROGRAMS):
            return place
    return None


class PostgreSql:
    """A cluster of our own in a temporary folder, reached by a socket there. Its user is nobody's
    but ours: PostgreSQL does not run as root."""

    def __init__(self, programs_in: Path) -> None:
        self._programs = programs_in
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-pg-")
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: programs.Watchdog | None = None
        self._user = "nobody" if os.geteuid() == 0 else None
        folder = Path(self._folder.name)
        self._data = folder / "data"
        self._data.mkdir(mode=0o700)
        folder.chmod(0o755)
        if self._user:
            subprocess.run(["chown", "-R", self._user, str(folder)], check=True)
        self._run("initdb", "-D", str(self._data), "-U", "fieldpost", "--auth=trust", "-E", "UTF8")
        self._databases = 0

    def version(self) -> str:
        """What it calls itself."""
        command = [str(self._programs / "postgres"), "--version"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return f"PostgreSQL {told.stdout.split()[2]}"

    def url(self, database: str) -> str:
        """As `--store` takes it."""
        return f"postgresql://fieldpost@/{database}?host={self._folder.name}"

    def new_database(self) -> str:
        """The address of an empty one."""
        self._databases += 1
        name = f"readings{self._databases}"
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as one:
            one.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Until it takes connections."""
        import psycopg

        command = [
            *self._as_user(),
            str(self._programs / "postgres"),
            *("-D", str(self._data), "-k", self._folder.name),
            *("-c", "listen_addresses=", "-c", "max_connections=30"),
        ]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watchdog = programs.Watchdog(self._process)
        end = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < end and self._process.poll() is None
                time.sleep(_LOOK_S)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """As a service manager does, without waiting for clients; `immediate` is a crash."""
        if self._process:
            if self._watchdog:
                self._watchdog.close()
            command = [str(self._programs / "pg_ctl"), "stop", "-D", str(self._data), "-s"]
            subprocess.run([*self._as_user(), *command, "-m", mode], check=True, timeout=60)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        """End it, and remove its files."""
        self.stop()
        self._folder.cleanup()

    def _as_user(self) -> Sequence[str]:
        return ["setpriv", f"--reuid={self._user}", "--clear-groups"] if self._user else []

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user(), str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self._folder.name,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def postgresql() -> Iterator[PostgreSql | None]:
    """A cluster that runs; None where PostgreSQL is not installed."""
    place = find_postgresql()
    if place is None:
        yield None
        return
    one = PostgreSql(place)
    try:
        one.start()
        yield one
    finally:
        one.close()
