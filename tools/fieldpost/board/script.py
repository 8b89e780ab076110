"""Programs for a board, as short as they go: a serial line takes eleven bytes a millisecond."""

import base64
import zlib

_INDENT = 4
# Of history, which a board needs the heap for.
_HISTORY_BITS = 12
_UNPACK = (
    "from binascii import a2b_base64 as _a\nfrom deflate import ZLIB as _z, DeflateIO as _d\n"
    "from io import BytesIO as _b\nexec(_d(_b(_a({!r})), _z).read())\ndel _a, _b, _d, _z\n"
)


def compact(code: str) -> str:
    """The same without comments of whole lines, empty lines, and with one space for each level.
    No text in it may reach over the end of a line."""
    lines = [line for line in code.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    return "".join(
        " " * ((len(line) - len(line.lstrip())) // _INDENT) + line.strip() + "\n" for line in lines
    )


def packed(code: str) -> str:
    """The same, compacted, as a program that unpacks and runs it: some three fifths of the bytes.
    It raises ImportError on a MicroPython older than 1.21, which has no `deflate`."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, _HISTORY_BITS)
    squeezed = squeeze.compress(compact(code).encode()) + squeeze.flush()
    return _UNPACK.format(base64.b64encode(squeezed).decode())
