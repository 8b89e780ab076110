"""TLS on MicroPython: loaded when it is configured."""

import ssl


def context(ca, own=None):
    """A context that verifies its peer against `ca`, one certificate in DER; None: not at all.

    own: (certificate, key) in DER, to show to the peer. MicroPython's own default is not to
    verify. The clock must be set before it is used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        made.verify_mode = ssl.CERT_NONE
    else:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(cadata=ca)
    if own:
        made.load_cert_chain(*own)
    return made
