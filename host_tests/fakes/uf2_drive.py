"""A Raspberry Pi board in its bootloader: a folder that plays the drive, and then vanishes."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

_TEXTS = {
    "RP2040": "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n",
    "RP2350": "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n",
}
_POLL_S = 0.02


class Uf2Drive:
    """Once a whole .uf2 file of `blocks` blocks lies in `folder`, the drive goes away.

    on_written gets the image, before the folder vanishes. stuck: it never takes the image.
    """

    def __init__(
        self,
        folder: Path,
        chip: str,
        size: int,
        *,
        on_written: Callable[[bytes], None] | None = None,
        stuck: bool = False,
    ) -> None:
        self.folder = folder
        self.written: bytes | None = None
        self._text = _TEXTS[chip]
        self._size = size
        self._on_written = on_written
        self._stuck = stuck
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Uf2Drive":
        self.appear()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()

    def appear(self) -> None:
        """As when the board enters its bootloader."""
        self.folder.mkdir()
        (self.folder / "INDEX.HTM").write_text("<html></html>")
        (self.folder / "INFO_UF2.TXT").write_text(self._text)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._end.is_set():
            for file in self.folder.glob("*.uf2"):
                if not self._stuck and file.stat().st_size == self._size:
                    self.written = file.read_bytes()
                    if self._on_written:
                        self._on_written(self.written)
                    shutil.rmtree(self.folder)
                    return
            time.sleep(_POLL_S)
