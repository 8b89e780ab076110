"""A store's address is read, or refused with a sentence that holds no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldpost.errors import CommandError
from fieldpost.store.address import DEFAULT_URL, parse


def test_what_is_given_without_an_address_is_a_file_in_this_folder() -> None:
    one = parse(DEFAULT_URL)
    assert (one.kind, one.file) == ("sqlite", Path("readings.db"))


def test_an_absolute_file_has_four_slashes() -> None:
    assert parse("sqlite:////var/lib/readings.db").file == Path("/var/lib/readings.db")


def test_a_password_goes_to_the_database_and_to_nobody_else() -> None:
    one = parse("postgresql://ann:s%40cret@db.example:5433/readings?sslmode=require")
    assert one.url == "postgresql+psycopg://ann:s%40cret@db.example:5433/readings?sslmode=require"
    assert str(one) == "postgresql://ann@db.example:5433/readings"
    assert "s%40cret" not in repr(one) + str(one)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "readings.db",
        "mysql://ann:secret@db/readings",
        "sqlite:readings.db",
        "sqlite://readings.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "postgresql://ann:secret@db",
        "postgresql://ann:secret@db:0/readings",
        "postgresql://ann:secret@db:port/readings",
        "postgresql://ann:sec/ret@db/readings",
    ],
)
def test_another_one_is_refused_in_a_sentence_without_the_password(text: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse(text)
    assert raised.value.code == "usage"
    assert "secret" not in str(raised.value) and "sec/ret" not in str(raised.value)
