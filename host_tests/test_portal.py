"""The page for set-up without a computer: what it takes, what it refuses, what it never does."""

from __future__ import annotations

import json
import random
import socket
import string
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from port_modules import SelectModule, SocketModule
from portal_bench import dns_query, everything, token_of

from fakes.clock import FakeTime
from fakes.flash import FakeFlash
from fakes.flash_file import PowerCut
from firmware import files
from firmware.board import Board
from firmware.clock import Clock
from firmware.loading import check_settings
from firmware.log import Log
from firmware.portal import page, pending
from firmware.portal.form import Form, decode
from firmware.portal.names import answer
from firmware.portal.run import Portal, networks, passphrase, run
from firmware.portal.server import Request, Server

HOST = "192.168.4.1"
TOKEN = "0123456789abcdef"
GOOD = {
    "token": TOKEN,
    "ssid": "Home",
    "other": "",
    "key": "correct horse",
    "host": "192.168.1.10",
    "port": "",
    "user": "",
    "secret": "",
    "node": "kitchen",
}


@pytest.fixture(autouse=True)
def board_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the board's files lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(name: str) -> Any:
    path = Path(name + ".json")
    return json.loads(path.read_text()) if path.exists() else None


# Names ------------------------------------------------------------------------------------------


def test_every_name_leads_to_the_board() -> None:
    for name in ("captive.apple.com", "connectivitycheck.gstatic.com", "a"):
        asked = dns_query(name)
        got = answer(asked, b"\xc0\xa8\x04\x01")
        assert got and got[:2] == asked[:2]
        assert got[2] & 0x81 == 0x81 and got[3] & 0x0F == 0  # an answer, recursion, no error
        assert got[4:12] == b"\0\1\0\1\0\0\0\0"
        assert got[12 : len(asked)] == asked[12:]
        assert got[-4:] == b"\xc0\xa8\x04\x01"


def test_another_type_than_an_address_is_there_and_empty() -> None:
    asked = dns_query("captive.apple.com", 28)
    got = answer(asked, b"\1\2\3\4")
    assert got and got[3] & 0x0F == 0 and got[6:8] == b"\0\0" and got[12:] == asked[12:]


@pytest.mark.parametrize("seed", range(5))
def test_garbage_gets_no_answer_and_raises_nothing(seed: int) -> None:
    rng = random.Random(seed)
    whole = dns_query("captive.apple.com")
    for end in range(len(whole)):
        assert answer(whole[:end], bytes(4)) is None
    assert answer(dns_query("x", flags=b"\x81\x00"), bytes(4)) is None  # an answer is no question
    for _ in range(2000):
        data = bytearray(rng.choice([whole, rng.randbytes(rng.randrange(64))]))
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        got = answer(bytes(data), bytes(4))
        assert got is None or len(got) <= len(data) + 16


# Requests ---------------------------------------------------------------------------------------


def take(data: bytes, cuts: list[int] | None = None) -> tuple[Request, int | None]:
    request, status = Request(None, 0), None
    edges = [0, *sorted(cuts or []), len(data)]
    for start, end in pairwise(edges):
        if status is None and start < end:
            status = request.take(data[start:end])
    return request, status


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST / HTTP/1.1", f"Host: {HOST}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_request_is_the_same_however_it_is_cut() -> None:
    rng = random.Random(1)
    data = post(urlencode(GOOD).encode(), "Cookie: " + "x" * 5000, "User-Agent: y")
    for _ in range(50):
        request, status = take(data, [rng.randrange(len(data)) for _ in range(rng.randrange(9))])
        assert status == 200
        assert (request.method, request.path, request.host) == (b"POST", b"/", HOST.encode())
        assert decode(request.body) == GOOD


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\n\n", 400),  # TLS
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 12345678901\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000, 431),
        (b"x" * 20000, 431),
        (post(b"x" * 5000), 413),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n", 200),
        (b"\r\nGET /a?b=c HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: x", None),
    ],
)
def test_what_is_out_of_bounds_is_refused(data: bytes, status: int | None) -> None:
    request, got = take(data)
    assert got == status
    assert len(request.body) <= 4096


