"""How to install a package beside this one, as a command that can be pasted into a terminal."""

import importlib.util
import os
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path


def install_command(package: str, *options: str) -> str:
    """For the package in the version that was tested, into the Python that runs this."""
    version = pinned().get(package)
    wanted = f"{package}=={version}" if version and not options else package
    words = [*options, wanted]
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return " ".join(["pipx", "inject", "fieldpost", *words])
    if importlib.util.find_spec("pip") is None:
        return " ".join(["uv", "pip", "install", "--python", _quoted(sys.executable), *words])
    return " ".join([_quoted(sys.executable), "-m", "pip", "install", *words])


def pinned() -> dict[str, str]:
    """The versions that this package asks for, by name; with those of its extras."""
    try:
        requirements = metadata.requires("fieldpost") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)(?:\[[^]]*\])?==([\w.]+)", text) for text in requirements)
    return {match[1]: match[2] for match in found if match}


def _quoted(path: str) -> str:
    if os.name == "nt":
        return f'"{path}"' if " " in path else path
    return shlex.quote(path)
