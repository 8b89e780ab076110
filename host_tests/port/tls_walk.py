"""The wire over TLS, one line for each connection: what it said, or the error, and the time.

Arguments: file of the authority in DER, then port and name of the server for each connection.
"""

import os
import select
import socket
import ssl
import sys
import time

from wire_tls import TlsWire

_TIMEOUT_MS = 1500


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def main(authority, servers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open(authority, "rb") as file:
        context.load_verify_locations(cadata=file.read())
    before = descriptors()
    for port, name in servers:
        idled = []
        wire = TlsWire(
            socket, select, time, lambda idled=idled: idled.append(time.ticks_ms()), context, name
        )
        start = time.ticks_ms()
        longest = 0
        try:
            wire.arm(_TIMEOUT_MS)
            wire.socket()
            wire.connect(wire.getaddrinfo("127.0.0.1", port)[0][-1])
            wire.write(b"hello ")
            wire.write(b"world")
            said = wire.read(11)
            # More than a record, and what lies in the TLS layer's own buffer is not forgotten.
            wire.write(b"x" * 3000)
            wire.flush()
            whole = b"".join([wire.read(1500) for _ in range(2)])
            said += b" %d" % len(whole)
            wire.setblocking(False)
            print(port, said.decode(), wire.read(1), wire.wait(100))
            wire.close()
        except OSError as error:
            print(port, "error", error.args[0], wire.is_open())
        for earlier, later in zip(idled, idled[1:]):
            longest = max(longest, time.ticks_diff(later, earlier))
        print(port, "took", time.ticks_diff(time.ticks_ms(), start), "idle gap", longest)
    print("descriptors left", descriptors() - before)


main(sys.argv[1], [(int(one.split("=")[0]), one.split("=")[1]) for one in sys.argv[2:]])