@pytest.mark.parametrize("seed", range(5))
def test_no_bytes_raise_anything_but_a_status(seed: int) -> None:
    rng = random.Random(seed)
    good = post(urlencode(GOOD).encode())
    for _ in range(500):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        _, status = take(bytes(data), [rng.randrange(len(data))])
        assert status in (None, 200, 400, 411, 413, 431)


# The server -------------------------------------------------------------------------------------


class Hosted:
    """A server on the loopback that steps in a thread; what it asks is answered with `pieces`."""

    def __init__(self, respond: Callable[[Any], Any], clock: Any = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        clock = clock or Clock(Board().time)
        self.server = Server(SocketModule, SelectModule, clock, "127.0.0.1", self.port, respond)
        self._stop = False
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop:
            self.server.step(20)

    def __enter__(self) -> Hosted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join(5)
        self.server.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def ask(self, data: bytes = b"GET / HTTP/1.1\r\n\r\n") -> bytes:
        with self.connect() as sock:
            sock.sendall(data)
            return everything(sock)


def hello(_: Any) -> tuple[bytes, bytes, Iterator[str]]:
    return b"200 OK", b"", iter(["x" * 100] * 2000)


def test_connections_that_say_nothing_keep_nobody_out() -> None:
    with Hosted(hello) as hosted:
        silent = [hosted.connect() for _ in range(12)]
        assert len(hosted.ask()) > 200_000
        for sock in silent:
            sock.close()


def test_a_slow_reader_and_a_slow_writer_are_dropped_in_time_and_hold_nobody_up() -> None:
    late = Clock(Board().time)
    skipped_ms = 0
    real_ms = late.uptime_ms
    late.uptime_ms = lambda: real_ms() + skipped_ms
    with Hosted(lambda _: (b"200 OK", b"", iter(["x" * 1000] * 20_000)), late) as hosted:
        reader, writer = hosted.connect(), hosted.connect()
        reader.sendall(b"GET / HTTP/1.1\r\n\r\n")
        writer.sendall(b"GET / HT")
        assert len(hosted.ask()) > 1_000_000
        skipped_ms = 9000
        writer.settimeout(5)
        assert writer.recv(1) == b""
        got = b""
        try:
            got = everything(reader)
        except ConnectionResetError:
            pass
        assert len(got) < 20_000_000
        reader.close()
        writer.close()


def test_a_body_that_is_too_large_gets_its_answer_and_not_a_reset() -> None:
    with Hosted(hello) as hosted:
        assert hosted.ask(post(b"x" * 60_000)).startswith(b"HTTP/1.1 413 Content Too Large")


# What was typed ---------------------------------------------------------------------------------


def form(config: Any = None, secrets: Any = None) -> Any:
    made: Any = Form(config or {}, secrets or {}, check_settings, "node-1234")
    made.networks = [("Home", -50, False), ("Open", -60, True)]
    return made


def submitted(change: dict[str, str], config: Any = None, secrets: Any = None) -> Any:
    made = form(config, secrets)
    found = made.submit({**GOOD, **change})
    return found if found else made.errors


def test_a_bare_board_gets_the_two_files() -> None:
    config, secrets = submitted({})
    assert config == {"node": "kitchen", "mqtt": {"host": "192.168.1.10"}}
    assert secrets == {"wifi": [{"ssid": "Home", "password": "correct horse"}]}
    assert check_settings(config, secrets)[1] == []


def test_whatever_else_the_node_knows_is_kept() -> None:
    config = {
        "node": "old",
        "sample_s": 5,
        "mqtt": {"host": "10.0.0.1", "port": 1884, "base": "farm"},
        "sensors": [{"type": "dht", "pin": 4}],
    }
    secrets = {
        "wifi": [
            {"ssid": "Barn", "password": "barn-barn"},
            {"ssid": "Home", "password": "former1"},
        ],
        "mqtt": {"user": "ann", "password": "broker-word"},
    }
    before = json.dumps([config, secrets])
    made = form(config, secrets)
    assert made.values == {"ssid": "Barn", "host": "10.0.0.1", "port": "1884", "node": "old"}
    new_config, new_secrets = made.submit({**GOOD, "host": "10.0.0.1", "port": "1884"})
    assert json.dumps([config, secrets]) == before
    assert made.topic == "farm/kitchen/telemetry"
    assert new_config == {**config, "node": "kitchen"}
    assert new_secrets == {
        "wifi": [{"ssid": "Home", "password": "correct horse"}, secrets["wifi"][0]],
        "mqtt": secrets["mqtt"],
    }


def test_a_stored_password_stays_for_the_same_network_and_broker_alone() -> None:
    config = {"node": "old", "mqtt": {"host": "10.0.0.1"}}
    secrets = {
        "wifi": [{"ssid": "Home", "password": "correct horse"}],
        "mqtt": {"user": "ann", "password": "broker-word"},
    }
    same = {"key": "", "host": "10.0.0.1"}
    assert submitted(same, config, secrets)[1] == secrets
    assert submitted({**same, "user": "ann"}, config, secrets)[1] == secrets
    assert submitted({**same, "user": "bob"}, config, secrets)[1]["mqtt"] == {"user": "bob"}
    assert "mqtt" not in submitted({**same, "host": "10.0.0.2"}, config, secrets)[1]
    assert "mqtt" not in submitted({**same, "port": "1884"}, config, secrets)[1]
    changed = submitted({**same, "user": "bob", "secret": "x"}, config, secrets)[1]
    assert changed["mqtt"] == {"user": "bob", "password": "x"}


def test_an_open_network_needs_no_password_and_another_does() -> None:
    assert submitted({"ssid": "Open", "key": ""})[1]["wifi"][0]["password"] == ""
    assert "has a password" in submitted({"key": ""})["key"]
    hidden = submitted({"ssid": "", "other": " hidden ", "key": ""})
    assert hidden[1]["wifi"] == [{"ssid": " hidden ", "password": ""}]


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"key": "short"}, "key", "a text of 5 characters, must be 8 to 63"),
        ({"ssid": "", "other": ""}, "ssid", "choose one"),
        ({"ssid": "", "other": "x" * 33}, "ssid", "must be 1 to 32"),
        ({"host": ""}, "host", "missing, must be"),
        ({"host": "mqtts://h"}, "host", "without mqtt://"),
        ({"port": "x"}, "port", "from 1 to 65535"),
        ({"port": "0"}, "port", "from 1 to 65535"),
        ({"secret": "word"}, "user", "missing"),
        ({"user": "u" * 129}, "user", "must be"),
        ({"node": "Ki tchen"}, "node", "a-z, 0-9"),
        ({"node": ""}, "node", "1 to 32"),
    ],
)
def test_an_error_stands_at_its_field_and_stores_nothing(
    change: dict[str, str], field: str, told: str
) -> None:
    errors = submitted(change)
    assert list(errors) == [field] and told in errors[field]
    assert "correct horse" not in json.dumps(errors)


