"""The node's own page, and how long it is there."""

from __future__ import annotations

import json
import random
import socket
import sys
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from rigs.garbage import Garbage, no_collection
from rigs.portal import (
    GOOD,
    HOST,
    TITLE,
    TOKEN,
    dns_query,
    form,
    portal,
    post,
    respond,
    send,
)
from rigs.portal_board import (
    DNS_PORT,
    GET,
    HTTP_PORT,
    LOOPBACK,
    Asleep,
    Opening,
    form_of,
    submit,
)

import firmware.portal
from firmware.portal import page
from firmware.portal.run import rest


@pytest.fixture(autouse=True)
def board_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the board's files lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(name: str) -> Any:
    path = Path(name + ".json")
    return json.loads(path.read_text()) if path.exists() else None


# The page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "probe",
    [
        b"GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\n\r\n",
        b"GET /hotspot-detect.html HTTP/1.0\r\nHost: captive.apple.com\r\n\r\n",
        b"GET /connecttest.txt HTTP/1.1\r\nHost: www.msftconnecttest.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"GET /favicon.ico HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_a_phone_asks_elsewhere_leads_to_the_page(probe: bytes) -> None:
    to = portal()
    line, headers, text = respond(to, probe)
    assert line.startswith(b"302") and headers == b"Location: http://192.168.4.1/\r\n" and not text
    assert to.visits == 0  # A phone left there does not keep the access point open.


def test_nothing_of_a_name_becomes_html() -> None:
    made = form()
    evil = "<script>\"'&</script>"
    made.networks = [(evil, -50, False)]
    made.submit({**GOOD, "ssid": evil, "host": evil, "node": evil, "user": evil})
    text = "".join(page.pieces(made, TOKEN, evil, evil)) + "".join(page.done(made, evil))
    assert "<script" not in text and text.count("&lt;script&gt;") >= 6
    assert 'value="&lt;script&gt;&quot;' in text


@pytest.mark.parametrize("token", ["", "0123456789abcdee"])
def test_a_form_of_another_site_is_refused(token: str) -> None:
    to = portal()
    line, text = send(to, token=token)
    assert line.startswith(b"403") and "too old" in text and TOKEN in text
    assert not to.saved and stored("config") is None


def test_no_password_comes_back_whatever_is_wrong() -> None:
    secrets = {
        "wifi": [{"ssid": "Home", "password": "stored-1"}],
        "mqtt": {"password": "stored-2"},
    }
    to = portal(form({}, secrets))
    shown = respond(to, b"GET / HTTP/1.1\r\n\r\n")[2]
    for change in ({"node": "-!"}, {"token": ""}, {"do": "scan"}, {"key": "typed-1 "}, {}):
        shown += send(to, **{"key": "typed-11", "secret": "typed-22", **change})[1]
    assert "stored-" not in shown and "typed-" not in shown


def test_searching_again_keeps_what_was_typed_and_stores_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    to = portal()
    line, text = send(to, do="scan", host="10.9.8.7")
    assert line == b"200 OK" and "10.9.8.7" in text and "Nothing is stored" not in text
    assert stored("config") is None

    def broken() -> Any:
        raise OSError(5)

    to._scan = broken
    assert "Home" in send(to, do="scan")[1]
    assert "set-up: no scan" in capsys.readouterr().out
    to._scan = lambda: [(b"Barn", -60, False)]
    text = send(to, do="scan")[1]
    assert "Barn" in text and "Home" not in text.replace('value="Home"', "")


def test_what_is_saved_is_said_and_nothing_can_be_changed_after() -> None:
    to = portal()
    line, text = send(to)
    assert line == b"200 OK" and "<h1>Saved</h1>" in text
    assert "fieldpost/kitchen/telemetry" in text and "fieldpost-2f35" in text
    assert stored("config")["node"] == "kitchen"
    assert stored("setup") == {"title": "fieldpost-2f35"}
    assert "<h1>Saved</h1>" in send(to, node="other")[1]
    assert stored("config")["node"] == "kitchen"


def test_a_flash_that_does_not_take_the_settings_is_told_and_nothing_counts_as_saved(
    board_files: Path,
) -> None:
    (board_files / "setup.json.new").mkdir()  # so that nothing can be written there
    to = portal()
    line, text = send(to)
    assert line == b"507 Insufficient Storage" and not to.saved
    # The reason stands there, as the port has it.
    assert "The board&#39;s flash does not take it: [Errno 21]" in text.replace("'", "&#39;")
    assert stored("config") is None and stored("secrets") is None


def test_each_look_at_the_page_is_a_visit() -> None:
    to = portal()
    respond(to, b"GET / HTTP/1.1\r\n\r\n")
    assert to.visits == 1
    send(to, node="!")
    assert to.visits == 2


def test_between_two_visits_the_page_takes_no_memory() -> None:
    to = portal()
    respond(to, b"GET / HTTP/1.1\r\n\r\n")
    send(to)
    for name in ("page", "first_connection"):
        assert "firmware.portal." + name not in sys.modules
        assert not hasattr(firmware.portal, name)


@pytest.mark.parametrize(("host", "told"), [("localhost", 1), ("127.0.0.1", 1), ("10.0.0.1", 0)])
def test_a_broker_that_is_the_board_itself_is_warned_of(host: str, told: int) -> None:
    assert send(portal(), host=host)[1].count("that is the board itself") == told


def test_any_body_is_answered(board_files: Path) -> None:
    rng = random.Random(3)
    to = portal()
    good = urlencode({**GOOD, "node": "!"}).encode()
    for _ in range(100):
        body = bytearray(good)
        for _ in range(rng.randrange(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        line, _, text = respond(to, post(bytes(body)))
        assert line[:3] in (b"200", b"403", b"422") and text.endswith("</form>")
    assert list(board_files.iterdir()) == []


# The opening ------------------------------------------------------------------------------------


@pytest.fixture
def opening() -> Opening:
    """On a board that has run for a day."""
    return Opening(86_400_000)


def test_the_access_point_closes_after_ten_minutes_without_a_visitor(opening: Opening) -> None:
    assert opening.run() is False
    assert opening.time.elapsed_ms == 600_000
    assert not opening.board.point.radio_is_on and opening.board.point.opened is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, opening.sockets.port(HTTP_PORT)), 1)
    assert opening.said("nobody came, the access point is closed") == [600_000]


def test_the_console_says_every_half_minute_how_to_get_in(opening: Opening) -> None:
    opening.phones.at(5000, lambda: keep(opening.board.point.opened))
    kept: list[Any] = []

    def keep(opened: Any) -> None:
        kept.append(opened)

    opening.run()
    title, password = kept[0]
    said = [line for _, line in opening.lines[:-1]]
    assert set(said) == {
        f"set-up: join the Wi-Fi network {title} with the password {password}, "
        "then open http://192.168.4.1/"
    }
    assert title == "fieldpost-2f35" and len(password) == 14
    assert opening.said("join") == list(range(0, 600_000, 30_000))
    # Only the console has the password: what is kept of the log may go to the broker.
    assert not any("password" in line for line in opening.log.lines)


def test_a_port_that_browsers_would_not_guess_is_part_of_the_address(opening: Opening) -> None:
    opening.board.point.http_port = 8080
    opening.run()
    assert opening.lines[0][1].endswith("then open http://192.168.4.1:8080/")


def test_a_visitor_has_ten_more_minutes_but_not_for_ever(opening: Opening) -> None:
    opening.phones.at(500_000, lambda: GET)
    assert opening.run() is False
    assert opening.time.elapsed_ms == 1_100_000


def test_after_half_an_hour_it_closes_whoever_is_there(opening: Opening) -> None:
    for at_ms in range(300_000, 9_000_000, 300_000):
        opening.phones.at(at_ms, lambda: GET)
    assert opening.run() is False
    assert opening.time.elapsed_ms == 1_800_000


def test_who_takes_the_page_at_the_last_moment_is_a_visitor(opening: Opening) -> None:
    # Its request is whole a moment later, when ten minutes are over.
    opening.phones.at(599_900, lambda: GET)
    opening.run()
    assert opening.time.elapsed_ms > 1_190_000


def test_the_page_shows_what_the_board_hears_and_how_it_is_reached(opening: Opening) -> None:
    opening.board.point.in_range = [(b"Barn", -70, False), (b"Home", -50, True)]
    opening.phones.at(1000, lambda: GET)
    opening.phones.at(2000, lambda: GET.replace(HOST.encode(), b"example.org"))
    opening.run()
    text, elsewhere = (got.decode() for _, got in opening.phones.answers)
    assert text.index("Home") < text.index("Barn") and TITLE in text
    assert "Location: http://192.168.4.1/\r\n" in elsewhere


def test_a_name_that_a_phone_looks_up_leads_to_the_board(opening: Opening) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:

        def ask() -> None:
            phone.sendto(dns_query("a.org"), (LOOPBACK, opening.sockets.port(DNS_PORT)))

        opening.phones.at(1000, ask)
        opening.run()
        phone.settimeout(1)
        assert phone.recv(512)[-4:] == b"\xc0\xa8\x04\x01"


def test_an_access_point_that_answers_no_names_needs_none(opening: Opening) -> None:
    opening.board.point.dns_port = 0
    opening.phones.at(1000, lambda: GET)
    opening.run()
    assert opening.phones.answers
    assert not [one for one in opening.sockets.made if one.type == socket.SOCK_DGRAM]


def test_the_last_page_arrives_before_the_access_point_closes(opening: Opening) -> None:
    submit(opening, 100_000)
    assert opening.run() is True
    at_ms, got = opening.phones.answers[1]
    assert at_ms == 100_000 and b"<h1>Saved</h1>" in got
    # What of the page was lost on the way has two seconds to be sent again.
    assert opening.time.elapsed_ms == 102_000
    assert stored("secrets")["wifi"][0]["password"] == "correct horse"
    assert opening.said("set-up: saved") == [102_000]
    assert not any("correct horse" in line for _, line in opening.lines)


def test_a_page_that_is_asked_for_over_and_over_does_not_keep_the_node(opening: Opening) -> None:
    submit(opening, 100_000)
    for at_ms in range(101_000, 200_000, 1000):
        opening.phones.at(at_ms, lambda: GET)
    assert opening.run() is True
    assert opening.time.elapsed_ms == 115_000


def test_once_saved_nobody_is_told_any_more_how_to_get_in(opening: Opening) -> None:
    submit(opening, 29_000)
    opening.run()
    assert opening.said("join") == [0] and opening.time.elapsed_ms > 30_000


def test_the_form_of_an_opening_before_is_refused(opening: Opening) -> None:
    old: list[bytes] = []
    opening.phones.at(1000, lambda: GET)
    opening.phones.at(2000, lambda: old.append(form_of(opening)))
    opening.run()
    again_ms = opening.time.elapsed_ms + 1000
    opening.phones.at(again_ms, lambda: old[0])
    assert opening.run() is False
    assert opening.phones.answers[-1][1].startswith(b"HTTP/1.1 403 Forbidden")


def test_the_led_is_a_second_on_and_a_second_off_and_dark_at_the_end(opening: Opening) -> None:
    submit(opening, 101_000)
    opening.run()
    lit = opening.board.lit
    assert lit[:4] == [(0, True), (1000, False), (2000, True), (3000, False)]
    assert lit[-2:] == [(102_000, True), (103_000, False)]


def test_a_board_whose_led_is_to_be_dark_shows_nothing(opening: Opening) -> None:
    opening.run(has_led=False)
    assert opening.board.lit == []


def test_the_password_stays_from_opening_to_opening(opening: Opening) -> None:
    opening.run()
    opening.run()
    assert len({line for _, line in opening.lines if "with the password" in line}) == 1
    # Eight bytes that nobody can guess, so no two boards have the same.
    assert Path("setup.key").read_bytes() == b"\0\0\0\1\0\0\0\2"


def test_a_flash_that_takes_no_password_opens_the_page_all_the_same(
    opening: Opening, board_files: Path
) -> None:
    (board_files / "setup.key.new").mkdir()
    opening.run()
    assert opening.said("join") and not Path("setup.key").exists()


# A node that has settings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "title", "country"),
    [
        ({"node": "kitchen", "wifi": {"country": "DE"}}, "fieldpost-kitchen", "DE"),
        ({"node": "k" * 32, "wifi": 5}, "fieldpost-" + "k" * 22, None),
        ({}, "fieldpost-2f35", None),
        ([], "fieldpost-2f35", None),
    ],
)
def test_a_node_that_has_a_name_opens_under_it_by_the_rules_of_its_country(
    opening: Opening, config: Any, title: str, country: str | None
) -> None:
    Path("config.json").write_text(json.dumps(config))
    opening.run()
    assert opening.lines[0][1].split()[5] == title and len(title) <= 32  # IEEE 802.11
    assert opening.board.point.country == country


