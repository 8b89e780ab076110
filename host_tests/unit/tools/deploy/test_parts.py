"""A deployment takes as few parts as flash has room for, and each but the last says so."""

from __future__ import annotations

import random

import pytest

from fieldpost.board.link import BoardError
from fieldpost.deploy.build import Build
from fieldpost.deploy.parts import BLOCK, Part, Parts, blocks_of
from fieldpost.deploy.plan import Plan, plan
from fieldpost.deploy.survey import UNFINISHED, Survey, parse_installed

_MARK = UNFINISHED.encode()


def _build(sizes: dict[str, int]) -> Build:
    files = {path: path[-5:].encode().ljust(size, b"\0") for path, size in sizes.items()}
    return Build(files, {}, "2")


def _survey(sizes: dict[str, int], *, unfinished: bool = False) -> Survey:
    files = {"/" + path: size for path, size in sizes.items()} | {"/.deploy/": 0}
    for path in sizes:
        names = path.split("/")[:-1]
        files |= {"/" + "/".join(names[: n + 1]) + "/": 0 for n in range(len(names))}
    return Survey("rp2", 6, "1.25.0", "1", False, files, frozenset(sizes), unfinished)


def _plan(survey: Survey, build: Build) -> Plan:
    return plan(survey, build, {}, {})


def _first(old: dict[str, int], new: dict[str, int], free_blocks: int) -> Part:
    survey, build = _survey(old), _build(new)
    return Parts(survey, build, _plan(survey, build)).next(free_blocks * BLOCK)


def _lines(part: Part) -> list[str]:
    return part.journal.decode().splitlines()


def test_a_file_takes_the_blocks_that_littlefs_gives_it() -> None:
    # Block 1 begins with one pointer, block 2 with two (littlefs's DESIGN.md).
    whole = {size: int(blocks_of(size)) for size in (513, 4096, 4097, 8188, 8189, 12276, 12277)}
    assert whole == {513: 1, 4096: 1, 4097: 2, 8188: 2, 8189: 3, 12276: 3, 12277: 4}
    assert 0 < blocks_of(0) < blocks_of(512) < 1


def test_what_fits_beside_the_old_set_is_one_part() -> None:
    names = {f"lib/m{n}.mpy": 4000 for n in range(10)}
    part = _first(names, names, 20)
    assert part.is_last and set(part.staged) == set(names)
    assert _MARK not in part.journal


def test_each_new_folder_is_counted_unless_what_is_removed_makes_room_for_it() -> None:
    flat = {f"firmware/m{n}.mpy": 4000 for n in range(10)}
    foldered = {f"firmware/p{n}/m.mpy": 4000 for n in range(10)}
    assert _first(flat | foldered, flat | foldered, 27).is_last is False
    added = {f"firmware/q{n}/m.mpy": 4000 for n in range(10)}
    assert _first(flat, flat | added, 44).is_last is False
    assert _first(flat, flat | added, 50).is_last
    # The ten flat ones go before the ten folders are made.
    assert _first(flat, foldered, 27).is_last


def test_removals_come_first_in_a_journal() -> None:
    lines = _lines(_first({"lib/old.mpy": 900, "lib/m.mpy": 900}, {"lib/m.mpy": 901}, 50))
    assert lines[1] == "- /lib/old.mpy" and lines[2].endswith(" /lib/m.mpy")


def test_every_part_but_the_last_is_marked_and_the_last_is_the_record() -> None:
    names = {f"lib/m{n}.mpy": 12000 for n in range(12)}
    survey, build = _survey(names), _build(names)
    parts = Parts(survey, build, _plan(survey, build))
    found = [parts.next(12 * BLOCK)]
    while not found[-1].is_last:
        found.append(parts.next(30 * BLOCK))
    assert len(found) > 2
    heads = [_lines(part)[0] for part in found]
    assert [head.endswith(UNFINISHED) for head in heads] == [True] * (len(found) - 1) + [False]
    assert sorted(path for part in found for path in part.staged) == sorted(names)
    assert set(parse_installed(found[-1].journal.decode())) == set(names)


