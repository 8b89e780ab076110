"""A board set up from the page: a browser's Web Serial, bridged to a board that stands in."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.browser import Browser
from rigs.deploy import Bench, project
from rigs.flash import version_of_the_port
from rigs.lent_port import (
    GO,
    NAMES,
    STEPS,
    WRONG,
    at,
    choose,
    fill_in,
    is_for_everybody,
    press_with_flash,
    see_form,
    serial,
    terminal,
    to_chip,
)
from rigs.serving import Served, served

from fakes.board_images import esp_image, uf2_image
from fakes.esp_board import EspBoard
from fakes.uf2_drive import Uf2Drive
from fieldpost.board.ports import Port
from fieldpost.flash import flashing
from fieldpost.flash.flashing import Limits
from fieldpost.serve.set_up.job import Source


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A board with MicroPython and nothing on it."""
    with Bench(tmp_path / "bench") as one:
        (one.folder / "config.json").unlink()
        yield one


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Served]:
    root = project(tmp_path / "project", "1.2.3")
    (tmp_path / "page").mkdir()
    limits = Limits(hand_s=60, gone_s=10, answer_s=40)
    source = Source(root, image=tmp_path / IMAGE, volume=tmp_path / "VOLUME", limits=limits)
    with served(tmp_path / "page", source=source) as one:
        yield one


