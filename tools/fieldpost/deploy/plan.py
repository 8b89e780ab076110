"""What a deployment has to do: which files to send, to keep aside and to remove. Touches nothing.

A deployment never touches what it did not put there, with two exceptions. A `/firmware/` of before
the first pack is Fieldpost's. And a file that stands where one of Fieldpost's must be, or would be
imported instead of it, is kept as `NAME.before-` and the start of its hash, unless it is
Fieldpost's own. What somebody puts there later comes before the pack, is left alone and told of.
"""

from dataclasses import dataclass

from fieldpost.deploy.build import AS_SOURCE, Build, sha256
from fieldpost.deploy.pack import PATH
from fieldpost.deploy.survey import (
    COMMIT,
    COMPLETE,
    FOLDER,
    INSTALLED,
    TRIALS,
    UNFINISHED,
    Survey,
)

KEPT = ".before"
# It completes what is committed, so it goes in its place before that, and is never staged.
_BOOT = "boot.py"


@dataclass(frozen=True)
class Plan:
    """All paths are from the root of the board, without a leading slash.

    send: content by path. staged: the name below FOLDER by path, for these without boot.py.
    resumed: those of them that are staged already. begun: how many bytes of a staged file have
    arrived, by path, where they are the right ones. removals: files to remove, and empty folders,
    which end in '/'. keep: for files to keep aside, the name of the copy. drivers: of somebody's
    own, put there by an earlier deployment, which stay. leftovers: absolute paths of a deployment
    that came to nothing. goes_on: a deployment in parts lacks some.
    """

    send: dict[str, bytes]
    staged: dict[str, str]
    resumed: list[str]
    begun: dict[str, int]
    removals: list[str]
    keep: dict[str, str]
    drivers: list[str]
    leftovers: list[str]
    goes_on: bool
    warnings: list[str]

    @property
    def is_empty(self) -> bool:
        """Nothing is to be changed."""
        return not (self.send or self.removals or self.leftovers or self.goes_on)


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
    wanted += [path for path in _in_the_way(survey, build) if path not in survey.installed]
    staged = [path for path in survey.files if path.startswith(FOLDER) and not path.endswith("/")]
    # Of these the names say what they are.
    records = (INSTALLED, COMMIT, COMPLETE, *TRIALS)
    return ["/" + path for path in wanted] + [path for path in staged if path not in records]


def plan(
    survey: Survey, build: Build, hashes: dict[str, str | None], texts: dict[str, bytes]
) -> Plan:
    """hashes, texts: what the board says of `to_hash` and of `to_read`, by absolute path."""
    send = {
        path: data for path, data in build.files.items() if hashes.get("/" + path) != sha256(data)
    }
    others = _in_the_way(survey, build)
    left = sorted(
        path for path in survey.installed if path not in build.files and survey.has(path)
    )
    # With a pack, nothing of the firmware itself is in /lib.
    drivers = [path for path in left if path.startswith("lib/") and PATH in survey.installed]
    removals = others + [path for path in left if path not in drivers]
    removals = list(dict.fromkeys(removals)) + _empty_folders(survey)
    keep = {
        # By its content, so that a deployment that is repeated keeps it once.
        path: f"{path}{KEPT}-{(hashes.get('/' + path) or '')[:6]}"
        for path in [*send, *others]
        if _is_foreign(survey, build, path, hashes, texts)
    }
    keep = {path: copy for path, copy in keep.items() if not survey.has(copy)}
    staged = _names(send)
    on_board = {path.removeprefix(FOLDER): digest for path, digest in hashes.items()}
    resumed = [
        path for path, name in staged.items() if (on_board.get(name) or "").startswith(name[:16])
    ]
    begun = {
        path: size
        for path, name in staged.items()
        if path not in resumed
        and 0 < (size := survey.files.get(FOLDER + name, 0)) < len(send[path])
        and on_board.get(name) == sha256(send[path][:size])
    }
    needed = {FOLDER + staged[path] for path in [*resumed, *begun]} | {INSTALLED}
    if survey.is_unfinished:
        needed |= {COMMIT, COMPLETE}
    # A trial ends before the pack goes that is on trial.
    leftovers = [path for path in TRIALS if path in survey.files] + [
        path
        for path in survey.files
        if path.startswith(FOLDER)
        and not path.endswith("/")
        and path not in needed
        and path not in TRIALS
    ]
    return Plan(
        send=send,
        staged=staged,
        resumed=resumed,
        begun=begun,
        removals=removals,
        keep=keep,
        drivers=drivers,
        leftovers=leftovers,
        goes_on=survey.is_unfinished,
        warnings=_shadows(survey, build, removals),
    )


def _names(send: dict[str, bytes]) -> dict[str, str]:
    """The start of each content's hash; a number tells files of one content apart."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for path, data in send.items():
        if path == _BOOT:
            continue
        digest = sha256(data)[:16]
        seen[digest] = seen.get(digest, 0) + 1
        names[path] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return names


def journal(
    build: Build,
    staged: dict[str, str],
    removals: list[str],
    drivers: list[str],
    *,
    is_last: bool = True,
) -> bytes:
    """What boot.py acts by: "-" for each file to remove; then a line for each file of the whole
    set, so that the journal is the record afterwards, too: its staged name, or "=" if it is in
    its place already, or comes in a later part."""
    lines = [f"# Fieldpost {build.version}" + ("" if is_last else UNFINISHED)]
    # Before the others: new folders may need the blocks of what is removed.
    lines += [f"- /{path}" for path in removals]
    lines += [f"{staged.get(path, '=')} /{path}" for path in [*build.files, *drivers]]
    return ("\n".join(lines) + "\n").encode()


def _empty_folders(survey: Survey) -> list[str]:
    """Below /firmware/. Each costs two blocks, and would be found before a module of its name."""
    return sorted(
        folder[1:]
        for folder in survey.files
        if folder.startswith("/firmware/")
        and folder.endswith("/")
        and not any(path.startswith(folder) and path != folder for path in survey.files)
    )


def _in_the_way(survey: Survey, build: Build) -> list[str]:
    """What a board without a pack has of a firmware that is a tree: all of it makes way.

    With a pack, a file of a module's name was put there since, by hand, and is left alone.
    """
    if PATH in survey.installed:
        return []
    tree = [path.removesuffix(".mpy") for path in build.modules if path.startswith("lib/")]
    there = [path + ending for path in tree for ending in (".py", ".mpy")]
    found = [path[1:] for path in survey.files if path.startswith("/firmware/")]
    return sorted(path for path in found if path[-1] != "/") + list(filter(survey.has, there))


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
    for path in sorted(build.modules):
        name = "/" + path.removesuffix(".mpy")
        for folder in dict.fromkeys((name, name.removeprefix("/lib"), "/lib" + name)):
            for other in (folder + ".py", folder + ".mpy"):
                if survey.has(other[1:]) and other[1:] not in removals:
                    warnings.append(
                        f"{other} on the board is used instead of the firmware's own, and was "
                        f"left alone: remove it when it has served, with `mpremote rm :{other}`"
                    )
    return warnings
