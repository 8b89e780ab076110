"""An open file of `fakes.flash`, with what MicroPython's have: so no `truncate`."""

from collections.abc import Iterator
from typing import Any, Protocol

_INVALID = 22


class PowerCut(BaseException):
    """The power fails here. No `Exception`: nothing on the board can handle it."""


class Flash(Protocol):
    """What an open file needs of the flash that it is on (`fakes.flash.FakeFlash`)."""

    files: dict[str, bytes]
    open_files: "list[FakeFile]"

    def prepare_write(self, file: "FakeFile", start: int, data: bytes) -> None: ...

    def sync_file(self, file: "FakeFile") -> None: ...

    def check_power(self) -> None: ...


class FakeFile:
    """An open file: its own copy of the content, which `flush` and `close` put on the disk."""

    def __init__(self, flash: Flash, path: str, letters: str, binary: bool) -> None:
        self.path = path
        self.data = bytearray() if letters[0] == "w" else bytearray(flash.files[path])
        self.clean_bytes = len(self.data)  # how much of the front is as it is on the disk
        self.dirty = letters[0] == "w" and bool(flash.files[path])
        self._flash = flash
        self._binary = binary
        self._append = letters[0] == "a"
        self._readable = letters[0] == "r" or "+" in letters
        self._writable = letters != "r"
        self._position = 0
        self._closed = False

    def read(self, size: int = -1) -> Any:
        self._check(self._readable)
        end = len(self.data) if size is None or size < 0 else self._position + size
        data = bytes(self.data[self._position : end])
        self._position += len(data)
        return data if self._binary else data.decode()

    def readinto(self, buffer: Any, size: int = 1 << 30) -> int:
        self._check(self._readable)
        data = self.data[self._position : self._position + min(len(buffer), size)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readline(self) -> Any:
        self._check(self._readable)
        found = self.data.find(b"\n", self._position)
        size = (len(self.data) if found < 0 else found + 1) - self._position
        return self.read(max(size, 0))

    def write(self, data: Any) -> int:
        self._check(self._writable)
        data = data.encode() if isinstance(data, str) else bytes(data)
        size = len(data)
        start = len(self.data) if self._append else self._position
        gap = start - len(self.data)
        if gap > 0:
            data = bytes(gap) + data
            start -= gap
        self._flash.prepare_write(self, start, data)
        self.dirty = True
        self.clean_bytes = min(self.clean_bytes, start)
        self._position = start + len(data)
        return size

    def seek(self, offset: int, whence: int = 0) -> int:
        self._check(True)
        base = (0, self._position, len(self.data))[whence]
        if base + offset < 0:
            raise OSError(_INVALID)
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        self._check(True)
        if self.dirty:
            self._flash.sync_file(self)
            self.dirty = False
            self.clean_bytes = len(self.data)

    def close(self) -> None:
        """Syncs. After a power cut it does nothing: there is nobody to do it."""
        if self._closed or self not in self._flash.open_files:
            self._closed = True
            return
        try:
            self.flush()
        finally:
            self._closed = True
            if self in self._flash.open_files:
                self._flash.open_files.remove(self)

    def __enter__(self) -> "FakeFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        while line := self.readline():
            yield line

    def _check(self, allowed: bool) -> None:
        self._flash.check_power()
        if self._closed:
            raise ValueError
        if not allowed:
            raise OSError(_INVALID)  # where littlefs does something undefined
        if self not in self._flash.open_files:
            raise PowerCut  # it was open before the power failed
