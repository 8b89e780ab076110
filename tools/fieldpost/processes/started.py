"""Something that runs from entering `with` until leaving it."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Started(ABC):
    """Whatever becomes of it, also if it does not start, it is closed."""

    @abstractmethod
    def start(self) -> None:
        """Return when it runs, or raise."""

    @abstractmethod
    def close(self) -> None:
        """End it for good, however far it came."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