@pytest.fixture
def browser(page: Served, tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile", int(page.url.rstrip("/").rpartition(":")[2])) as one:
        one.be(1280, 900)
        yield one


# What it is its content says; the stand-in of a drive looks at the name.
IMAGE = "image.uf2"


@pytest.mark.slow
def test_a_bare_board_becomes_a_node_that_measures(
    bench: Bench, page: Served, browser: Browser
) -> None:
    with terminal(bench.port) as cable:
        browser.before_each_page(serial(cable.port))
        see_form(browser, page)
        fill_in(browser, node="Not A Name", ssid="nowhere", password="correct horse")
        fill_in(browser, broker="mqtt://192.168.1.10")
        browser.until(f"{at('node')}.includes('found \"Not A Name\"')")
        browser.click(GO)
        browser.until(f"{WRONG}.includes('Nothing was changed')")
        browser.until("document.activeElement.name == 'node'")
        assert bench.files() == {}
        fill_in(browser, node="bench-7")
        browser.click(GO)
        browser.until(
            "document.querySelector('.bring .steps')?.innerText.includes('First reading')", 60
        )
    assert "temperature 21.5" in browser.text()
    is_for_everybody(browser)
    assert "no broker has taken it yet (no such access point)" in browser.text()
    files = bench.files()
    assert json.loads(files["config.json"])["node"] == "bench-7"
    assert json.loads(files["secrets.json"])["wifi"] == [
        {"ssid": "nowhere", "password": "correct horse"}
    ]
    assert bench.ran()[0] == "1.2.3"
    # The password is in no place where it could be read again.
    assert "correct horse" not in browser.source() and browser.value(NAMES["password"]) == ""
    assert "correct horse" not in "\n".join(page.said)


@pytest.mark.slow
def test_a_certificate_that_is_chosen_comes_onto_the_board(
    bench: Bench, page: Served, browser: Browser, tmp_path: Path
) -> None:
    certificate = tmp_path / "my ca.der"
    certificate.write_bytes(bytes(range(256)) * 4)
    with terminal(bench.port) as cable:
        browser.before_each_page(serial(cable.port))
        see_form(browser, page)
        fill_in(browser, node="bench-7", ssid="desk", password="correct horse")
        fill_in(browser, broker="mqtts://192.168.1.10")
        browser.key("Tab")
        # Without one it is not even asked for the board.
        browser.click(GO)
        browser.until("document.activeElement.name == 'mqtt.tls.ca_file'")
        browser.type("mqtt.tls.ca_file", "ca.der")
        browser.click(GO)
        browser.until(f"{WRONG}.includes('the board has no file ca.der')", 60)
        assert bench.files() == {}
        browser.choose_file('[name="mqtt.tls.ca_file"] ~ [type=file]', certificate)
        browser.until("document.querySelector('[name=\"mqtt.tls.ca_file\"]').value == 'my_ca.der'")
        fill_in(browser, password="correct horse")
        browser.click(GO)
        browser.until(f"{STEPS}.includes('Configured as bench-7')", 60)
    files = bench.files()
    assert json.loads(files["config.json"])["mqtt"]["tls"] == {"ca_file": "my_ca.der"}
    assert (bench.folder / "my_ca.der").read_bytes() == certificate.read_bytes()


@pytest.mark.slow
def test_an_empty_esp32_gets_micropython_and_becomes_a_node(
    bench: Bench, page: Served, browser: Browser, tmp_path: Path
) -> None:
    image = tmp_path / IMAGE
    image.write_bytes(esp_image("ESP32", version=version_of_the_port()))
    with EspBoard("esp32", runs=str(bench.port)) as chip:
        with to_chip(chip) as cable:
            press_with_flash(browser, page, cable)
            browser.until(f"{STEPS}.includes('First reading') || {WRONG}.length > 5", 80)
            assert "First reading" in browser.text(), browser.text()
        assert chip.verify(0x1000, image) and chip.bauds == []
        assert browser.evaluate("window.modes") == ["boot", "run"]
    assert json.loads(bench.files()["config.json"])["node"] == "bench-7"


@pytest.mark.slow
def test_an_esp32_that_comes_back_as_another_device_is_asked_for_again(
    bench: Bench, page: Served, browser: Browser, tmp_path: Path
) -> None:
    # So an ESP32-S3 does: its ROM is one device at the USB, and MicroPython on it another.
    image = tmp_path / IMAGE
    image.write_bytes(esp_image("ESP32-S3", version=version_of_the_port()))
    with EspBoard("esp32s3", runs=str(bench.port)) as chip, to_chip(chip) as cable:
        press_with_flash(browser, page, cable, goes=True, is_other=True)
        browser.until("!document.querySelector('[data-do=again]').hidden", 80)
        browser.until(f"{WRONG}.includes('come back as another port')")
        browser.click("[data-do=again]")
        browser.until(f"{STEPS}.includes('First reading') || {WRONG}.includes('answers')", 80)
        assert "First reading" in browser.text(), browser.text()
    assert browser.evaluate(WRONG) == "" and browser.evaluate("window.asked") == 2


@pytest.mark.slow
def test_a_bare_pico_gets_micropython_by_its_drive_and_is_refused_anothers(
    bench: Bench, browser: Browser, page: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = Port(str(bench.port), "micropython", "Pico", "2E8A:0005", "77")
    is_on = threading.Event()
    monkeypatch.setattr(flashing, "all_ports", lambda: [port] * is_on.is_set())
    data = uf2_image(version=version_of_the_port(), blocks=200)
    (tmp_path / IMAGE).write_bytes(data)
    see_form(browser, page)
    browser.click("[name=micropython][value=pico]")
    browser.until("document.querySelector('.pico [name=pico]')")
    browser.click("[name=pico][value=RPI_PICO2_W]")
    assert "RP2350" in browser.evaluate("document.querySelector('.pico ol').innerText")
    browser.click("[name=pico][value=RPI_PICO_W]")
    browser.click("[data-do=drive]")
    browser.until("document.querySelector('.pico .steps').innerText.includes('Waiting for the')")
    # The wrong board is plugged in: it is refused, and nothing was written.
    with Uf2Drive(tmp_path / "VOLUME", "RP2350", len(data)) as stick:
        browser.until("document.querySelector('.pico > .wrong').innerText.includes('RP2350')")
        assert stick.written is None
        shutil.rmtree(stick.folder)
    browser.click("[data-do=drive]")
    with Uf2Drive(
        tmp_path / "VOLUME", "RP2040", len(data), on_written=lambda _: is_on.set()
    ) as stick:
        browser.until("document.querySelector('.pico .steps .done')", 40)
        assert stick.written == data
    # On a computer that fieldpost serve does not run on, the file is taken there.
    browser.downloads_to(tmp_path / "downloads")
    browser.click(".pico details summary")
    browser.click("[data-do=image]")
    file = tmp_path / "downloads" / IMAGE
    browser.wait_for(file.exists, "the file")
    assert file.read_bytes() == data
    browser.until("document.querySelector('.pico .told').innerText.includes('SHA-256 is right')")
    assert "drive RPI-RP2 of the Pico W" in browser.text()


@pytest.mark.slow
def test_a_board_that_must_be_reset_comes_back_as_another_port_and_is_gone_on_with(
    bench: Bench, page: Served, browser: Browser
) -> None:
    # As a Pico W is once Ctrl-C came while its radio started: only a reset helps.
    bench.board.stuck = True
    bench.board.unplug()
    bench.board.plug_in()
    with terminal(bench.port, lambda: bench.board.hard_resets) as cable:
        browser.before_each_page(serial(cable.port))
        see_form(browser, page)
        fill_in(browser, node="bench-7", ssid="desk", password="", broker="mqtt://192.168.1.10")
        browser.click(GO)
        browser.until(f"{STEPS}.includes('First reading') || {WRONG}.length > 5", 60)
    assert bench.board.hard_resets and "First reading" in browser.text(), browser.text()
    assert browser.evaluate("window.asked") == 1


@pytest.mark.slow
def test_no_choice_is_no_harm_and_a_board_that_goes_away_is_said(
    bench: Bench, page: Served, browser: Browser
) -> None:
    with terminal(bench.port) as cable:
        browser.before_each_page(serial(cable.port))
        see_form(browser, page)
        fill_in(browser, node="bench-7", ssid="desk", password="", broker="mqtt://192.168.1.10")
        browser.evaluate("window.noBoard = true")
        browser.click(GO)
        browser.until(f"{WRONG}.includes('No board')")
        browser.evaluate("window.noBoard = false")
        bench.board.be_busy(60)
        browser.click(GO)
        browser.until("document.querySelectorAll('.bring .steps li').length >= 1")
        bench.board.unplug()
    browser.until(f"{WRONG}.length > 5", 60)


def test_without_web_serial_it_is_said_what_to_type(page: Served, browser: Browser) -> None:
    browser.before_each_page("Object.defineProperty(navigator, 'serial', {value: undefined})")
    see_form(browser, page)
    assert "fieldpost provision" in browser.text()
    assert not browser.evaluate(f"Boolean(document.querySelector({json.dumps(GO)}))")


@pytest.mark.slow
def test_the_whole_schema_is_typed_checked_downloaded_and_loaded_again(
    page: Served, browser: Browser, tmp_path: Path
) -> None:
    browser.before_each_page(serial(1))
    browser.downloads_to(tmp_path / "downloads")
    see_form(browser, page)
    # A broker's URL is taken apart.
    fill_in(browser, broker="mqtt://node:of%20it@10.0.0.2:1884")
    browser.key("Tab")
    assert browser.value("mqtt.host") == "10.0.0.2"
    assert browser.evaluate("document.querySelector('[name=\"mqtt.port\"]').value") == "1884"
    fill_in(browser, node="bench-7", ssid="desk", password="short")
    browser.until(f"{at(NAMES['password'])}.includes('found a text of 5 characters')")
    browser.type("board", "pico-w")
    # A sensor, of which what is missing is told when one asks for it.
    browser.click("button.add-sensor")
    choose(browser, "sensors[0].type", "bme280")
    browser.until("document.querySelector('[name=\"sensors[0].scl\"]')")
    assert "missing" not in browser.evaluate(at("sensors[0].scl"))
    browser.click(GO)
    browser.until(f"{at('sensors[0].scl')}.includes('on the Pico W SCL 5 and SDA 4')")
    browser.until(f"document.activeElement.name == {json.dumps(NAMES['password'])}")
    fill_in(browser, password="correct horse")
    browser.type("sensors[0].scl", "4")
    browser.type("sensors[0].sda", "5")
    browser.until(f"{at('sensors[0].scl')}.includes('cannot be SCL')")
    # docs/serve-set-up.png is one of them.
    browser.evaluate("scrollTo(0, 0)")
    browser.screenshot(Path(os.environ.get("FIELDPOST_PICTURES", tmp_path)) / "serve-set-up.png")
    browser.type("sensors[0].scl", "5")
    browser.type("sensors[0].sda", "4")
    browser.until(f"!{at('sensors[0].scl')}.includes('cannot be SCL')")
    # What two keys are together, in a section that is folded: it unfolds.
    browser.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    browser.type("mqtt.keepalive_s", "5")
    browser.until(f"{at('mqtt.timeout_s')}.includes('must be less than mqtt.keepalive_s')")
    browser.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = false))")
    browser.until(
        "[...document.querySelectorAll('summary')].some((one) => "
        "one.innerText.includes('MQTT') && one.innerText.includes('1 to mend'))"
    )
    browser.click(GO)
    browser.until("document.activeElement.name == 'mqtt.timeout_s'")
    browser.type("mqtt.timeout_s", "4")
    choose(browser, "mode", "duty_cycle")
    browser.click("[data-do=download]")
    file = tmp_path / "downloads" / "config.json"
    browser.wait_for(file.exists, "the file")
    text = file.read_text("utf-8")
    config = json.loads(text)
    assert "correct horse" not in text and "of it" not in text
    assert config == {
        "node": "bench-7",
        "board": "pico-w",
        "mqtt": {"host": "10.0.0.2", "port": 1884, "keepalive_s": 5, "timeout_s": 4},
        "mode": "duty_cycle",
        "sensors": [{"type": "bme280", "scl": 5, "sda": 4}],
    }
    # And back, with what the form has no place for left out and told.
    config["colour"] = "red"
    config["sensors"].append({"type": "dht", "pin": 6, "calibration": [{"field": "humidity"}]})
    file.write_text(json.dumps(config))
    see_form(browser, page)
    browser.choose_file("#load", file)
    browser.until("document.querySelector('.files .told').innerText.includes('colour')")
    assert browser.value("sensors[1].calibration[0].field") == "humidity"
    assert browser.value("mqtt.keepalive_s") == "5"
    # The first goes; the second has its place, and all that was in it.
    browser.click('[data-remove="sensors[0]"]')
    browser.until("document.querySelector('[name=\"sensors[0].pin\"]')")
    assert browser.value("sensors[0].pin") == "6"
    assert browser.value("sensors[0].calibration[0].field") == "humidity"


