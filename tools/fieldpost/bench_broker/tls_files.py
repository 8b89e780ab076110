"""The TLS files of a broker at a bench: of an authority of `fieldpost certs`, made if need be."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fieldpost.certs.authority import Authority, Certificate
from fieldpost.certs.mosquitto import acl
from fieldpost.mqtt.brokers import ServerTls

_CA_NAME = "Fieldpost CA"
_WATCHER = "bench"


class TlsFiles:
    """An authority in `folder` with a certificate for the broker under all of `names`.

    clients_show_theirs: with one for a person, too, as nobody else could look on.
    tell: told of each that is made.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        clients_show_theirs: bool,
        tell: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.watcher: str | None = None
        self._authority = Authority(folder)
        if not (folder / "ca.key").exists() and not (folder / "ca.crt").exists():
            self._authority.create(_CA_NAME)
            tell(f"made: the certificate authority {folder}/ca.crt")
        found = self._authority.certificates()
        self._see_to_server(found, names, tell)
        rules = None
        if clients_show_theirs:
            people = [one.name for one in found if one.kind == "person"]
            if not people:
                self._authority.issue_person(_WATCHER)
                tell(f"made: a certificate to look on with, {folder}/people/{_WATCHER}/")
                people = [_WATCHER]
            self.watcher = people[0]
            rules = acl("fieldpost", people, home_assistant=True)
        broker = self._authority.broker
        self.server = ServerTls(
            broker / "ca.crt", broker / "server.crt", broker / "server.key", rules
        )

    def _see_to_server(
        self, found: Sequence[Certificate], names: Sequence[str], tell: Callable[[str], None]
    ) -> None:
        known = next((one for one in found if one.kind == "server"), None)
        before = known.names if known else ()
        lacking = [name for name in names if name not in before]
        if known and not lacking and known.days_left() >= 0:
            return
        # What it was valid for stays: another broker may use the same folder.
        made = self._authority.issue_server([*before, *lacking])
        tell(f"made: the broker's certificate {made.path}, for {', '.join(made.names)}")
