"""The page in a real browser, served by MicroPython: from a bare board to readings at a broker."""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from rigs.browser import Browser
from rigs.port_node import PortNode, Witness, configuration, wait_until
from rigs.portal import ask_page, dns_query, everything, token_of

from fieldpost.mqtt.brokers import Broker, free_port

NETWORKS = [
    ["FRITZ!Box 7590 <b>\"'&", -71, "correct horse"],
    ["Greenhouse", -48, "battery staple"],
    ["Café ☕ 😀", -63, ""],
]
CHIP = "e6614c311b5a2f35"
TITLE = "fieldpost-2f35"


class Fresh(PortNode):
    """A node that has an access point on the loopback. `page`: its port there."""

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any] | None = None,
        more: str = "",
        **environment: str,
    ) -> None:
        self.page = free_port()
        super().__init__(
            folder,
            None,
            FIELDPOST_UNIX_PORTAL=f"{self.page}{more}",
            FIELDPOST_UNIX_NETWORKS=json.dumps(NETWORKS, ensure_ascii=False),
            FIELDPOST_UNIX_UID=CHIP,
            **environment,
        )
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config))

    def restarted(self) -> None:
        """It asked for a restart, as a board would make it, and gets it."""
        assert self.status() == 3, self.lines[-5:]
        self.start()


def fill_in(browser: Browser, **fields: str) -> None:
    for name, text in fields.items():
        browser.type(name, text)


@pytest.mark.slow
def test_a_bare_board_is_set_up_with_a_phone_alone(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with (
        Broker(users={"ann": "le%tt&er=s+ 1"}) as broker,
        Fresh(folder) as node,
        Browser(tmp_path / "profile", node.page, without_script=True) as browser,
    ):
        node.says(f"join the Wi-Fi network {TITLE} with the password ")
        # What a phone asks to find out whether there is an Internet shows the page.
        browser.open("http://captive.apple.com/hotspot-detect.html")
        assert browser.url() == f"http://127.0.0.1:{node.page}/"
        said = browser.text()
        places = [said.index(one[0]) for one in NETWORKS]
        assert places[1] < places[2] < places[0], "the strongest first"
        assert browser.value("node") == "node-2f35"
        assert browser.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden])')].every(e => e.labels[0])"
        )
        # Too large for the phone's width is nothing.
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")

        browser.evaluate("document.querySelectorAll('input[name=ssid]')[2].click()")
        fill_in(browser, key="short", host="127.0.0.1", port=str(broker.port), user="ann")
        fill_in(browser, secret="le%tt&er=s+ 1", node="Kitchen!")
        browser.press("button")
        said = browser.text()
        assert "text of 5 characters" in said and 'Found "kitchen!"' in said
        assert not (folder / "secrets.json").exists()
        kept = {one: browser.value(one) for one in ("host", "port", "user", "key", "secret")}
        assert kept == {
            "host": "127.0.0.1",
            "port": str(broker.port),
            "user": "ann",
            "key": "",
            "secret": "",
        }
        invalid = "[...document.querySelectorAll('[aria-invalid]')].map(e => e.name).join()"
        assert browser.evaluate(invalid) == "key,node"
        assert (
            browser.evaluate("document.querySelector('[name=ssid]:checked').value")
            == (NETWORKS[0][0])
        )

        fill_in(browser, key="correct horse", secret="le%tt&er=s+ 1", node="kitchen")
        browser.enter()
        said = browser.text()
        assert "Saved" in said and "fieldpost/kitchen/telemetry" in said
        node.restarted()
        node.says("link: up")
        node.says("delivered")
        assert not (folder / "setup.json").exists()
        assert json.loads((folder / "secrets.json").read_text()) == {
            "wifi": [{"ssid": NETWORKS[0][0], "password": "correct horse"}],
            "mqtt": {"user": "ann", "password": "le%tt&er=s+ 1"},
        }
        assert node.interrupt() == 0


@pytest.mark.slow
def test_settings_that_do_not_connect_open_the_page_again_and_it_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with Broker() as broker, Witness(broker.port) as witness:
        config = configuration(broker.port, node="port", home_assistant=None)
        with (
            Fresh(folder, config) as node,
            Browser(tmp_path / "profile", node.page) as browser,
        ):
            node.says("join the Wi-Fi network fieldpost-port")
            browser.open("http://connectivitycheck.gstatic.com/generate_204")
            browser.choose("ssid", "Greenhouse")
            fill_in(browser, key="battery-stable")
            browser.press("button")
            assert "Saved" in browser.text()
            node.restarted()
            node.says("link: wrong password")
            node.restarted()
            node.says("join the Wi-Fi network fieldpost-port", times=2)
            browser.open("http://example.org/")
            assert "Could not connect to the network: wrong password" in browser.text()
            chosen = "document.querySelector('[name=ssid]:checked').value"
            assert browser.evaluate(chosen) == "Greenhouse"
            assert "battery-stable" not in browser.source()
            fill_in(browser, key="battery staple")
            browser.press("button")
            node.restarted()
            wait_until(lambda: len(witness.keys()) >= 2)
            assert node.interrupt() == 0
    assert json.loads((folder / "config.json").read_text()) == config


