"""A page that comes back misses nothing, or is told that it has to read anew."""

from __future__ import annotations

import asyncio
import json
import re

from fieldpost.serve.journal import Journal


def heard(journal: Journal, cursor: str, most: int) -> list[tuple[str, str, str]]:
    """(id, event, data) of what a page with that cursor gets."""

    async def run() -> list[str]:
        stream = journal.stream(cursor)
        texts = []
        for _ in range(most):
            texts.append(await asyncio.wait_for(anext(stream), 5))
        await stream.aclose()
        return texts

    form = re.compile(r"id: (.*)\nevent: (.*)\ndata: (.*)\n\n")
    found = []
    for text in asyncio.run(run()):
        match = form.fullmatch(text)
        assert match, text
        found.append((match[1], match[2], match[3]))
    return found


def test_a_page_that_comes_back_gets_what_came_meanwhile_once_and_in_order() -> None:
    journal = Journal()
    for number in range(5):
        journal.add("event", {"n": number})
    ((cursor, kind, _),) = heard(journal, "", 1)
    assert kind == "begin"
    for number in range(5, 8):
        journal.add("event", {"n": number})
    told = heard(journal, cursor, 3)
    assert [json.loads(data)["n"] for _, _, data in told] == [5, 6, 7]
    # From the middle of these on, too.
    told = heard(journal, told[0][0], 2)
    assert [json.loads(data)["n"] for _, _, data in told] == [6, 7]


def test_numbers_only_rise() -> None:
    journal = Journal(kept_max=3)
    for _ in range(10):
        journal.add("event", {})
    numbers = [one.number for one in journal.after(0)]
    assert numbers == [8, 9, 10]


def test_what_is_no_longer_here_is_said_to_be_gone() -> None:
    journal = Journal(kept_max=3)
    for number in range(10):
        journal.add("event", {"n": number})
    assert journal.place(f"{journal.name}-6") is None
    assert journal.place(f"{journal.name}-7") == 7
    (first, kind, _), *_ = heard(journal, f"{journal.name}-6", 1)
    assert kind == "again" and first == f"{journal.name}-10"


def test_the_cursor_of_another_server_or_of_a_stranger_is_not_taken() -> None:
    journal = Journal()
    journal.add("event", {})
    for cursor in (
        "",
        "1",
        "other-1",
        f"{journal.name}-",
        f"{journal.name}-2",
        f"{journal.name}-1e3",
        f"{journal.name}-99999999999999999999",
        f"{journal.name}--1",
    ):
        assert journal.place(cursor) is None, cursor
    assert heard(journal, "other-1", 1)[0][1] == "again"


def test_a_page_hears_at_once_and_its_stream_ends_with_the_journal() -> None:
    journal = Journal()

    async def run() -> list[str]:
        texts = []
        stream = journal.stream("")
        texts.append(await anext(stream))
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        assert journal.streams == 1
        await asyncio.to_thread(journal.add, "event", {"text": "line\nbreak"})
        texts.append(await asyncio.wait_for(waiting, 1))
        asyncio.get_running_loop().call_later(0.05, journal.close)
        texts += [text async for text in stream]
        return texts

    _, told = asyncio.run(run())
    # A line break in what a node says can't begin an event of its own.
    assert told.count("\n") == 4 and '"line\\nbreak"' in told
    assert journal.streams == 0
