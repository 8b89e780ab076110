# Runs in MicroPython, in the folder of a node: readings on its flash, as an outage leaves them.
# Argument: how many. They are of the first boot, so that the node's own are of the second.
import sys

from firmware import files
from firmware.readings import record
from firmware.readings.boot_count import Identity
from firmware.readings.outbox import Outbox


def main(count):
    identity = Identity()
    outbox = Outbox(files, "outbox", 16, 64)
    outbox.write_through = True
    for seq in range(count):
        outbox.put(record.encode(identity.boot, seq, seq, 1, b'"temperature":21.5'))
    identity.proven()
    print(outbox.depth)


main(int(sys.argv[1]))
