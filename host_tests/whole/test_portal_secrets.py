"""Nothing that was typed into the node's own page comes out of the node again."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from rigs.leaks import LOGIN, USER, WIFI, ask_for_everything, leaks, node_files
from rigs.portal import ask_page, token_of
from rigs.tls import HOST, INTERPRETERS, need, wait_until

from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker, free_port
from fieldpost.mqtt.client import Connection
from fieldpost.node_process import Interpreter, NodeProcess
from firmware.board import unix


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_nodes_own_page_never_shows_what_was_typed_into_it(
    tmp_path: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(interpreter)
    page = free_port()
    monkeypatch.setenv("FIELDPOST_UNIX_PORTAL", str(page))
    monkeypatch.setenv("FIELDPOST_UNIX_NETWORKS", json.dumps([["home", -50, WIFI]]))
    folder = tmp_path / "node"
    folder.mkdir()
    lines: list[str] = []
    shown, heard = "", []
    node = NodeProcess(folder, lines.append, interpreter)

    def opened(times: int) -> bool:
        return wait_until(lambda: sum("with the password" in one for one in lines) >= times, 20)

    def restart() -> None:
        assert wait_until(lambda: node.status == unix.EXIT_RESTART, 20), lines
        node.start()

    with Broker(users={USER: LOGIN}) as broker:
        good = {"ssid": "home", "key": WIFI, "host": HOST, "port": str(broker.port)}
        good |= {"user": USER, "secret": LOGIN, "node": "kitchen"}
        (folder / "config.json").write_text(json.dumps(node_files(broker.port)[0]))
        try:
            node.start()
            assert opened(1), lines
            shown += ask_page(page)
            token = token_of(shown)
            for wrong in ({"node": "-!"}, {"token": "x"}, {"do": "scan"}, {"user": ""}):
                shown += ask_page(page, **{**good, "token": token, **wrong})
            # A password that the network refuses, and then a login that the broker refuses.
            for times, wrong in ((2, {"key": WIFI + "x"}), (3, {"secret": LOGIN + "x"})):
                shown += ask_page(page, **{**good, "token": token, **wrong})
                restart()
                restart()
                assert opened(times), lines
                shown += ask_page(page)
                token = token_of(shown)
            shown += ask_page(page, **{**good, "token": token})
            restart()
            assert wait_until(lambda: any("link: up" in line for line in lines), 20), lines
            url = broker.url.replace("//", f"//{USER}:{quote(LOGIN, safe='')}@")
            listener = Connection(
                mqtt_url.parse(url), on_message=lambda m: heard.append((m.topic, bytes(m.payload)))
            )
            listener.open()
            listener.subscribe("#", 1)
            ask_for_everything(listener, heard)
            assert wait_until(lambda: any(b'"outbox"' in payload for _, payload in heard), 20)
            listener.close()
        finally:
            node.kill()
    for told in ("to the network: wrong password", "to the broker: ", "<h1>Saved</h1>"):
        assert told in shown
    published = b"\n".join(topic.encode() + b" " + payload for topic, payload in heard)
    console = "\n".join(lines)
    opening = next(line for line in lines if "with the password" in line)
    assert leaks(published, opening.split("password ")[1].split(",")[0]) == []
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert leaks(kept.pop(folder / "secrets.json"), WIFI)
    for said in (shown, console, published, *kept.values()):
        assert leaks(said, WIFI, LOGIN) == []
