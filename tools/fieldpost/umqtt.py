"""Puts upstream's `umqtt.simple` where the firmware and the tests find it: lib/umqtt/ of a
checkout, or the user's cache where Fieldpost is installed.

It is somebody else's code, so it is fetched, at set-up or when it is first needed, and never
committed. The registry has it as an archive without build metadata, which pip refuses to touch;
unearth only downloads.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from fieldpost.errors import BadFile, NotFetched
from fieldpost.paths import ROOT, cache_folder, fetched_lib

VERSION = "1.3.4"
TARGET = fetched_lib() / "umqtt" / "simple.py"
_PACKAGE = "micropython-umqtt.simple"
_ARCHIVE_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
_FILE_SHA256 = "8555d2f654deb8eb0d724f79b0811a78cc94029d070f3d96bbd74288653d63a5"
_MEMBER = f"{_PACKAGE}-{VERSION}/umqtt/simple.py"
_TIMEOUT_S = 120
_BY_HAND = (
    "Or give a copy that you have, the archive or its simple.py: fieldpost setup --umqtt FILE, "
    "make demo UMQTT=FILE."
)


def install(given: Path | None = None) -> str:
    """Put umqtt.simple in its place, unless it is there; say in a sentence what was done.

    `given`: a copy to use instead of the registry's, a simple.py of any version or the archive.
    Raises CommandError if it cannot be had.
    """
    if given is not None:
        source = _read_given(given)
        _write(TARGET, source)
        return f"umqtt.simple {version_of(source)} copied from {given} to {_shown(TARGET)}"
    if TARGET.exists():
        return f"umqtt.simple {version_of(TARGET.read_bytes())} is in {_shown(TARGET)}"
    cached = cache_folder() / "umqtt" / VERSION / "simple.py"
    if cached.exists() and _sha256(cached.read_bytes()) == _FILE_SHA256:
        _write(TARGET, cached.read_bytes())
        return f"umqtt.simple {VERSION} copied from {cached} to {_shown(TARGET)}"
    source = _download()
    _write(TARGET, source)
    try:
        _write(cached, source)
    except OSError:
        pass  # A home that cannot be written to costs the next checkout a download, no more.
    return f"umqtt.simple {VERSION} fetched to {_shown(TARGET)}"


def provide() -> Path:
    """The umqtt.simple to use, fetched if it has to be. Raises CommandError, as install() does.

    One line on stderr tells of what was fetched.
    """
    if not TARGET.exists():
        print(f"fieldpost: {install()}", file=sys.stderr)
    return TARGET


def version_of(source: bytes) -> str:
    """The version whose file this is, or 'of unknown version'."""
    return VERSION if _sha256(source) == _FILE_SHA256 else "of another version"


def _read_given(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    if path.name.endswith((".tar.gz", ".tgz")):
        return _extract(path)
    if b"class MQTTClient" not in content:
        raise BadFile(f"{path} is not umqtt.simple: there is no class MQTTClient in it")
    return content


def _download() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fieldpost-") as folder:
        command = [
            *(sys.executable, "-m", "unearth", "--no-binary", "-d", folder),
            f"{_PACKAGE}=={VERSION}",
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise NotFetched(
                f"the package registry did not send {_PACKAGE} within {_TIMEOUT_S} s. Check the "
                f"network and try again. {_BY_HAND}"
            ) from None
        found = sorted(Path(folder).glob("*.tar.gz"))
        if done.returncode or not found:
            last = done.stderr.strip().splitlines()[-1:] or ["nothing was downloaded"]
            raise NotFetched(
                f"cannot fetch {_PACKAGE} {VERSION} from the package registry ({last[0]}). It is "
                f"fetched once: check the network and try again. {_BY_HAND}"
            )
        return _extract(found[0])


def _extract(archive: Path) -> bytes:
    found = _sha256(archive.read_bytes())
    if found != _ARCHIVE_SHA256:
        raise NotFetched(
            f"{archive.name} is not the published {_PACKAGE} {VERSION}: its SHA-256 is {found}, "
            f"not {_ARCHIVE_SHA256}. Nothing was unpacked."
        )
    with tarfile.open(archive) as tar:
        member = tar.extractfile(_MEMBER)
        assert member is not None  # the hash vouches for what is inside
        return member.read()


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that an interrupted set-up leaves no half a file for the next one.
    partial = target.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(target)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
