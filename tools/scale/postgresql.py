"""A PostgreSQL of our own: a cluster in a temporary folder, reached by a socket in it."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from fieldpost.errors import Ended
from fieldpost.processes import programs
from fieldpost.processes.started import Started
from scale.program import kill_tree

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


class PostgreSql(Started):
    """Its user is nobody's but ours: PostgreSQL does not run as root.

    settings: of postgresql.conf, besides those that are needed here.
    """

    def __init__(self, programs_in: Path, settings: Mapping[str, str] | None = None) -> None:
        self._programs = programs_in
        self._settings = {"listen_addresses": "", "max_connections": "30", **(settings or {})}
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

    @property
    def pid(self) -> int | None:
        """Its process, None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Until it takes connections."""
        import psycopg

        settings = [
            word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")
        ]
        command = [
            *self._as_user(),
            str(self._programs / "postgres"),
            *("-D", str(self._data), "-k", self._folder.name),
            *settings,
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
            except psycopg.OperationalError as error:
                if time.monotonic() >= end or self._process.poll() is not None:
                    raise Ended(f"PostgreSQL did not start: {error}") from None
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

    def kill(self) -> None:
        """SIGKILL to all of its processes at once, as the end of its machine would."""
        if self._process:
            if self._watchdog:
                self._watchdog.close()
            kill_tree(self._process)
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
        if done.returncode:
            raise Ended(f"{program} failed: {done.stderr.strip()}")
