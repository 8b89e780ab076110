"""The page of `fieldpost serve` in a real browser, with nodes that run: what a person at a bench
sees and does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from rigs.browser import Browser
from rigs.serving import Served, served

from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection

WIDE, PHONE = (1280, 900), (390, 844)
MARKUP = "<img src=x onerror=\"window.broken='yes'\">"
# A topic has no + or #, and a store no longer name.
NAME = "<b onclick=alert(1)>&amp;'\" é☕"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two nodes that measure each second."""
    with served(tmp_path_factory.mktemp("bench")) as one:
        one.node("bench-1")
        one.node("greenhouse")
        yield one


@pytest.fixture(scope="module")
def chromium(bench: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    port = int(bench.url.rstrip("/").rpartition(":")[2])
    with Browser(tmp_path_factory.mktemp("browser") / "profile", port) as one:
        one.be(*WIDE)
        one.open(bench.url)
        one.evaluate("localStorage.setItem('fieldpost.tour', 'no')")
        yield one


@pytest.fixture
def browser(chromium: Browser, bench: Served) -> Browser:
    """On the page with all nodes."""
    chromium.be(*WIDE)
    go(chromium, bench, "")
    chromium.until("document.querySelectorAll('table.nodes tbody tr').length >= 2")
    return chromium


def go(browser: Browser, bench: Served, place: str) -> None:
    # A page of its own each time, not only another place on the same.
    browser.open("about:blank")
    browser.open(f"{bench.url}#/{place}")


def see_node(browser: Browser, bench: Served, name: str = "bench-1") -> None:
    go(browser, bench, f"node/{name}")
    browser.until("document.querySelectorAll('figure[data-points]').length >= 2")


def points(field: str = "temperature") -> str:
    return f"Number(document.querySelector('figure[data-field=\"{field}\"]').dataset.points)"


def publish(bench: Served, node: str, kind: str, told: Any) -> None:
    connection = Connection(mqtt_url.parse(f"mqtt://127.0.0.1:{bench.broker_port}"))
    connection.open()
    payload = json.dumps(told).encode()
    connection.publish(f"fieldpost/{node}/{kind}", payload, qos=1, retain=False)
    connection.close()


def test_readings_appear_while_one_looks(browser: Browser, bench: Served) -> None:
    browser.until(
        "document.querySelector('[data-node=bench-1] .c-values').innerText.includes('temp')"
    )
    browser.click("[data-node=bench-1] .c-name a")
    browser.until("document.querySelectorAll('figure[data-points]').length >= 2")
    before = browser.evaluate(points())
    browser.until(f"{points()} >= {before + 2}")
    assert "Online" in browser.text() and "°C" in browser.text()


def test_a_command_is_answered_on_the_page(browser: Browser, bench: Served) -> None:
    see_node(browser, bench)
    browser.click("button[data-do=identify]")
    browser.until("document.querySelector('.asked li.done')?.innerText.includes('done at')")
    browser.until("document.querySelector('.events').innerText.includes('answer')")


@pytest.mark.slow
def test_a_restart_is_asked_about_first(browser: Browser, bench: Served) -> None:
    see_node(browser, bench)
    browser.click("button[data-do=restart]")
    browser.until("document.querySelector('dialog[open]').innerText.includes('Restart bench-1?')")
    assert browser.evaluate("document.activeElement.innerText") == "Cancel"
    browser.key("Escape")
    browser.until("!document.querySelector('dialog[open]')")
    assert not browser.evaluate("document.querySelectorAll('.asked li').length")


def test_a_setting_is_explained_refused_and_taken(browser: Browser, bench: Served) -> None:
    see_node(browser, bench, "greenhouse")
    browser.until("document.querySelectorAll('datalist option').length > 20")
    browser.type("key", "sample_s")
    assert "Default" in browser.evaluate("document.querySelector('#about').innerText")
    browser.type("value", "soon")
    browser.click(".setting button")
    browser.until("document.querySelector('#wrong').innerText.includes('sample_s: found')")
    assert browser.evaluate("document.activeElement.name") == "value"
    assert not browser.evaluate("document.querySelectorAll('.asked li').length")
    browser.type("value", "1")
    browser.click(".setting button")
    browser.until("document.querySelector('.asked li.done')")
    assert not browser.evaluate("document.querySelector('#wrong').innerText")


@pytest.mark.slow
def test_a_stretch_is_dragged_and_left_again(browser: Browser, bench: Served) -> None:
    see_node(browser, bench)
    browser.until(f"{points()} >= 4")
    # To beyond now, which stands at 0.98: what a node that has just begun measured is within.
    browser.drag("figure .u-over", 0.4, 0.99)
    browser.until("document.querySelector('.ranges .state').innerText.includes(' to ')")
    browser.until("!document.querySelector('.ranges [aria-pressed=true]')")
    browser.evaluate("document.querySelector('.area').focus()")
    browser.key("ArrowLeft")
    browser.until("document.querySelector('.readout').innerText.includes(' · ')")
    browser.key("Escape")
    browser.until("document.querySelector('.ranges .state').innerText.startsWith('live')")


@pytest.mark.slow
def test_all_of_a_node_is_one_click_away(browser: Browser, bench: Served) -> None:
    see_node(browser, bench)
    before = browser.evaluate(points())
    browser.evaluate("document.querySelectorAll('.ranges button')[8].click()")
    browser.until("document.querySelector('.ranges .state').innerText.includes(' to ')")
    browser.until(f"{points()} >= {before}")


@pytest.mark.slow
def test_a_curve_is_a_table_too(browser: Browser, bench: Served) -> None:
    see_node(browser, bench)
    browser.click("figure[data-field=temperature] button")
    browser.until("document.querySelectorAll('table.readings tbody tr').length >= 2")
    numbers = browser.evaluate(
        "[...document.querySelectorAll('table.readings tbody tr')]"
        ".map((row) => Number(row.lastElementChild.innerText.split(', ')[1]))"
    )
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == len(numbers)


@pytest.mark.slow
def test_nodes_are_filtered_chosen_and_compared(browser: Browser, bench: Served) -> None:
    browser.key("/")
    for letter in "green":
        browser.key(letter)
    browser.until("document.querySelectorAll('table.nodes tbody tr').length == 1")
    browser.evaluate("document.getElementById('filter').value = ''")
    browser.evaluate("document.getElementById('filter').dispatchEvent(new Event('input'))")
    for name in ("bench-1", "greenhouse"):
        browser.click(f"[data-node={name}] input")
    browser.until("document.querySelector('.head button').innerText == 'Compare 2'")
    browser.click(".head button")
    browser.until("document.querySelectorAll('figure[data-points]').length >= 2")
    assert browser.evaluate("document.querySelectorAll('.legend li').length") == 2
    assert "bench-1" in browser.evaluate("document.querySelector('.readout').innerText")


@pytest.mark.slow
def test_what_a_stranger_says_stays_text(browser: Browser, bench: Served) -> None:
    told = {"boot": 1, "seq": 0, "ts": 1_795_800_000, MARKUP: 5, "t": MARKUP, "ok": 1.5}
    publish(bench, NAME, "telemetry", told)
    publish(bench, NAME, "telemetry", {**told, "seq": 3, "ts": 1_795_800_009})
    # Numbers that nobody measures, and times that are none.
    for seq, (value, ts) in enumerate(
        ((1e308, 5), (-1e308, 2**62), (5e11, None), (1e-300, 2**33))
    ):
        publish(bench, NAME, "telemetry", {**told, "seq": 9 + seq, "ts": ts, "ok": value})
    publish(bench, NAME, "telemetry", {**told, "seq": 20, "ts": 1_795_800_020, "ok": 2e11 + 0.5})
    publish(bench, NAME, "telemetry", {**told, "seq": 21, "ts": 1_795_800_022, "ok": -1e308})
    publish(bench, NAME, "status", {"state": MARKUP, "more": MARKUP})
    health = dict.fromkeys(("firmware", "board", "crash", "reset", "sensor_errors"), MARKUP)
    publish(bench, NAME, "health", health)
    publish(bench, NAME, "cmd/result", {"id": MARKUP, "ok": False, "error": MARKUP})
    rows = "[...document.querySelectorAll('tbody tr')]"
    browser.until(f"{rows}.some((row) => row.dataset.node == {json.dumps(NAME)})")
    assert NAME in browser.text() and MARKUP in browser.text()
    browser.evaluate(f"location.hash = '#/node/' + encodeURIComponent({json.dumps(NAME)})")
    browser.until("document.querySelectorAll('.events li').length >= 3")
    browser.click(".ranges [data-span='31536000']")
    browser.until("document.querySelectorAll('figure').length >= 2")
    for at in range(2):
        browser.click(f"figure:nth-of-type({at + 1}) figcaption button")
    browser.until("document.querySelectorAll('table.readings tbody tr').length >= 2")
    assert MARKUP in browser.text() and NAME in browser.text()
    go(browser, bench, "")
    browser.evaluate(
        f"location.hash = '#/compare/' + encodeURIComponent({json.dumps(NAME)}) + ',bench-1'"
    )
    browser.until("document.querySelectorAll('.legend li').length == 2")
    assert browser.evaluate("window.broken === undefined && !document.querySelector('main img')")
    assert not browser.evaluate("document.querySelector('[onclick], [onerror]')")


@pytest.mark.slow
def test_a_node_that_becomes_known_later_joins_the_comparison(
    browser: Browser, bench: Served
) -> None:
    go(browser, bench, "compare/bench-1,latecomer")
    browser.until("document.querySelectorAll('figure').length >= 2")
    told = {"boot": 1, "seq": 0, "ts": int(time.time()), "temperature": 20.5}
    publish(bench, "latecomer", "telemetry", told)
    browser.until("document.querySelectorAll('.legend li').length == 2")
    assert browser.evaluate("document.querySelectorAll('.curves').length") == 1


@pytest.mark.slow
def test_the_tour_is_offered_once_and_walked_by_the_keyboard(
    browser: Browser, bench: Served
) -> None:
    browser.evaluate("localStorage.removeItem('fieldpost.tour')")
    go(browser, bench, "")
    browser.until("document.querySelector('.offer')")
    browser.until("document.querySelectorAll('table.nodes tbody tr').length >= 2")
    browser.evaluate("document.querySelector('.offer button').focus()")
    browser.key("Enter")
    browser.until("document.querySelector('dialog.tour')?.innerText.includes('1 of 5')")
    for at in range(2, 6):
        browser.key("Enter")
        browser.until(f"document.querySelector('dialog.tour')?.innerText.includes('{at} of 5')")
    browser.key("Escape")
    browser.until("!document.querySelector('dialog.tour')")
    go(browser, bench, "")
    browser.until("document.querySelectorAll('table.nodes tbody tr').length >= 2")
    assert not browser.evaluate("document.querySelector('.offer')")


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_nothing_keeps_a_person_from_using_it(
    browser: Browser, bench: Served, size: tuple[int, int], is_dark: bool
) -> None:
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    browser.be(*size, is_dark=is_dark)
    for place in ("", "node/bench-1", "compare/bench-1,greenhouse", "set-up"):
        go(browser, bench, place)
        what = "figure[data-points]" if place else "table.nodes tbody tr"
        if place == "set-up":
            browser.until("document.querySelector('main .panel')")
        else:
            browser.until(f"document.querySelectorAll('{what}').length >= 2")
        if place.startswith("node"):
            browser.click("figure button")
            browser.click(".key summary")
        browser.evaluate(f"{axe}; true")
        found = browser.evaluate("axe.run().then((told) => told.violations)")
        bad = [
            (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert bad == [], (place, bad)
        # Nothing is cut off on the right.
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), place


@pytest.mark.slow
def test_a_page_without_its_server_says_so_and_one_without_nodes_how_to_get_one(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as empty:
        port = int(empty.url.rstrip("/").rpartition(":")[2])
        with Browser(tmp_path / "profile", port) as browser:
            browser.open(empty.url)
            browser.until("document.body.innerText.includes('No node has reported yet')")
            assert f"fieldpost run --broker mqtt://127.0.0.1:{empty.broker_port}" in browser.text()
            go(browser, empty, "node/nobody")
            browser.until("document.body.innerText.includes('No node of this name')")
            empty.page.stop()
            browser.until("document.body.innerText.includes('has lost fieldpost serve')")


@pytest.mark.slow
def test_an_outage_by_a_click_and_the_backlog_fills_in(
    browser: Browser, bench: Served, tmp_path: Path
) -> None:
    see_node(browser, bench)
    browser.click(".bench [data-fault=away]")
    browser.until("document.querySelector('.badges').innerText.includes('Offline')")
    before = browser.evaluate(points())
    browser.until("document.querySelector('.events').innerText.includes('Broker away')")
    browser.evaluate("new Promise((done) => setTimeout(done, 9000))")
    assert browser.evaluate(points()) <= before + 1
    browser.click(".bench [data-fault=none]")
    browser.until("document.querySelector('.badges').innerText.includes('Online')")
    browser.until(f"{points()} >= {before + 9}")
    # They came late, and stand where they were taken: none is missing, and none is twice.
    browser.until("Number(document.querySelector('figure').dataset.late) >= 2")
    browser.click("figure[data-field=temperature] button")
    rows = browser.evaluate(
        "[...document.querySelectorAll('table.readings tbody tr')].map((row) => "
        "[...row.children].map((cell) => cell.innerText))"
    )
    numbers = [int(row[-1].split(", ")[1]) for row in rows]
    assert numbers == list(range(numbers[0], numbers[-1] - 1, -1))
    assert sum("late" in row[2] for row in rows) >= 2
    assert "missing" not in browser.evaluate("document.querySelector('.note').innerText")
    if wanted := os.environ.get("FIELDPOST_PICTURES"):
        # A minute of curve looks better.
        browser.evaluate("new Promise((done) => setTimeout(done, 15000))")
        browser.evaluate("new Promise((done) => setTimeout(done, 15000))")
    take_pictures(browser, Path(wanted or tmp_path))


def take_pictures(browser: Browser, folder: Path) -> None:
    """Of what is there: docs/serve.png is the first. They are looked at by people."""
    browser.click("figure[data-field=temperature] button")
    browser.click(".ranges [data-span='60']")
    for name, size, is_dark in (
        ("serve.png", WIDE, False),
        ("serve-dark.png", WIDE, True),
        ("serve-phone.png", PHONE, False),
        ("serve-phone-dark.png", PHONE, True),
    ):
        browser.be(*size, is_dark=is_dark)
        browser.evaluate("scrollTo(0, 0); new Promise((done) => setTimeout(done, 1500))")
        browser.screenshot(folder / name)
        assert (folder / name).stat().st_size > 20_000
