"""A deployment is one part wherever flash has room for it, else the old firmware goes first."""

from __future__ import annotations

import pytest

from fieldpost.board.errors import BoardError
from fieldpost.deploy.build import Build, sha256
from fieldpost.deploy.parts import BLOCK, Part, Parts, blocks_of
from fieldpost.deploy.plan import Plan, plan
from fieldpost.deploy.survey import UNFINISHED, Survey, parse_installed

_MARK = UNFINISHED.encode()
_TREE = {"main.py": 300, **{f"firmware/m{n}.mpy": 4000 for n in range(20)}}
_PACK = {"main.py": 301, "module_pack.mpy": 1100, "firmware.pack": 60000}


def _build(sizes: dict[str, int]) -> Build:
    files = {path: path[-5:].encode().ljust(size, b"\0") for path, size in sizes.items()}
    return Build(files, {}, {}, "2")


def _survey(sizes: dict[str, int], *, unfinished: bool = False) -> Survey:
    files = {"/" + path: size for path, size in sizes.items()} | {"/.deploy/": 0}
    return Survey("rp2", 6, "1.25.0", "1", False, files, frozenset(sizes), unfinished)


def _plan(survey: Survey, build: Build) -> Plan:
    return plan(survey, build, {}, {})


def _parts(old: dict[str, int], new: dict[str, int]) -> Parts:
    survey, build = _survey(old), _build(new)
    return Parts(survey, build, _plan(survey, build))


def _lines(part: Part) -> list[str]:
    return part.journal.decode().splitlines()


def test_a_file_takes_the_blocks_that_littlefs_gives_it() -> None:
    # Block 1 begins with one pointer, block 2 with two (littlefs's DESIGN.md).
    whole = {size: int(blocks_of(size)) for size in (513, 4096, 4097, 8188, 8189, 12276, 12277)}
    assert whole == {513: 1, 4096: 1, 4097: 2, 8188: 2, 8189: 3, 12276: 3, 12277: 4}
    assert 0 < blocks_of(0) < blocks_of(512) < 1


@pytest.mark.parametrize("old", [_TREE, _PACK])
def test_what_fits_beside_the_old_firmware_is_one_part(old: dict[str, int]) -> None:
    part = _parts(old, _PACK).next(24 * BLOCK)
    assert part.is_last and set(part.staged) == set(_PACK)
    assert _MARK not in part.journal
    gone = [line for line in _lines(part) if line.startswith("- ")]
    assert len(gone) == len(set(old) - set(_PACK))


def test_removals_come_first_in_a_journal() -> None:
    lines = _lines(_parts({"lib/old.mpy": 900}, {"main.py": 901}).next(50 * BLOCK))
    assert lines[1] == "- /lib/old.mpy" and lines[2].endswith(" /main.py")


@pytest.mark.parametrize("old", [_TREE, _PACK])
def test_where_it_does_not_fit_the_old_firmware_goes_first_and_nothing_starts_meanwhile(
    old: dict[str, int],
) -> None:
    parts = _parts(old, _PACK)
    first = parts.next(10 * BLOCK)
    assert not first.is_last and not first.staged and _lines(first)[0].endswith(UNFINISHED)
    assert {line[3:] for line in _lines(first) if line.startswith("- ")} == set(old)
    last = parts.next(24 * BLOCK)
    assert last.is_last and set(last.staged) == set(_PACK) and _MARK not in last.journal
    assert set(parse_installed(last.journal.decode())) == set(_PACK)


def test_what_has_arrived_before_is_not_counted_again() -> None:
    survey, build = _survey(_PACK), _build({**_PACK, "firmware.pack": 60001})
    name = _plan(survey, build).staged["firmware.pack"]
    data = build.files["firmware.pack"]
    for there, is_one in ((len(data), True), (40000, True), (2000, False)):
        survey.files["/.deploy/" + name] = there
        todo = plan(survey, build, {"/.deploy/" + name: sha256(data[:there])}, {})
        assert ("firmware.pack" in todo.resumed) == (there == len(data))
        assert todo.begun.get("firmware.pack") == (None if there == len(data) else there)
        assert Parts(survey, build, todo).next(14 * BLOCK).is_last == is_one


def test_a_beginning_that_is_not_that_of_the_file_is_removed() -> None:
    survey, build = _survey(_PACK), _build({**_PACK, "firmware.pack": 60001})
    name = "/.deploy/" + _plan(survey, build).staged["firmware.pack"]
    survey.files[name] = 2000
    todo = plan(survey, build, {name: sha256(b"torn")}, {})
    assert not todo.begun and todo.leftovers == [name]


def test_what_does_not_fit_in_place_of_the_old_set_either_is_refused_before_any_change() -> None:
    with pytest.raises(BoardError, match="Nothing was changed") as refused:
        _parts({"lib/a.mpy": 9000}, {"firmware.pack": 120000}).next(12 * BLOCK)
    assert "48 KiB free" in str(refused.value) and "fieldpost pull" in str(refused.value)


def test_a_deployment_that_lacks_parts_is_never_taken_for_complete() -> None:
    build = _build(_PACK)
    survey = _survey(_PACK, unfinished=True)
    survey.files["/.deploy/commit"] = 60
    hashes = {"/" + path: sha256(data) for path, data in build.files.items()}
    todo = plan(survey, build, hashes, {})
    assert not todo.send and not todo.is_empty
    # Until the next journal takes its place, the marked one keeps main.py from running.
    assert not todo.leftovers
    part = Parts(survey, build, todo).next(0)
    assert part.is_last and _MARK not in part.journal


def test_an_empty_folder_of_the_firmware_is_removed_and_others_are_left() -> None:
    survey = _survey({"main.py": 900})
    survey.files.update({"/firmware/": 0, "/firmware/gone/": 0, "/mine/": 0})
    todo = _plan(survey, _build({"main.py": 901}))
    assert todo.removals == ["firmware/gone/"]
