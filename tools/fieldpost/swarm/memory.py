"""A node's file system in memory: as firmware/files.py, for a node that is one of thousands."""

import errno
import io
from typing import Any, Self

_FILE, _FOLDER = 0x8000, 0x4000


class MemoryFiles:
    """Outlives the boots of a node, and no more than the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._folders: set[str] = set()

    def open(self, path: str, mode: str = "rb") -> Any:
        """Modes rb, wb and ab: the firmware keeps bytes alone."""
        if mode == "rb":
            if path not in self._files:
                raise OSError(errno.ENOENT, path)
            return _Reading(self._files, path)
        data = self._files.get(path, b"") if mode == "ab" else b""
        self._files[path] = data
        return _Writing(self._files, path, data)

    def listdir(self, path: str = "") -> list[str]:
        if path not in self._folders and path:
            raise OSError(errno.ENOENT, path)
        start = f"{path}/" if path else ""
        return sorted(
            name.removeprefix(start)
            for name in (*self._files, *self._folders)
            if name.startswith(start) and "/" not in name[len(start) :]
        )

    def mkdir(self, path: str) -> None:
        if path in self._folders:
            raise OSError(errno.EEXIST, path)
        self._folders.add(path)

    def remove(self, path: str) -> None:
        if path not in self._files:
            raise OSError(errno.ENOENT, path)
        del self._files[path]

    def rename(self, old: str, new: str) -> None:
        if old not in self._files:
            raise OSError(errno.ENOENT, old)
        self._files[new] = self._files.pop(old)

    def stat(self, path: str) -> tuple[int, ...]:
        if path in self._folders:
            return (_FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if path not in self._files:
            raise OSError(errno.ENOENT, path)
        return (_FILE, 0, 0, 0, 0, 0, len(self._files[path]), 0, 0, 0)


class _Reading:
    """Sees what is appended meanwhile, as on a computer's disk."""

    def __init__(self, files: dict[str, bytes], path: str) -> None:
        self._files = files
        self._path = path
        self._data = b""
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        self._data = self._files.get(self._path, self._data)
        end = len(self._data) if size < 0 else self._at + size
        found = self._data[self._at : end]
        self._at += len(found)
        return found

    def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = base + at
        return self._at

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Writing:
    """What was written is there from `flush` or closing on."""

    def __init__(self, files: dict[str, bytes], path: str, data: bytes) -> None:
        self._files = files
        self._path = path
        self._data = bytearray(data)

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        if self._path in self._files:
            self._files[self._path] = bytes(self._data)

    def close(self) -> None:
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
