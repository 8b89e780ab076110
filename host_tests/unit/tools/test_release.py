"""A release is refused with every reason at once, and its tag is set only when it is asked for."""

import shutil
import subprocess
from pathlib import Path

import pytest

import release
from fieldpost.deploy.package_json import manifest, package_json
from fieldpost.paths import ROOT
from firmware import VERSION

NEWEST = f"# Changelog\n\n## {VERSION}, "


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with our files, all committed, and the changelog of a release."""
    root = tmp_path / "project"
    ignored = shutil.ignore_patterns("*.egg-info", "__pycache__", "umqtt")
    for name in ("firmware", "lib", "tools/fieldpost", "docs", "examples"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("boot.py", "main.py", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    (root / ".gitignore").write_text("dist/\n")
    (root / "CHANGELOG.md").write_text(NEWEST + "2026-11-27\nThe first.\n")
    (root / "package.json").write_text(package_json(root))
    (root / "manifest.py").write_text(manifest(root))
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    command = ["git", "-C", str(root), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "a step")
    # `git tag --annotate` asks who it is.
    git(root, "config", "user.name", "Ann")
    git(root, "config", "user.email", "ann@example.org")


@pytest.mark.slow
def test_what_is_in_order_is_built_and_tagged_only_when_told_to(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.release(project, project / "dist", tag=False) == 0
    assert f"RELEASE=yes would set the tag v{VERSION}" in capsys.readouterr().out
    assert git(project, "tag") == ""
    built = sorted(file.suffix for file in (project / "dist").iterdir())
    assert built == [".gz", ".whl"]
    assert release.release(project, project / "dist", tag=True) == 0
    assert git(project, "tag") == f"v{VERSION}"
    assert release.release(project, project / "dist", tag=True) == 1
    assert f"the tag v{VERSION} exists" in capsys.readouterr().out


def test_every_reason_against_it_is_told_at_once(project: Path) -> None:
    (project / "CHANGELOG.md").write_text(NEWEST + "not yet released\n")
    (project / "lib" / "new.py").touch()
    told = "\n".join(release.problems(project, VERSION))
    assert "2 files are not committed" in told
    assert "package.json is not that of the tree" in told
    assert "manifest.py is not that of the tree" in told
    assert f'CHANGELOG.md says of {VERSION} "not yet released"' in told
    assert "which is not X.Y.Z" in "\n".join(release.problems(project, "1.0-dev"))


def test_the_newest_entry_of_the_changelog_is_the_version_and_has_its_day() -> None:
    assert release.changelog_problems(NEWEST + "2026-11-27\n", VERSION) == []
    assert release.changelog_problems(NEWEST + "2026-11-31\n", VERSION)
    assert release.changelog_problems("# Changelog\n## 9.9.9, 2026-11-27\n", VERSION)
    assert release.changelog_problems("# Changelog\n", VERSION)


def test_what_may_not_be_published_is_found_in_a_package() -> None:
    names = {
        "fieldpost/_tree/examples/weather/secrets.json",
        "fieldpost/_tree/lib/umqtt/simple.py",
        "host_tests/conftest.py",
        "fieldpost/_tree/firmware/app.mpy",
        "certs/ca.key",
    }
    fine = {"fieldpost/certs/command.py", "fieldpost/umqtt.py", "a/secrets.json.example"}
    package = release.Package(Path("x.whl"), dict.fromkeys(names | fine, 1))
    assert set(package.barred()) == names
