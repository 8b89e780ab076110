"""What a person sees on the page: the networks, the fields, and what is wrong with them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from rigs.portal import GOOD, TITLE, TOKEN, form

from firmware.portal.form import Form
from firmware.portal.page import done, pieces


class Seen(HTMLParser):
    """The page as a browser has it.

    networks: the texts beside each button of a choice; chosen: of which it is. fields: the
    attributes of every other input, by name. texts: those of each element with an id, and `notes`
    those in small letters.
    """

    def __init__(self, made: Form, why: str | None = None) -> None:
        super().__init__()
        self.networks: list[list[str]] = []
        self.chosen: list[int] = []
        self.fields: dict[str, dict[str, str | None]] = {}
        self.texts: dict[str, str] = {}
        self.notes: list[str] = []
        self._in: list[tuple[str, dict[str, str | None]]] = []
        self.html = "".join(pieces(made, TOKEN, TITLE, why))
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "label" and found.get("class") == "n":
            self.networks.append([])
        elif tag == "input" and found.get("type") == "radio":
            self.chosen += [len(self.networks) - 1] * ("checked" in found)
        elif tag == "input":
            self.fields[str(found["name"])] = found
        self._in.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, found = self._in[-1] if self._in else ("", {})
        if any(one == "label" and its.get("class") == "n" for one, its in self._in):
            self.networks[-1].append(data)
        elif tag == "small":
            self.notes.append(data)
        if found.get("id"):
            self.texts[str(found["id"])] = data

    @property
    def chosen_names(self) -> list[str]:
        return [self.networks[at][0] for at in self.chosen]


def in_range(*networks: tuple[str, int, bool], ssid: str = "") -> Form:
    """A form on a board that hears these; `ssid`: of the network that it knows."""
    made: Any = form({}, {"wifi": [{"ssid": ssid, "password": "x" * 8}]} if ssid else {})
    made.networks = networks
    return made


_OTHER = "Another, by its name below"


@pytest.mark.parametrize(
    ("dbm", "strength"),
    [
        (-20, "strong"),
        (-55, "strong"),
        (-56, "good"),
        (-67, "good"),
        (-68, "fair"),
        (-78, "fair"),
        (-79, "weak"),
        (-95, "weak"),
    ],
)
def test_a_network_is_shown_with_its_strength_in_words(dbm: int, strength: str) -> None:
    assert Seen(in_range(("Home", dbm, False))).networks[0] == ["Home", strength]


def test_an_open_network_is_shown_as_one() -> None:
    seen = Seen(in_range(("Home", -50, False), ("Café", -50, True)))
    assert seen.networks[:2] == [["Home", "strong"], ["Café", "strong, open"]]


def test_the_sixteen_strongest_networks_are_shown_and_another_can_be_typed() -> None:
    every = [(f"network {number}", -40 - number, False) for number in range(30)]
    names = [one[0] for one in Seen(in_range(*every)).networks]
    assert names == [one[0] for one in every[:16]] + [_OTHER]


def test_the_network_that_the_board_knows_is_chosen_if_it_is_in_range() -> None:
    seen = Seen(in_range(("Home", -50, False), ("Barn", -60, False), ssid="Barn"))
    assert seen.chosen_names == ["Barn"]
    assert seen.fields["other"]["value"] == ""


def test_a_network_that_is_not_in_range_is_chosen_by_its_name() -> None:
    seen = Seen(in_range(("Home", -50, False), ssid="Barn"))
    assert seen.chosen_names == [_OTHER]
    assert seen.fields["other"]["value"] == "Barn"


def test_of_networks_in_range_a_person_has_to_choose_one() -> None:
    assert Seen(in_range(("Home", -50, False))).chosen_names == []


def test_where_there_is_no_network_its_name_has_to_be_typed() -> None:
    assert Seen(in_range()).chosen_names == [_OTHER]


@pytest.mark.parametrize(("secrets", "notes"), [({}, 0), ({"wifi": [{"ssid": "Home"}]}, 1)])
def test_a_password_that_is_stored_need_not_be_typed_again(
    secrets: dict[str, Any], notes: int
) -> None:
    assert Seen(form({}, secrets)).notes == ["Leave it empty to keep what is stored."] * notes
    both = {**secrets, "mqtt": {"user": "ann", "password": "x"}}
    assert len(Seen(form({}, both)).notes) == notes + 1


def test_an_error_is_a_sentence_at_its_field_and_marks_it_for_a_screen_reader() -> None:
    made = form()
    made.submit({**GOOD, "port": "many", "key": ""})
    seen = Seen(made)
    for name, told in (("port", 'Found "many", must be'), ("key", "Missing: this network has")):
        field = seen.fields[name]
        assert field["aria-invalid"] == "true"
        text = seen.texts[str(field["aria-describedby"])]
        assert text.startswith(told) and text.endswith(".") and not text.endswith("..")
    assert "aria-invalid" not in seen.fields["host"]
    assert seen.fields["port"]["value"] == "many"
    # What a phone makes easier at a field stays, whatever is wrong with it.
    assert seen.fields["port"]["inputmode"] == "numeric"


def test_why_the_page_opened_again_stands_on_it_until_something_is_typed() -> None:
    why = "Could not connect to the broker: <no answer>"
    assert "Could not connect to the broker: &lt;no answer&gt;" in Seen(form(), why).html
    assert "role=" not in Seen(form()).html


# Saved ------------------------------------------------------------------------------------------


def saved(**change: str) -> list[str]:
    """The texts of the page after that; each name in bold stands alone."""
    made = form()
    assert made.submit({**GOOD, **change})
    seen = Texts()
    seen.feed("".join(done(made, TITLE)))
    return seen.found


class Texts(HTMLParser):
    """The texts of a page, one after the other, without those of its style."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style" and data.strip():
            self.found.append(data.strip())


def test_once_saved_the_page_says_what_happens_now_and_where_the_readings_are() -> None:
    text = " ".join(saved())
    assert "Saved This access point closes now, and kitchen joins Home ." in text
    assert "on fieldpost/kitchen/telemetry at the broker 192.168.1.10 within a minute." in text
    assert "If it cannot connect, fieldpost-2f35 opens again" in text
    assert "the board itself" not in text


def test_a_broker_that_would_be_the_board_itself_is_warned_of_once_saved() -> None:
    assert "But that is the board itself" in " ".join(saved(host="localhost"))