def test_an_error_elsewhere_in_the_configuration_is_told_by_its_key() -> None:
    errors = submitted({}, {"node": "x", "sampel_s": 5, "health_s": 1})
    assert list(errors) == [""]
    assert "sampel_s: unknown key" in errors[""] and "health_s: found 1" in errors[""]


def test_what_phones_add_is_taken_away() -> None:
    config, _ = submitted(
        {"host": " mqtt://192.168.1.10/ ", "node": " Kitchen ", "port": " 1883 "}
    )
    assert config == {"node": "kitchen", "mqtt": {"host": "192.168.1.10"}}


def test_any_text_survives_the_form() -> None:
    rng = random.Random(7)
    letters = string.printable + "äß€😀\u2028"
    for _ in range(200):
        fields = {
            "a" + str(n): "".join(rng.choices(letters, k=rng.randrange(20))) for n in range(4)
        }
        assert decode(urlencode(fields).encode()) == fields
    for bad in (b"a=%", b"a=%zz", b"a=%ff", b"%g1=1"):
        with pytest.raises(ValueError):
            decode(bad)
    assert decode(b"") == decode(b"&&x") == {}


def test_networks_are_sorted_named_once_and_printable() -> None:
    found = [
        (b"weak", -80, False),
        (b"both", -70, False),
        (b"", -20, False),
        (b"\xff\xfe", -20, False),
        (b"bell\x07", -20, False),
        ("grün 😀".encode(), -60, True),
        (b"both", -50, False),
        (b"both", -55, False),
    ]
    assert networks(found) == [("both", -50, False), ("grün 😀", -60, True), ("weak", -80, False)]


