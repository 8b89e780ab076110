"""The node's own page, and how long it is there."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from port_modules import SelectModule
from rigs.portal import GOOD, HOST, TOKEN, everything, form, portal, post, respond, send, token_of

from fakes.clock import FakeTime
from firmware.board import Board
from firmware.clock import Clock
from firmware.log import Log
from firmware.portal import page
from firmware.portal.run import run


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


def test_searching_again_keeps_what_was_typed_and_stores_nothing() -> None:
    to = portal()
    line, text = send(to, do="scan", host="10.9.8.7")
    assert line == b"200 OK" and "10.9.8.7" in text and "Nothing is stored" not in text
    assert stored("config") is None

    def broken() -> Any:
        raise OSError(5)

    to._scan = broken
    assert "Home" in send(to, do="scan")[1]


def test_what_is_saved_is_said_and_nothing_can_be_changed_after() -> None:
    to = portal()
    line, text = send(to)
    assert line == b"200 OK" and "<h1>Saved</h1>" in text
    assert "fieldpost/kitchen/telemetry" in text and "fieldpost-2f35" in text
    assert stored("config")["node"] == "kitchen"
    assert stored("setup") == {"title": "fieldpost-2f35"}
    assert "<h1>Saved</h1>" in send(to, node="other")[1]
    assert stored("config")["node"] == "kitchen"


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


class Opening:
    """`run` on the desk's board, in whose time nothing lasts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        monkeypatch.setenv("FIELDPOST_UNIX_PORTAL", str(self.port))
        monkeypatch.setenv("FIELDPOST_UNIX_UID", "e6614c311b5a2f35")
        monkeypatch.setenv("FIELDPOST_UNIX_NETWORKS", '[["Home", -50, "correct horse"]]')
        self.time = FakeTime()
        self.board: Any = Board()
        self.lines: list[str] = []
        self.log = Log(Clock(self.time), self.lines.append)
        self.visits: list[tuple[int, bytes]] = []  # when to ask what
        self.answers: list[bytes] = []
        self.visitor: threading.Thread | None = None
        opening = self

        class Poll(type(SelectModule.poll())):
            def poll(self, timeout_ms: int = -1) -> list[Any]:
                opening.visit()
                if opening.visitor and opening.visitor.is_alive():
                    return super().poll(20)  # A visitor lives in real time.
                found = super().poll(0)
                if not found:
                    opening.time.advance_ms(timeout_ms)
                return found

        self.board.select = type("Select", (SelectModule,), {"poll": Poll})

    def visit(self) -> None:
        if self.visits and self.time.elapsed_ms >= self.visits[0][0]:
            data = self.visits.pop(0)[1]
            self.visitor = threading.Thread(target=self._ask, args=(data,))
            self.visitor.start()

    def _ask(self, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall(data)
            self.answers.append(everything(sock))

    def run(self) -> bool:
        return run(self.board, Clock(self.time), self.log)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Opening:
    return Opening(monkeypatch)


_OWN = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


def test_the_access_point_closes_after_ten_minutes_without_a_visitor(opening: Opening) -> None:
    assert opening.run() is False
    assert 600_000 <= opening.time.elapsed_ms <= 601_000
    said = [line for line in opening.lines if "with the password" in line]
    assert len(said) >= 10 and "fieldpost-2f35" in said[0]
    # Only the console has the password: what is kept of the log may go to the broker.
    assert not any("password" in line for line in opening.log.lines)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", opening.port), 1)
    assert opening.board.radio.state() == "off"


def test_a_visitor_has_ten_more_minutes_but_not_for_ever(opening: Opening) -> None:
    opening.visits = [(500_000, _OWN % opening.port)]
    assert opening.run() is False
    assert 1_100_000 <= opening.time.elapsed_ms <= 1_101_000
    start = opening.time.elapsed_ms
    every = range(start + 300_000, start + 9_000_000, 300_000)
    opening.visits = [(at, _OWN % opening.port) for at in every]
    assert opening.run() is False
    assert 1_800_000 <= opening.time.elapsed_ms - start <= 1_801_000


def submit(opening: Opening, reloads: Sequence[int] = ()) -> None:
    """Ask for the page and send its form; and ask again so many ms after that."""
    opening.visits = [(1000, _OWN % opening.port)]

    def then_submit() -> None:
        if opening.answers and len(opening.answers) == 1 and not opening.visits:
            token = token_of(opening.answers[0].decode())
            body = urlencode({**GOOD, "token": token}).encode()
            data = post(body).replace(HOST.encode(), b"127.0.0.1:%d" % opening.port)
            opening.visits = [(0, data), *((1000 + at, _OWN % opening.port) for at in reloads)]

    visit = opening.visit
    opening.visit = lambda: (then_submit(), visit())[1]


def test_the_last_page_arrives_before_the_access_point_closes(opening: Opening) -> None:
    submit(opening)
    assert opening.run() is True
    assert b"<h1>Saved</h1>" in opening.answers[1]
    assert stored("secrets")["wifi"][0]["password"] == "correct horse"
    assert not any("correct horse" in line for line in opening.lines)


def test_a_page_that_is_asked_for_over_and_over_does_not_keep_the_node(opening: Opening) -> None:
    submit(opening, range(1000, 100_000, 1000))
    assert opening.run() is True
    assert 15_000 <= opening.time.elapsed_ms <= 18_000


def test_the_password_stays_from_opening_to_opening(opening: Opening) -> None:
    opening.run()
    opening.run()
    assert len({line for line in opening.lines if "with the password" in line}) == 1


def test_a_radio_that_opens_none_is_told_and_ends_it(opening: Opening) -> None:
    with socket.create_server(("127.0.0.1", opening.port)):
        assert opening.run() is False
    assert "no access point" in opening.lines[-1]
