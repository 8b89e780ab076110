"""What a deployment has to do: which files to send, to keep aside and to remove. Touches nothing.

A deployment never touches what it did not put there, with two exceptions. `/firmware/` is
Fieldpost's. And a file that stands where one of Fieldpost's must be is kept beside it, as
`NAME.before-` and the start of its hash, unless it is Fieldpost's own.
"""

import math
from dataclasses import dataclass

from fieldpost.board.link import BoardError
from fieldpost.deploy.build import AS_SOURCE, Build, sha256
from fieldpost.deploy.survey import FOLDER, Survey

KEPT = ".before"
# littlefs on every board; FAT on an ESP32 has blocks of this size, too.
_BLOCK = 4096
# Blocks for the journal, for folders, and for what littlefs itself must have to rename at all.
_SPARE_BLOCKS = 10
# By this a board's boot.py shows that it completes what was committed.
_CAPABLE = b"/.deploy/"


@dataclass(frozen=True)
class Plan:
    """All paths are from the root of the board, without a leading slash.

    send: content by path. staged: the name below FOLDER by path, for these. resumed: those of
    them that are staged already. removals: files to remove. keep: for files to keep aside, the
    name of the copy. leftovers: absolute paths of a deployment that came to nothing. boot_first:
    the board's boot.py could not complete a deployment. journal: what a capable one acts by.
    """

    send: dict[str, bytes]
    staged: dict[str, str]
    resumed: list[str]
    removals: list[str]
    keep: dict[str, str]
    leftovers: list[str]
    boot_first: bool
    journal: bytes
    warnings: list[str]

    @property
    def is_empty(self) -> bool:
        """Nothing is to be changed."""
        return not (self.send or self.removals or self.leftovers)


def to_read(survey: Survey) -> list[str]:
    """Which files of the board a plan needs the text of: those that may be somebody's own."""
    return ["/" + path for path in AS_SOURCE if survey.has(path) and path not in survey.installed]


def to_hash(survey: Survey, build: Build) -> list[str]:
    """Which files of the board a plan needs the hashes of: those that may be right, or foreign."""
    wanted = [
        path
        for path, data in build.files.items()
        if survey.has(path)
        and (survey.files["/" + path] == len(data) or path not in survey.installed)
    ]
    wanted += [twin for twin in _twins(survey, build) if twin not in survey.installed]
    staged = [path for path in survey.files if path.startswith(FOLDER) and not path.endswith("/")]
    return ["/" + path for path in wanted] + staged


def plan(
    survey: Survey, build: Build, hashes: dict[str, str | None], texts: dict[str, bytes]
) -> Plan:
    """hashes, texts: what the board says of `to_hash` and of `to_read`, by absolute path."""
    send = {
        path: data for path, data in build.files.items() if hashes.get("/" + path) != sha256(data)
    }
    twins = _twins(survey, build)
    removals = twins + sorted(
        path for path in survey.installed if path not in build.files and survey.has(path)
    )
    removals = list(dict.fromkeys(removals))
    keep = {
        # By its content, so that a deployment that is repeated keeps it once.
        path: f"{path}{KEPT}-{(hashes.get('/' + path) or '')[:6]}"
        for path in [*send, *twins]
        if _is_foreign(survey, build, path, hashes, texts)
    }
    keep = {path: copy for path, copy in keep.items() if not survey.has(copy)}
    staged = _names(send)
    on_board = {path.removeprefix(FOLDER): digest for path, digest in hashes.items()}
    resumed = [
        path for path, name in staged.items() if (on_board.get(name) or "").startswith(name[:16])
    ]
    needed = {FOLDER + staged[path] for path in resumed} | {FOLDER + "installed"}
    leftovers = [
        path
        for path in survey.files
        if path.startswith(FOLDER) and not path.endswith("/") and path not in needed
    ]
    boot = texts.get("/boot.py", b"" if "boot.py" not in survey.installed else _CAPABLE)
    boot_first = "boot.py" in send and _CAPABLE not in boot
    if boot_first:
        del staged["boot.py"]
    return Plan(
        send=send,
        staged=staged,
        resumed=resumed,
        removals=removals,
        keep=keep,
        leftovers=leftovers,
        boot_first=boot_first,
        journal=_journal(build, staged, removals),
        warnings=_shadows(survey, build, removals),
    )


def _names(send: dict[str, bytes]) -> dict[str, str]:
    """The start of each content's hash; a number tells files of one content apart."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for path, data in send.items():
        digest = sha256(data)[:16]
        seen[digest] = seen.get(digest, 0) + 1
        names[path] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return names


def _journal(build: Build, staged: dict[str, str], removals: list[str]) -> bytes:
    """A line for each file of the whole set, so that the journal is the record afterwards, too:
    its staged name, or "=" if it is in its place already; then "-" for each one to remove."""
    lines = [f"# Fieldpost {build.version}"]
    lines += [f"{staged.get(path, '=')} /{path}" for path in build.files]
    lines += [f"- /{path}" for path in removals]
    return ("\n".join(lines) + "\n").encode()


def _twins(survey: Survey, build: Build) -> list[str]:
    """Source files that MicroPython would import instead of the bytecode beside them."""
    sources = [p.removesuffix(".mpy") + ".py" for p in build.files if p.endswith(".mpy")]
    return [path for path in sources if survey.has(path)]


def _is_foreign(
    survey: Survey,
    build: Build,
    path: str,
    hashes: dict[str, str | None],
    texts: dict[str, bytes],
) -> bool:
    """Whether a file in the way is somebody else's work."""
    if not survey.has(path) or path in survey.installed or path.startswith("firmware/"):
        return False
    if hashes.get("/" + path) == build.sources.get(path):
        return False
    if path in AS_SOURCE:
        # An ESP32 image writes a boot.py of comments.
        lines = texts.get("/" + path, b"").splitlines()
        return any(line.strip() and not line.startswith(b"#") for line in lines)
    return survey.files["/" + path] > 0


def _shadows(survey: Survey, build: Build, removals: list[str]) -> list[str]:
    """What is found before our modules, and is not ours to remove."""
    warnings = []
    for path in build.files:
        if not path.endswith(".mpy"):
            continue
        module = path.removesuffix(".mpy")
        others = [f"/{module}/"]
        if module.startswith("lib/"):
            bare = module.removeprefix("lib/")
            others += [f"/{bare}{ending}" for ending in (".py", ".mpy", "/")]
        for other in others:
            emptied = any(("/" + gone).startswith(other) for gone in removals)
            if other in survey.files and not emptied:
                warnings.append(
                    f"{other} on the board is found before /{path}, and was left alone: remove "
                    "it, unless it is there for that"
                )
    return warnings


def check_space(survey: Survey, found: Plan, free: int) -> None:
    """Raises BoardError unless the new files fit in `free` bytes, beside the old ones."""
    pieces = [len(found.send[path]) for path in found.send if path not in found.resumed]
    pieces += [survey.files["/" + path] for path in found.keep]
    blocks = sum(math.ceil(size / _BLOCK) for size in pieces) + _SPARE_BLOCKS
    if found.send and blocks * _BLOCK > free:
        raise BoardError(
            f"the board's flash has {free // 1024} KiB free, and the new files need "
            f"{blocks * _BLOCK // 1024} KiB beside the old ones, which stay whole until the "
            "change is complete. Nothing was changed. Remove what you do not need, or start "
            "afresh: fieldpost pull, then fieldpost erase"
        )
