"""How much a board is sent at once."""

from __future__ import annotations

import pytest

from fieldpost.board.ports import Kind, Port
from fieldpost.deploy import bring
from fieldpost.deploy.send import WINDOW_UART, WINDOW_USB


@pytest.mark.parametrize(
    ("kind", "platform", "window"),
    [
        ("bridge", "esp32", WINDOW_UART),
        # An adapter that is not listed, a port in the network, an emulator's terminal.
        ("other", "esp32", WINDOW_UART),
        ("espressif", "esp32", WINDOW_USB),
        ("micropython", "rp2", WINDOW_USB),
        ("other", "rp2", WINDOW_USB),
        ("bridge", "rp2", WINDOW_UART),
    ],
)
def test_what_may_be_a_serial_line_without_flow_control_is_sent_little(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, platform: str, window: int
) -> None:
    monkeypatch.setattr(bring, "port_named", lambda device: Port(device, kind, "a port"))
    assert bring.window_of("/dev/ttyX", platform) == window
