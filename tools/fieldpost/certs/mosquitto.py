"""The Mosquitto configuration that goes with an authority: TLS, nobody anonymous, an ACL."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from fieldpost.certs.authority import Authority
from fieldpost.certs.private_files import write_private
from fieldpost.errors import BadFile, Usage

PORT = 8883
_CONFIGURATION = """\
# Made by `fieldpost certs mosquitto`, which overwrites it. Mosquitto 2.0 or newer.

listener {port}{bind}
cafile {at}/ca.crt
certfile {at}/server.crt
keyfile {at}/server.key

# Whoever connects shows a certificate that this authority has signed, and is who it says.
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {at}/acl

# The name is the client id, too: nobody can end another's session by taking its id. It follows
# that each program needs a certificate of its own.
use_username_as_clientid true
"""
_ACL = """\
# Made by `fieldpost certs mosquitto`, which overwrites it. %u is the name in the certificate.
# A node writes below its own topic, and reads its own commands and updates, and the pace that is
# asked of all.
pattern write {base}/%u/#
pattern read {base}/%u/cmd
pattern read {base}/%u/update/offer
pattern read {base}/%u/update/piece
pattern read {base}/pace
"""
_HOME_ASSISTANT = """\
# Home Assistant: a node announces itself, and reads when to do so again.
pattern write homeassistant/device/%u/config
pattern read homeassistant/status
"""


def write_configuration(
    authority: Authority,
    *,
    port: int = PORT,
    bind: str | None = None,
    base: str = "fieldpost",
    home_assistant: bool = False,
    at: PurePath | None = None,
) -> Path:
    """Write broker/mosquitto.conf and broker/acl, and return the first's path.

    bind: the address to listen on; None: all. at: where the folder `broker` will be on the
    broker's machine; None: where it is. Raises CommandError if there is no server certificate.
    """
    found = authority.certificates()
    if not any(one.kind == "server" for one in found):
        raise BadFile(
            f"{authority.folder} has no certificate for the broker yet: "
            "fieldpost certs server HOST makes one"
        )
    place = at or authority.broker.resolve()
    if any(character.isspace() for character in str(bind or "") + base):
        raise Usage("neither --bind nor --base can hold spaces")
    text = _CONFIGURATION.format(port=port, bind=f" {bind}" if bind else "", at=place)
    people = [one.name for one in found if one.kind == "person"]
    configuration = authority.broker / "mosquitto.conf"
    write_private(authority.broker / "acl", acl(base, people, home_assistant).encode())
    write_private(configuration, text.encode())
    return configuration


def acl(base: str, people: Sequence[str], home_assistant: bool) -> str:
    """What an acl_file holds: each node its own topic, `people` all of them."""
    text = _ACL.format(base=base)
    if home_assistant:
        text += _HOME_ASSISTANT
    for name in people:
        text += f"\nuser {name}\ntopic readwrite {base}/#\n"
        if home_assistant:
            text += "topic readwrite homeassistant/#\n"
    return text
