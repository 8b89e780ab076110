"""What a command says breaks between words on a terminal, and nowhere else."""

from io import StringIO

import pytest

from fieldpost.terminal.wrapping import fit


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 79])
def test_no_word_is_broken_and_none_is_lost(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = "fieldpost: no board was found. Plug one in:\n  - a cable that carries data\n\nthe end"
    lines = fit(text, Terminal()).split("\n")
    assert max(map(len, lines)) <= width
    assert " ".join(lines).split() == text.split()
    assert "" in lines and any(line.startswith("  -") for line in lines)


def test_a_command_in_backquotes_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    command = "`sudo usermod -aG dialout $USER`"
    shown = fit(f"this user may not use the port: run {command}, then log out", Terminal())
    assert command in shown and len(shown.split("\n")) == 3


def test_what_is_read_by_a_script_is_left_as_it_is() -> None:
    text = "word " * 100
    assert fit(text, StringIO()) == text