def test_what_arrived_before_is_taken_first_and_not_counted_again() -> None:
    names = {f"lib/m{n}.mpy": 12000 for n in range(12)}
    survey, build = _survey(names), _build(names)
    staged = _plan(survey, build).staged
    there = {"/.deploy/" + staged[path]: staged[path] for path in list(names)[:5]}
    survey.files.update(dict.fromkeys(there, 12000))
    todo = plan(survey, build, there, {})
    assert len(todo.resumed) == 5
    part = Parts(survey, build, todo).next(10 * BLOCK)
    assert not part.is_last and set(part.staged) == set(todo.resumed)


def test_what_does_not_fit_in_place_of_the_old_set_either_is_refused_before_any_change() -> None:
    with pytest.raises(BoardError, match="Nothing was changed") as refused:
        _first({"lib/a.mpy": 9000}, {f"lib/m{n}.mpy": 12000 for n in range(12)}, 12)
    assert "48 KiB free" in str(refused.value) and "fieldpost pull" in str(refused.value)


def test_a_deployment_that_lacks_parts_is_never_taken_for_complete() -> None:
    names = {"lib/m.mpy": 900}
    build = _build(names)
    survey = _survey(names, unfinished=True)
    survey.files["/.deploy/commit"] = 60
    from fieldpost.deploy.build import sha256

    hashes = {"/" + path: sha256(data) for path, data in build.files.items()}
    todo = plan(survey, build, hashes, {})
    assert not todo.send and not todo.is_empty
    # Until the next journal takes its place, the marked one keeps main.py from running.
    assert not todo.leftovers
    part = Parts(survey, build, todo).next(0)
    assert part.is_last and _MARK not in part.journal


def test_an_empty_folder_of_the_firmware_is_removed_and_others_are_left() -> None:
    survey = _survey({"firmware/a.mpy": 900})
    survey.files.update({"/firmware/net/": 0, "/firmware/gone/": 0, "/mine/": 0})
    todo = _plan(survey, _build({"firmware/a.mpy": 901, "firmware/net/link.mpy": 10}))
    assert todo.removals == ["firmware/gone/"]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_sizes_no_part_needs_more_than_there_is(seed: int) -> None:
    rng = random.Random(seed)

    def some(count: int) -> dict[str, int]:
        folders = rng.choice((["firmware"], ["firmware/a", "firmware/b/c", "lib"]))
        return {
            f"{rng.choice(folders)}/m{n}.mpy": rng.choice((200, 3000, 4097, 9000, 30000))
            for n in range(count)
        }

    old, new = some(rng.randrange(40)), some(rng.randrange(1, 40))
    survey, build = _survey(old), _build(new)
    todo = _plan(survey, build)
    parts = Parts(survey, build, todo)
    flash = {path: blocks_of(size) for path, size in old.items()}
    folders = {path for path in survey.files if path.endswith("/")}
    total = sum(flash.values()) + rng.randrange(3, 120)
    sent: list[str] = []
    while True:
        free = total - sum(flash.values()) - 2 * (len(folders))
        free += 2 * sum(path.endswith("/") for path in survey.files)
        assert free >= 0, "more was put in place than fits"
        try:
            part = parts.next(int(free * BLOCK))
        except BoardError:
            assert not sent, "it was known before that all does not fit"
            return
        assert sum(blocks_of(new[path]) for path in part.staged) + 1 <= max(free, 1)
        for line in _lines(part)[1:]:
            name, path = line.split(" /", 1)
            if name == "-":
                flash.pop(path, None)
        for path in part.staged:
            flash[path] = blocks_of(new[path])
            names = path.split("/")[:-1]
            folders |= {"/" + "/".join(names[: n + 1]) + "/" for n in range(len(names))}
        sent += part.staged
        if part.is_last:
            break
    assert sorted(sent) == sorted(path for path in new)
    assert set(flash) == set(new)
