"""TLS of the host's own MQTT connections: the files that were given, and what its errors mean."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from fieldpost.errors import BadFile, Usage


@dataclass(frozen=True)
class ClientFiles:
    """PEM files: the authority that must have signed the broker's certificate (None: those that
    this machine trusts), and the certificate and key to show to a broker that asks for one."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def or_environment(self) -> "ClientFiles":
        """What is not given, from FIELDPOST_CA, FIELDPOST_CERT and FIELDPOST_KEY: a certificate
        and its key come from one place."""
        names = ("FIELDPOST_CA", "FIELDPOST_CERT", "FIELDPOST_KEY")
        found = [os.environ.get(name) for name in names]
        ca, cert, key = (Path(one) if one else None for one in found)
        if self.cert or self.key:
            cert, key = self.cert, self.key
        return ClientFiles(self.ca or ca, cert, key)

    def given(self) -> bool:
        """Whether there is any."""
        return any((self.ca, self.cert, self.key))

    def context(self) -> ssl.SSLContext:
        """Verifies the broker, its name included. Raises CommandError naming the bad file."""
        if bool(self.cert) != bool(self.key):
            raise Usage("--cert and --key need each other")
        for path in (self.ca, self.cert, self.key):
            if path and not _is_file(path):
                raise BadFile(f"there is no file {path}")
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ValueError):  # SSLError is an OSError
            raise BadFile(f"{self.ca} is no certificate in PEM") from None
        if self.cert and self.key:
            try:
                # A key with a password would ask for it on the terminal.
                context.load_cert_chain(self.cert, self.key, password="")
            except (OSError, ValueError):
                raise BadFile(
                    f"{self.cert} and {self.key} are not a certificate in PEM and its key, "
                    "without a password"
                ) from None
        return context


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        return False


def explain(error: ssl.SSLError, broker: str, files: ClientFiles) -> str:
    """What went wrong in the handshake with `broker`, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        if "mismatch" in why:
            return f"{broker} has the certificate of another: {why}"
        if "expired" in why or "not yet valid" in why:
            return f"the certificate of {broker} won't do: {why}. Renew it, or set the clock"
        trusted = f"by {files.ca}" if files.ca else "by anybody this machine trusts: give its --ca"
        return f"the certificate of {broker} is not signed {trusted} ({why})"
    text = str(error)
    if "WRONG_VERSION" in text or "RECORD_LAYER" in text:
        return f"{broker} does not speak TLS: is it mqtt:// in place of mqtts://?"
    return f"no TLS with {broker}: {error.reason or text}: {closed(files)}"


def closed(files: ClientFiles) -> str:
    """What a broker may mean that closes the connection in the handshake, or soon after it."""
    if files.cert:
        return f"it may not accept {files.cert}"
    return "it may want a client certificate: --cert and --key"
