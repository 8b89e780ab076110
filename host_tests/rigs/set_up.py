"""An emulated board that nobody has set up."""

import re

from fieldpost.board.link import open_link
from fieldpost.emulator.console import Console

_IS_OPEN = "import network; print(network.WLAN(network.WLAN.IF_AP).active())"


def opens_its_access_point_until_ctrl_c(port: str, network: str) -> None:
    """It says how to join and where its page is; and what stops it, as `fieldpost provision` does,
    ends the access point. port: of its console."""
    with Console(port) as console:
        at = console.wait_for("with the password", 40)
        said = console.lines[at - 1]
    word = r"(\w{4}-?){3}"
    told = rf"network {network} with the password {word}, then open http://192.168.4.1/$"
    assert re.search(told, said), said
    with open_link(port, 30) as link:
        assert link.exec(_IS_OPEN) == b"False\r\n"
