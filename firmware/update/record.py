"""What a node keeps of its updates, and by which names its files are called.

`update.json`, of which every key may be missing:

| key | what it is |
|---|---|
| counter | the highest of a release that has proven itself here |
| image_counter | the same of releases of MicroPython itself |
| version, sha | of the firmware that runs |
| runs | its counter, if it came over the air |
| head | CRC-32 of the keys and the head of the pack that `sha` is of: whether they are the same |
| done | marks of the offers that were judged, the last ones |
| unsigned | mark of the last offer that nobody had signed |
| last | what is to be told: `state`, and `offer`, `error` where there are any |
| told | whether the broker has it |
| taken | mark of the offer that is being fetched |
| silent | deliveries in a row in which nobody answered a node that sleeps |
"""

import json
from hashlib import sha256

from firmware import files as _files

RECORD = "update.json"
FOLDER = ".deploy/"
OFFER = FOLDER + "offer"
TRIAL = FOLDER + "trial"
FAILED = FOLDER + "failed"
PACK = "firmware.pack"


def read(path, files):
    """The dict in a file of JSON; {} without one."""
    try:
        found = json.loads(_files.read(path, files) or b"{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def write(path, what, files):
    """Replace it. OSError if flash refuses."""
    _files.write_atomic(path, json.dumps(what).encode(), files)


def counter_of(kind):
    """By which name it counts releases: one of each kind may have the same number."""
    return "image_counter" if kind == "image" else "counter"


def mark(offer):
    """By which an offer is known again: any change of its bytes makes it another."""
    return sha256(offer).digest()[:8].hex()


def is_known(record, name):
    """Whether the offer with the mark `name` was judged, or is the one that is fetched."""
    return name in record.get("done", ()) or name in (record.get("taken"), record.get("unsigned"))