# Without a browser ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_battery_node_sees_its_first_connection_through(tmp_path: Path) -> None:
    """Its wakes end at the first failure, and what it typed wrong would never be told."""
    with Broker() as broker, Witness(broker.port) as witness:
        config = configuration(broker.port, mode="duty_cycle", awake_limit_s=3, deliver_every=5)
        with Fresh(tmp_path / "node", config) as node:
            node.says("with the password")
            form = {"ssid": "Greenhouse", "host": "127.0.0.1", "port": str(broker.port)}
            form |= {"node": "port", "token": token_of(ask_page(node.page))}
            assert "Saved" in ask_page(node.page, **form, key="battery-stable")
            node.restarted()
            node.restarted()
            node.says("with the password", times=2)
            said = ask_page(node.page)
            assert "Could not connect to the network: wrong password" in said
            form["token"] = token_of(said)
            assert "Saved" in ask_page(node.page, **form, key="battery staple")
            node.restarted()
            node.says("asleep for")
            assert witness.keys() and not (tmp_path / "node" / "setup.json").exists()
            assert node.interrupt() == 0


def test_a_button_opens_it_and_without_a_visitor_the_node_starts(tmp_path: Path) -> None:
    with Broker() as broker, Witness(broker.port) as witness:
        config = configuration(broker.port, setup_pin=15)
        with Fresh(tmp_path / "node", config, ",0,700", FIELDPOST_UNIX_HELD="15") as node:
            secrets = {"wifi": [{"ssid": "Greenhouse", "password": "battery staple"}]}
            node.cut_power()
            (tmp_path / "node" / "secrets.json").write_text(json.dumps(secrets))
            node.start()
            node.says("join the Wi-Fi network fieldpost-port")
            node.says("nobody came, the access point is closed")
            wait_until(lambda: len(witness.keys()) >= 1)
            assert node.interrupt() == 0
        with Fresh(tmp_path / "node", config, ",0,700", FIELDPOST_UNIX_HELD="14") as node:
            node.says("ready: ")
            assert not any("set-up" in line for line in node.lines)


def test_without_settings_and_visitors_it_says_what_to_do(tmp_path: Path) -> None:
    with Fresh(tmp_path / "node", None, ",0,300") as node:
        node.says("nobody came, the access point is closed")
        node.says("Press RESET for the access point, or Ctrl-C here")
        assert node.interrupt() == 0
    # After an hour it sleeps, and a wake from that sleep is no reason to open anything.
    woken = {"FIELDPOST_UNIX_RESET_CAUSE": "deep-sleep"}
    with Fresh(tmp_path / "node", None, ",0,300", **woken) as node:
        node.says("asleep until RESET")
        assert not any("access point is closed" in line for line in node.lines)


@pytest.mark.parametrize("name", ["config.json", "secrets.json"])
def test_a_file_that_somebody_has_to_repair_is_not_replaced(tmp_path: Path, name: str) -> None:
    other = "secrets.json" if name == "config.json" else "config.json"
    with Fresh(tmp_path / "node") as node:
        node.cut_power()
        (tmp_path / "node" / name).write_text('{"node": "po')
        node.lines.clear()
        node.start()
        node.says(f"{name}: is not JSON")
        assert not (tmp_path / "node" / other).exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc here")
def test_it_answers_names_and_outlives_what_anybody_sends(tmp_path: Path) -> None:
    rng = random.Random(5)
    dns = free_port()
    with Fresh(tmp_path / "node", None, f",{dns}") as node:
        node.says("with the password")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            for _ in range(200):
                sock.sendto(rng.randbytes(rng.randrange(700)), ("127.0.0.1", dns))

            def is_answered() -> bool:
                # A datagram may be lost among so many, and is then sent again.
                sock.sendto(dns_query("captive.apple.com"), ("127.0.0.1", dns))
                try:
                    return sock.recv(512).endswith(b"\x7f\0\0\1")
                except BlockingIOError:
                    return False

            wait_until(is_answered)
        before = open_files(node)

        def bother(seed: int) -> None:
            local = random.Random(seed)
            for _ in range(30):
                try:
                    with socket.create_connection(("127.0.0.1", node.page), 5) as peer:
                        peer.sendall(local.choice(STARTS) + local.randbytes(local.randrange(3000)))
                        if local.random() < 0.5:
                            peer.settimeout(0.2)
                            peer.recv(local.randrange(1, 4000))
                except OSError:
                    pass  # as it may

        threads = [threading.Thread(target=bother, args=(seed,)) for seed in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        with socket.create_connection(("127.0.0.1", node.page), 10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % node.page)
            found = everything(peer)
        assert found.startswith(b"HTTP/1.1 200 OK") and found.endswith(b"</form>")
        wait_until(lambda: open_files(node) <= before + 1)
        assert node.interrupt() == 0


STARTS = (
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3000\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\ntoken=%&ssid=",
)


def open_files(node: PortNode) -> int:
    assert node._process
    return len(list(Path(f"/proc/{node._process.pid}/fd").iterdir()))