@pytest.mark.slow
def test_the_form_is_filled_in_by_the_keyboard(page: Served, browser: Browser) -> None:
    browser.before_each_page(serial(1))
    see_form(browser, page)
    browser.evaluate("document.querySelector('[name=node]').focus()")
    reached = []
    for _ in range(40):
        browser.key("Tab")
        reached.append(
            browser.evaluate(
                "document.activeElement.name || document.activeElement.innerText.split('\\n')[0]"
            )
        )
        if reached[-1] == "Choose the board and set it up":
            break
    assert reached[:5] == ["board", "mqtt.host", "sample_s", NAMES["ssid"], NAMES["password"]]
    assert any(one.startswith("MQTT") for one in reached), reached
    assert reached[-1] == "Choose the board and set it up", reached


@pytest.mark.slow
def test_nothing_keeps_a_person_from_filling_it_in(page: Served, browser: Browser) -> None:
    browser.before_each_page(serial(1))
    see_form(browser, page)
    fill_in(browser, node="Not A Name", broker="127.0.0.1")
    browser.click("button.add-sensor")
    choose(browser, "sensors[0].type", "driver")
    browser.click(GO)
    browser.until(f"{at('sensors[0].driver')}.includes('missing')")
    browser.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    browser.evaluate(
        "document.querySelectorAll('.group [type=checkbox]').forEach((e) => e.click())"
    )
    is_for_everybody(browser)