def test_what_the_node_knows_stands_in_the_fields(opening: Opening) -> None:
    Path("config.json").write_text('{"node": "kitchen", "mqtt": {"host": "10.0.0.1"}}')
    Path("secrets.json").write_text('{"wifi": [{"ssid": "Home", "password": "former-1"}]}')
    opening.phones.at(1000, lambda: GET)
    opening.run()
    text = opening.phones.answers[0][1].decode()
    assert 'value="kitchen"' in text and 'value="10.0.0.1"' in text
    assert 'value="Home" checked' in text and "former-1" not in text


@pytest.mark.parametrize("name", ["config.json", "secrets.json"])
def test_a_file_that_flash_does_not_give_is_not_replaced(
    opening: Opening, board_files: Path, name: str
) -> None:
    (board_files / name).mkdir()
    with pytest.raises(OSError):
        opening.run()
    assert opening.lines == []


# A radio that does not ---------------------------------------------------------------------------


def test_a_radio_that_opens_none_is_told_and_ends_it(opening: Opening) -> None:
    opening.board.point.error = OSError(5, "no radio")
    assert opening.run() is False
    assert [line.split(None, 1)[1] for _, line in opening.lines] == [
        "set-up: no access point ([Errno 5] no radio)"
    ]
    assert not opening.board.point.radio_is_on


