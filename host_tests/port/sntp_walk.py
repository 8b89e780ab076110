"""Asks the time server at the port given, and prints what came of it."""

import select
import socket
import sys
import time

from sntp import Sntp

sntp = Sntp(socket, select, time, timeout_ms=1000)
begun = time.ticks_ms()
try:
    sntp.start("127.0.0.1", int(sys.argv[1]))
    while (unix_s := sntp.poll()) is None:
        time.sleep_ms(10)
    print("unix_s", unix_s)
except OSError as error:
    print("error", error)
print("took_ms", time.ticks_diff(time.ticks_ms(), begun))
