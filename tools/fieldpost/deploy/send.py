"""Sends files to a board's `/.deploy/`: one program on the board takes them all.

What the board has in its pack already it copies from there. Each block of what is sent is
compressed and in base64: neither Ctrl-C nor an end of line is ever in it. The board asks for each
window of a block, and for one more, so that the line never falls idle and no buffer on the way
need hold more than two; then it unpacks the block and writes it. It reads the whole file back, and
tells if its SHA-256 is not that which its name begins with. Files that are cut short or damaged
are found so by the next deployment, too.
"""

import base64
import zlib
from collections.abc import Callable

from fieldpost.board.errors import BoardError
from fieldpost.board.link import BoardLink
from fieldpost.board.script import compact
from fieldpost.deploy.pack import PATH, Copied, Pieces

BLOCK = 8192
# An ESP32's serial port has no flow control, a buffer of 260 bytes, and while flash is written
# nothing but the 128 bytes of the chip itself.
WINDOW_UART = 120
WINDOW_USB = 8192
# Of history: as much heap as the block itself.
_HISTORY_BITS = 13
_SLOWEST_BYTES_PER_S = 500
_START_S = 30.0

Progress = Callable[[int, int], None]

_RECEIVE = compact("""
def _receive(files, window, pack):
    import gc, hashlib, sys
    from binascii import a2b_base64, hexlify
    from deflate import ZLIB, DeflateIO
    from io import BytesIO
    stdin = sys.stdin.buffer
    sizes = [size for _, _, blocks in files for size in blocks if type(size) is int]
    left = [sum([(size + window - 1) // window for size in sizes])]
    def ask():
        if left[0]:
            left[0] -= 1
            print("+", end="")
    ask()
    buffer = memoryview(bytearray(4096))
    for name, begun, blocks in files:
        path = "/.deploy/" + name
        with open(path, "ab" if begun else "wb") as f:
            for n, size in enumerate(blocks):
                if type(size) is tuple:
                    at, size = size
                    with open(pack, "rb") as g:
                        g.seek(at)
                        while size:
                            size -= f.write(buffer[: g.readinto(buffer[: min(size, 4096)])])
                    continue
                block = bytearray(size)
                view = memoryview(block)
                for at in range(0, size, window):
                    ask()
                    stdin.readinto(view[at : at + window])
                f.write(DeflateIO(BytesIO(a2b_base64(block)), ZLIB).read())
                block = view = None
                if n % 2:
                    f.flush()
        digest = hashlib.sha256()
        with open(path, "rb") as f:
            while True:
                n = f.readinto(buffer)
                if not n:
                    break
                digest.update(buffer[:n])
        if hexlify(digest.digest()).decode()[:16] != name[:16]:
            print("!", end="")
            return
        gc.collect()
""")


def send(
    link: BoardLink,
    files: dict[str, Pieces],
    *,
    begun: frozenset[str] = frozenset(),
    window: int = WINDOW_USB,
    on_progress: Progress | None = None,
) -> None:
    """Put files below `/.deploy/`, which must exist: contents by name, and each name begins with
    16 digits of the SHA-256 of its content.

    begun: names of those whose beginning is there; the pieces are the rest. on_progress gets bytes
    sent and their total. Raises BoardError.
    """
    blocks = {
        name: [block for piece in pieces for block in _blocks(piece)]
        for name, pieces in files.items()
    }
    windows = [
        block[at : at + window]
        for parts in blocks.values()
        for block in parts
        if isinstance(block, bytes)
        for at in range(0, len(block), window)
    ]
    total = sum(map(len, windows))
    sent = asked = 0
    damaged = False

    def answer(said: bytes) -> None:
        nonlocal sent, asked, damaged
        damaged = damaged or b"!" in said
        for _ in range(said.count(b"+")):
            if asked == len(windows):
                raise BoardError(
                    f"the board on {link.port} asks for more than it is to get. Press its reset "
                    "button, and repeat the command."
                )
            link.send(windows[asked])
            sent += len(windows[asked])
            asked += 1
            if on_progress:
                on_progress(sent, total)

    listed = [
        (name, int(name in begun), [_size(block) for block in parts])
        for name, parts in blocks.items()
    ]
    call = f"_receive({listed!r}, {window}, '/{PATH}')\ndel _receive\n"
    link.converse(_RECEIVE + call, answer, _START_S + total / _SLOWEST_BYTES_PER_S)
    if damaged:
        raise BoardError(
            f"a file arrived damaged on {link.port}, and was not put in its place. Try another "
            "cable, or a USB port without a hub, and repeat the command: what has arrived is kept."
        )


def _blocks(piece: bytes | Copied) -> list[bytes | Copied]:
    if isinstance(piece, Copied):
        return [piece]
    parts = [piece[at : at + BLOCK] for at in range(0, len(piece), BLOCK)]
    return [base64.b64encode(_compress(one)) for one in parts]


def _size(block: bytes | Copied) -> int | tuple[int, int]:
    return (block.offset, block.size) if isinstance(block, Copied) else len(block)


def _compress(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, _HISTORY_BITS)
    return squeeze.compress(data) + squeeze.flush()