def test_a_port_that_is_taken_is_told_and_ends_it(opening: Opening) -> None:
    opening.run()
    with socket.create_server((LOOPBACK, opening.sockets.port(HTTP_PORT))):
        assert opening.run() is False
    assert "no access point" in opening.lines[-1][1]
    assert not opening.board.point.radio_is_on


# After it ---------------------------------------------------------------------------------------


def test_the_node_that_starts_then_has_the_memory_of_the_page(
    opening: Opening,
) -> None:
    left: list[weakref.ref[Garbage]] = []
    opening.phones.at(599_000, lambda: left.append(weakref.ref(Garbage())))
    with no_collection():
        opening.run()
        assert left[0]() is None


def test_a_board_without_settings_stays_an_hour_at_its_console_and_then_sleeps(
    opening: Opening,
) -> None:
    with pytest.raises(Asleep) as slept:
        rest(opening.board, opening.clock, opening.log)
    # As long as a small integer has milliseconds: twelve days.
    assert slept.value.args == (2**30 - 1,)
    assert opening.said("Press RESET") == list(range(0, 3_600_000, 30_000))
    assert opening.said("asleep until RESET") == [3_600_000]


def test_a_board_without_settings_that_wakes_sleeps_again_at_once(opening: Opening) -> None:
    opening.board.cause = "deep-sleep"
    with pytest.raises(Asleep):
        rest(opening.board, opening.clock, opening.log)
    assert opening.time.elapsed_ms == 0
    assert len(opening.lines) == 1 and opening.said("asleep until RESET")