def test_the_password_of_the_access_point_is_the_boards_own() -> None:
    one = passphrase("e6614c311b5a2f35", b"12345678")
    assert one == passphrase("e6614c311b5a2f35", b"12345678")
    assert 8 <= len(one) <= 63 and set(one) <= set("abcdefghijkmnpqrstuvwxyz23456789-")
    others = {passphrase(f"{n:016x}", b"12345678") for n in range(500)}
    others |= {passphrase("e6614c311b5a2f35", n.to_bytes(8, "big")) for n in range(500)}
    assert len(others | {one}) == 1001


# The page ---------------------------------------------------------------------------------------


def portal(made: Form | None = None, why: str | None = None) -> Portal:
    found = [(b"Home", -50, False)]
    return Portal(made or form(), lambda: found, HOST, "fieldpost-2f35", why, TOKEN, print)


def respond(to: Portal, data: bytes) -> tuple[bytes, bytes, str]:
    request, status = take(data)
    assert status == 200
    line, headers, pieces = to.respond(request)
    return line, headers, "".join(pieces)


def send(to: Portal, **change: str) -> tuple[bytes, str]:
    line, _, text = respond(to, post(urlencode({**GOOD, **change}).encode()))
    return line, text


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


def test_the_last_page_arrives_before_the_access_point_closes(opening: Opening) -> None:
    opening.visits = [(1000, _OWN % opening.port)]

    def then_submit() -> None:
        if opening.answers and len(opening.answers) == 1 and not opening.visits:
            token = token_of(opening.answers[0].decode())
            body = urlencode({**GOOD, "token": token}).encode()
            data = post(body).replace(HOST.encode(), b"127.0.0.1:%d" % opening.port)
            opening.visits = [(0, data)]

    visit = opening.visit
    opening.visit = lambda: (then_submit(), visit())[1]
    assert opening.run() is True
    assert b"<h1>Saved</h1>" in opening.answers[1]
    assert stored("secrets")["wifi"][0]["password"] == "correct horse"
    assert not any("correct horse" in line for line in opening.lines)


def test_the_password_stays_from_opening_to_opening(opening: Opening) -> None:
    opening.run()
    opening.run()
    assert len({line for line in opening.lines if "with the password" in line}) == 1


def test_a_radio_that_opens_none_is_told_and_ends_it(opening: Opening) -> None:
    with socket.create_server(("127.0.0.1", opening.port)):
        assert opening.run() is False
    assert "no access point" in opening.lines[-1]


# The first connection ---------------------------------------------------------------------------

OLD = ({"node": "old"}, {"wifi": "old"})
NEW = ({"node": "new"}, {"wifi": "new"})


def on_flash(flash: FakeFlash, name: str) -> Any:
    data = files.read(name + ".json", flash)
    return json.loads(data) if data else None


