"""What the tests of flashing share: a screen that records its calls, the port's own version."""

import subprocess

from rigs.port import micropython


class Screen:
    """Keeps what the user would be told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: dict[str, list[int]] = {}

    def say(self, where: str, text: str) -> None:
        self.said.append(text)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        self.steps.setdefault(what, []).append(done)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        self.steps.setdefault(what, []).append(round(total_s - left_s))


def version_of_the_port() -> str:
    """The stand-in board runs this machine's MicroPython, whatever is written to it."""
    code = "import sys; print('.'.join(map(str, sys.implementation.version[:3])))"
    done = subprocess.run([micropython(), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
