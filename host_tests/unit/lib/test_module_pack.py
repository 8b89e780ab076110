"""What `import` is told of a pack of modules, and whose file it is given."""

from __future__ import annotations

import importlib
import os
import sys
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fieldpost.deploy import pack

ENOENT = 2
MODULES = {
    "firmware/net/link.mpy": b"M\x06link",
    "firmware/clock.mpy": b"M\x06clock",
    "lib/wire.mpy": b"M\x06wire",
    "main.mpy": b"M\x06main",
}


class Flash:
    """A folder in the place of a board's root, with the pack on it, and what was mounted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.mounted: list[tuple[Any, str]] = []
        vfs = ModuleType("vfs")
        vfs.mount = lambda made, at: self.mounted.append((made, at))  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "vfs", vfs)
        monkeypatch.setitem(sys.modules, "uos", os)
        self.reset_cause = 1
        self.memory = b""
        chip = ModuleType("umachine")
        chip.reset_cause = lambda: self.reset_cause  # type: ignore[attr-defined]
        chip.RTC = lambda: SimpleNamespace(memory=lambda: self.memory)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "umachine", chip)
        monkeypatch.setitem(sys.modules, "machine", ModuleType("machine"))
        monkeypatch.delitem(sys.modules, "module_pack", raising=False)
        monkeypatch.setattr(sys, "path", sys.path[:])
        self.module = importlib.import_module("module_pack")
        monkeypatch.delitem(sys.modules, "module_pack")
        self.module.os = self  # type: ignore[attr-defined]
        self.module.open = self.open  # type: ignore[attr-defined]
        # MicroPython's takes a text as well.
        self.module.crc32 = lambda text: zlib.crc32(text.encode())  # type: ignore[attr-defined]
        self.path = "/firmware.pack"
        (root / "firmware.pack").write_bytes(pack.make(MODULES))

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def open(self, path: str, mode: str) -> Any:
        return self._at(path).open(mode)

    def stat(self, path: str) -> Any:
        return self._at(path).stat()

    def listdir(self, path: str) -> list[str]:
        return [one.name for one in self._at(path).iterdir()]

    def put(self, path: str, data: bytes = b"by hand") -> None:
        self._at(path).parent.mkdir(parents=True, exist_ok=True)
        self._at(path).write_bytes(data)

    def mount(self) -> Any:
        self.module.mount(self.path)
        return self.mounted[-1][0]


@pytest.fixture
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flash:
    return Flash(tmp_path, monkeypatch)


def _code(file: Any) -> bytes:
    with file:
        return file.read(3 + 6)


def test_each_module_is_found_under_its_name_and_read_from_its_beginning(flash: Flash) -> None:
    mounted = flash.mount()
    for path, code in MODULES.items():
        name = "/" + path.removeprefix("lib/")
        assert mounted.stat(name)[0] == 0x8000, "a file, for `import`"
        assert _code(mounted.open(name, "rb")).startswith(code)


def test_the_first_module_of_the_index_is_one(flash: Flash) -> None:
    (flash.root / "firmware.pack").write_bytes(pack.make({"main.mpy": b"M\x06main"}))
    mounted = flash.mount()
    assert mounted.stat("/main.mpy") == (0x8000, *[0] * 9), "as os.stat has it"
    assert _code(mounted.open("/main.mpy", "rb")).startswith(b"M\x06main")


@pytest.mark.parametrize("folder", ["/firmware", "/firmware/net"])
def test_a_folder_is_one_and_cannot_be_opened(flash: Flash, folder: str) -> None:
    mounted = flash.mount()
    assert mounted.stat(folder)[0] == 0x4000
    with pytest.raises(OSError) as error:
        mounted.open(folder, "rb")
    assert error.value.args[0] == ENOENT


@pytest.mark.parametrize("name", ["/clock.mpy", "/firmware/clock.py", "/firmware/nett", "", "/"])
def test_what_is_not_in_it_is_not_there(flash: Flash, name: str) -> None:
    mounted = flash.mount()
    for asked in (lambda: mounted.stat(name), lambda: mounted.open(name, "rb")):
        with pytest.raises(OSError) as error:
            asked()
        assert error.value.args[0] == ENOENT


def test_names_whose_checksums_begin_alike_are_told_apart(flash: Flash) -> None:
    """The index is searched by one byte of each name first."""
    flash.mount()
    key = zlib.crc32(b"/wanted.mpy").to_bytes(4, "little")
    other = key[:1] + bytes(byte ^ 1 for byte in key[1:])
    index = b"abcd" + key + other + (9).to_bytes(4, "little") + key + (77).to_bytes(4, "little")
    assert flash.module.Pack("/firmware.pack", index, []).find("/wanted.mpy") == 77
    assert flash.module.Pack("/firmware.pack", index[:16], []).find("/wanted.mpy") == -1


@pytest.mark.parametrize("folder", ["", "/lib"])
def test_a_module_that_somebody_put_in_flash_comes_first_and_is_told_of(
    flash: Flash, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    flash.put(folder + "/wire.py")
    mounted = flash.mount()
    assert mounted.stat("/wire.py")[6] == len(b"by hand")
    assert _code(mounted.open("/wire.py", "rb")) == b"by hand"
    assert capsys.readouterr().out == f"by hand: {folder}/wire.py\n"
    assert _code(mounted.open("/wire.mpy", "rb")).startswith(b"M\x06wire"), "the pack's is there"


def test_folders_of_the_flash_without_such_a_module_are_not_asked(flash: Flash) -> None:
    flash.put("/lib/own.py")
    flash.put("/boot.py")
    mounted = flash.mount()
    flash.stat = None  # type: ignore[assignment, method-assign]
    assert mounted.stat("/wire.mpy")[0] == 0x8000


def test_a_wake_from_deep_sleep_does_not_look_for_them_again_where_there_were_none(
    flash: Flash,
) -> None:
    flash.mount()
    assert flash.module.is_alone
    flash.reset_cause, flash.memory = 4, b"QF" + b"the rest"
    flash.listdir = None  # type: ignore[assignment, method-assign]
    mounted = flash.mount()
    assert flash.module.is_alone and mounted.stat("/wire.mpy")[0] == 0x8000


@pytest.mark.parametrize(
    ("cause", "memory"), [(1, b"QF..."), (3, b"QF..."), (5, b"QF..."), (4, b"PF..."), (4, b"")]
)
def test_any_other_start_looks_for_them(flash: Flash, cause: int, memory: bytes) -> None:
    flash.put("/wire.py")
    flash.reset_cause, flash.memory = cause, memory
    mounted = flash.mount()
    assert not flash.module.is_alone and _code(mounted.open("/wire.py", "rb")) == b"by hand"


def test_a_file_of_a_built_in_modules_name_is_one_of_them(
    flash: Flash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(flash.root)
    flash.put("/errno.py", b"")
    flash.mount()
    assert not flash.module.is_alone


def test_it_is_looked_in_first_and_what_is_built_in_is_not_looked_for(flash: Flash) -> None:
    before = sys.path[:]
    flash.mount()
    assert flash.mounted[-1][1] == "/.pack"
    assert sys.path == ["/.pack", *before]
    assert {"json", "os", "binascii", "struct", "time", "select"} <= set(sys.modules)


@pytest.mark.parametrize("path", ["/machine.py", "/lib/machine.mpy"])
def test_a_file_of_a_built_in_modules_name_comes_first_and_is_told_of(
    flash: Flash, path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "machine", ModuleType("machine"))
    for name in ("machine", "time"):
        del sys.modules[name]
    flash.put(path)
    flash.put("/lib/machine.txt")
    # CPython can't read MicroPython's bytecode.
    monkeypatch.syspath_prepend(flash.root / "found")
    flash.put("/found/machine.py", b"OWN = True")
    flash.mount()
    assert sys.modules["machine"].OWN and "time" in sys.modules
    assert capsys.readouterr().out == f"by hand: {path}\n"


def test_it_holds_no_files_of_its_own_for_whoever_walks_through_it(flash: Flash) -> None:
    assert list(flash.mount().ilistdir("/")) == []


def test_a_file_of_another_kind_is_none_and_one_that_is_missing_is_told(flash: Flash) -> None:
    flash.put("/other.pack", b"MZ" * 100)
    flash.path = "/other.pack"
    with pytest.raises(ValueError, match=r"/other\.pack is no pack of modules"):
        flash.mount()
    flash.path = "/none.pack"
    with pytest.raises(OSError):
        flash.mount()
    assert flash.mounted == []
