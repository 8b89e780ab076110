"""`make release`: builds what a release would be, says what it lacks, and sets the tag if told to.

A release is a tag `vX.Y.Z` on a commit whose firmware/__init__.py has that version, and whose
CHANGELOG.md has it on top with its date. The packages are built from that commit, not from the
folder, so that nothing comes along that is not in it. Nothing is pushed, and nothing uploaded.
"""

import argparse
import datetime
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fieldpost.deploy.package_json import manifest, package_json
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT
from fieldpost.version import project_version

_DIST = ROOT / "dist"
_BUILD_S = 120
_GIT_S = 30
_NUMBER = re.compile(r"\d+\.\d+\.\d+")
_ENTRY = re.compile(r"^## (\S+), (.+)$", re.MULTILINE)
# What no package of ours may hold: tests, what others wrote, what was compiled, what is secret.
_BARRED = re.compile(
    r"(^|/)(host_tests|umqtt|__pycache__)/|(^|/)secrets\.json$"
    r"|\.(pyc|mpy|uf2|bin|key|der|pem|so)$"
)
_BUILD = "import sys; from setuptools import build_meta as b; b.build_{kind}(sys.argv[1])"


@dataclass(frozen=True)
class Package:
    """A file to publish, with what is in it: size in bytes by path."""

    path: Path
    contents: dict[str, int]

    def barred(self) -> list[str]:
        """What is in it and may not be."""
        return sorted(name for name in self.contents if _BARRED.search(name))


def problems(root: Path, version: str) -> list[str]:
    """What keeps this folder from being released as `version`, one sentence each."""
    found = []
    if not _NUMBER.fullmatch(version):
        found.append(f"firmware/__init__.py has {version}, which is not X.Y.Z")
    if changed := git(root, "status", "--porcelain"):
        found.append(f"{len(changed.splitlines())} files are not committed: git status")
    if git(root, "tag", "--list", f"v{version}"):
        found.append(f"the tag v{version} exists: raise VERSION in firmware/__init__.py")
    for name, text in (("package.json", package_json(root)), ("manifest.py", manifest(root))):
        if (root / name).read_text(encoding="utf-8") != text:
            command = "PYTHONPATH=tools python -m fieldpost.deploy.package_json"
            found.append(f"{name} is not that of the tree: {command}")
    return found + changelog_problems((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)


def changelog_problems(text: str, version: str) -> list[str]:
    """Whether its newest entry is that version, with the day of its release."""
    newest = _ENTRY.search(text)
    if newest is None or newest[1] != version:
        there = newest[1] if newest else "nothing"
        return [f"CHANGELOG.md begins with {there}, and firmware/__init__.py has {version}"]
    try:
        datetime.date.fromisoformat(newest[2])
    except ValueError:
        today = f"## {version}, {datetime.date.today()}"
        return [f'CHANGELOG.md says of {version} "{newest[2]}": write its day, as in "{today}"']
    return []


def build(source: Path, target: Path) -> list[Package]:
    """Build a source distribution of the checkout `source`, and from it alone the wheel."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fieldpost-release-") as name:
        folder = Path(name)
        sdist = _run_backend("sdist", source, folder / "sdist")
        with tarfile.open(sdist) as tar:
            tar.extractall(folder / "unpacked", filter="data")
        (unpacked,) = (folder / "unpacked").iterdir()
        wheel = _run_backend("wheel", unpacked, folder / "wheel")
        kept = [file.replace(target / file.name) for file in (sdist, wheel)]
    return [Package(file, _contents(file)) for file in kept]


def export(root: Path, folder: Path) -> Path:
    """The last commit of the repository `root`, in `folder`."""
    with (archive := folder / "commit.tar").open("wb") as file:
        command = ["git", "-C", str(root), "archive", "HEAD"]
        subprocess.run(command, stdout=file, check=True, timeout=_GIT_S)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "commit", filter="data")
    return folder / "commit"


def git(root: Path, *arguments: str) -> str:
    """What git says. Raises CommandError if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_GIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"git cannot be run: {error}") from None
    if done.returncode:
        raise CommandError(f"git {arguments[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


def release(root: Path, target: Path, *, tag: bool) -> int:
    """Do it, and tell of each step; the exit status."""
    version = project_version(root)
    commit = git(root, "rev-parse", "--short", "HEAD")
    print(f"Fieldpost {version}, commit {commit}")
    found = problems(root, version)
    with tempfile.TemporaryDirectory(prefix="fieldpost-release-") as folder:
        packages = build(export(root, Path(folder)), target)
    for package in packages:
        _tell(package)
        found += [f"{package.path.name} holds {name}" for name in package.barred()]
    for problem in found:
        print(f"✗ {problem}")
    if found:
        print(f"Not released: {len(found)} to put right, marked ✗.")
        return 1
    if not tag:
        print(f"✓ All is in order. RELEASE=yes would set the tag v{version} on {commit}.")
        print("  It runs no tests: .ci/run has to have passed on this commit.")
        return 0
    git(root, "tag", "--annotate", f"v{version}", "--message", f"Fieldpost {version}")
    print(f"✓ The tag v{version} is set on {commit}. What is left to do by hand:")
    print(f"  git push origin v{version}")
    names = " ".join(str(package.path.relative_to(root)) for package in packages)
    print(f"  hand {names} to the package index")
    return 0


def _run_backend(kind: str, source: Path, target: Path) -> Path:
    """Have setuptools build in `source`; the file it made."""
    target.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD.format(kind=kind), str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
    )
    if done.returncode:
        raise CommandError(f"setuptools cannot build the {kind}:\n{done.stderr.strip()}")
    (made,) = target.iterdir()
    return made


def _contents(file: Path) -> dict[str, int]:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            return {entry.filename: entry.file_size for entry in archive.infolist()}
    with tarfile.open(file) as tar:
        return {entry.name: entry.size for entry in tar if entry.isfile()}


def _tell(package: Package) -> None:
    print(f"{package.path} ({package.path.stat().st_size / 1000:.0f} kB)")
    folders: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for name, size in package.contents.items():
        folder = "/".join(name.split("/")[:3][:-1]) or "."
        folders[folder] += 1
        sizes[folder] += size
    for folder, number in sorted(folders.items()):
        print(f"  {folder}/: {number} files, {sizes[folder] / 1000:.0f} kB")


def main() -> int:
    """See the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", action="store_true", help="set the tag if all is in order")
    parser.add_argument(
        "--only-build", type=Path, metavar="SOURCE", help="build this folder as it is, no more"
    )
    parser.add_argument("--to", type=Path, default=_DIST, metavar="FOLDER", help="for the files")
    options = parser.parse_args()
    try:
        if options.only_build:
            for package in build(options.only_build, options.to):
                _tell(package)
            return 0
        return release(ROOT, options.to, tag=options.tag)
    except CommandError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
