"""The page is for this machine, or for who has the token; no other page can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rigs.serving import OWN, Parts
from starlette.websockets import WebSocketDisconnect

COMMAND = {"do": "identify"}
TOKEN = "made-up-for-this-test"


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def command(parts: Parts, headers: dict[str, str], **who: Any) -> int:
    answer = parts.client(**who).post("/api/nodes/n/commands", json=COMMAND, headers=headers)
    return answer.status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8470", "", "10.0.0.7:8470"]
)
def test_a_name_that_was_made_to_lead_here_gets_nothing(parts: Parts, host: str) -> None:
    for path in ("/", "/api/nodes", "/api/live", "/page/main.js"):
        assert parts.client().get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8470", "localhost:8470", "localhost", "[::1]:8470"])
def test_the_names_of_this_machine_are_taken(parts: Parts, host: str) -> None:
    assert parts.client().get("/api/nodes", headers={"host": host}).status_code == 200


def test_another_page_can_command_no_node(parts: Parts) -> None:
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "https://127.0.0.1:8470",
    ):
        assert command(parts, {**OWN, "origin": origin}) == 403
    # What a form or a simple request can send.
    assert command(parts, {}) == 403
    client = parts.client()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post(
            "/api/nodes/n/commands",
            content=b'{"do":"identify"}',
            headers={**OWN, "content-type": kind},
        )
        assert answer.status_code == 415
    assert parts.orders.asked == []
    assert command(parts, {**OWN, "origin": "http://127.0.0.1:8470"}) == 200
    assert len(parts.orders.asked) == 1


def test_no_answer_lets_another_page_read_it_or_show_it_in_a_frame(parts: Parts) -> None:
    for path in ("/", "/api/nodes", "/page/style.css", "/nothing"):
        headers = parts.client().get(path, headers={"origin": "http://evil.example"}).headers
        assert not [name for name in headers if name.startswith("access-control")]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert parts.client().get("/api/nodes").headers["cache-control"] == "no-store"


def test_a_preflight_is_not_answered_with_leave(parts: Parts) -> None:
    answer = parts.client().options(
        "/api/nodes/n/commands",
        headers={"origin": "http://evil.example", "access-control-request-method": "POST"},
    )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_with_a_token_nobody_else_comes_in(parts: Parts) -> None:
    client = parts.client(names=None, token=TOKEN)
    for path in ("/", "/api/nodes", "/api/live", "/page/main.js"):
        assert client.get(path).status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/", headers={"cookie": "fieldpost=wrong"}).status_code == 401
    assert command(parts, OWN, names=None, token=TOKEN) == 401
    assert parts.orders.asked == []
    answer = client.get("/api/nodes", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200


def test_the_token_leaves_the_address_for_a_cookie_that_no_script_reads(parts: Parts) -> None:
    client = parts.client(names=None, token=TOKEN)
    # A path that would lead elsewhere does not.
    answer = client.get(f"//evil.example/?token={TOKEN}", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert client.get("/api/nodes").status_code == 200


def test_a_cookie_of_our_own_page_is_no_leave_for_another(parts: Parts) -> None:
    cookie = {"cookie": f"fieldpost={TOKEN}"}
    headers = {**cookie, **OWN, "origin": "http://evil.example"}
    assert command(parts, headers, names=None, token=TOKEN) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://evil.example", "host": "evil.example"},
    ],
)
def test_a_board_is_lent_to_no_other_page(parts: Parts, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        parts.client().websocket_connect("/api/board", headers=headers),
    ):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        parts.client(names=None, token=TOKEN).websocket_connect(
            "/api/board", headers={"origin": "http://127.0.0.1:8470"}
        ),
    ):
        pass


def test_our_own_page_may_lend_a_board(parts: Parts) -> None:
    own = {"origin": "http://127.0.0.1:8470", "host": "127.0.0.1:8470"}
    with parts.client().websocket_connect("/api/board", headers=own) as board:
        # Answers that are none change nothing on any board.
        board.send_text('{"node": "n"}')
        assert board.receive_json() == {"kind": "failed", "text": "the configuration is missing"}