def test_a_power_cut_leaves_both_old_files_or_both_new_ones() -> None:
    seen = set()
    for harsh in (False, True):
        for when in ("before", "within", "after"):
            for number in range(1, 60):
                flash = FakeFlash(rng=random.Random(number), harsh=harsh)
                for name, value in zip(("config", "secrets"), OLD, strict=True):
                    files.write_atomic(name + ".json", json.dumps(value).encode(), flash)
                files.write_atomic("trial.json", b"{}", flash)
                flash.cut_at(flash.operations + number, when)
                try:
                    pending.store(*NEW, "fieldpost-2f35", flash)
                except PowerCut:
                    pass
                flash.power_on()
                started = files.read("setup.json", flash) and pending.Pending(flash)
                both = (on_flash(flash, "config"), on_flash(flash, "secrets"))
                seen.add(both == NEW)
                assert both in (OLD, NEW)
                assert bool(started and started.is_open) == (both == NEW)
                assert (on_flash(flash, "trial") is None) == (both == NEW)
                # No password lies about in a third file.
                assert "new" not in str(on_flash(flash, "setup"))
    assert seen == {True, False}


def test_a_flash_that_is_full_keeps_what_there_was() -> None:
    flash = FakeFlash()
    for name, value in zip(("config", "secrets"), OLD, strict=True):
        files.write_atomic(name + ".json", json.dumps(value).encode(), flash)
    flash.write_error = 28
    with pytest.raises(OSError):
        pending.store(*NEW, "x", flash)
    flash.write_error = None
    assert sorted(flash.listdir()) == ["config.json", "secrets.json"]
    assert (on_flash(flash, "config"), on_flash(flash, "secrets")) == OLD


def watched(failure: str | None = None, **link: Any) -> tuple[Any, Any]:
    """The trial of settings that were stored, and the node on which it is."""
    pending.store(*NEW, "fieldpost-2f35")
    station = SimpleNamespace(failure=failure)
    node = SimpleNamespace(
        link=SimpleNamespace(**{"refused": False, "failures": 0, "station": station, **link}),
        settings={"awake_limit_s": 15},
        proven=0,
    )
    node.apply = node.settings.__setitem__
    node.identity = SimpleNamespace(proven=lambda: setattr(node, "proven", 1))
    found = pending.Pending()
    found.watch(node)
    assert node.trial is found and node.settings["awake_limit_s"] == 60
    return found, node


@pytest.mark.parametrize(
    ("happens", "uptime_ms", "told"),
    [
        ({"failure": "wrong password"}, 9000, "to the network: wrong password"),
        ({"refused": True}, 9000, "to the broker: bad user"),
        ({"failures": 3}, 9000, "to the broker: bad user"),
        ({}, 180_000, "to the broker: bad user"),
        ({"failures": 2}, 9000, None),
    ],
)
def test_what_fails_at_first_is_told_on_the_page_of_the_next_start(
    happens: dict[str, Any], uptime_ms: int, told: str | None
) -> None:
    trial, node = watched(**happens)
    assert trial.step(False, uptime_ms, happens.get("failure", "bad user")) is bool(told)
    assert node.proven == bool(told), "a typing error counts as a failed start"
    again = pending.Pending()
    assert again.title == "fieldpost-2f35"
    if told is None:
        assert again.is_open and again.why is None
    else:
        assert told in (again.why or "")
        text = respond(portal(why=again.why), b"GET / HTTP/1.1\r\n\r\n")[2]
        assert told in text
        assert told not in send(portal(why=again.why), node="!")[1]  # It is another matter now.


def test_once_connected_nothing_is_left_of_it() -> None:
    trial, node = watched()
    assert trial.step(True, 5000, None) is False
    assert not trial.is_open and not Path("setup.json").exists()
    assert node.settings["awake_limit_s"] == 15


def test_unreadable_leftovers_open_nothing() -> None:
    for text in ("", "{", "[]", '"x"', "{}", "null"):
        Path("setup.json").write_text(text)
        found = pending.Pending()
        assert not found.is_open and found.why is None
        assert not Path("setup.json").exists()
