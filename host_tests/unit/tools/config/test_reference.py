"""The reference of all keys is complete, true to the schema, and current in its document."""

import json
from pathlib import Path

import pytest

from fieldpost.config import reference
from fieldpost.errors import CommandError
from firmware.config import keys_sensors


def test_every_key_and_every_sensor_type_has_a_text() -> None:
    rows = reference.reference()
    assert [row.key for row in rows if not row.text.endswith(".")] == []
    assert len({row.key for row in rows}) == len(rows)
    sections = {section.title: section.text for section in reference.sections()}
    for kind in keys_sensors.NAMES:
        assert not sections[f"Sensor type {kind}"].startswith(" Publishes")


def test_the_reference_has_the_schemas_values() -> None:
    rows = {row.key: row for row in reference.reference()}
    assert rows["mqtt.port"][1:4] == ("integer", "null", "a whole number from 1 to 65535, or null")
    assert rows["mqtt.port"].text == "TCP port of the broker. null: 1883, with TLS 8883."
    assert rows["node"].default == "required"
    assert rows["ntp.host"].allowed.endswith(", or null")
    assert rows["sensors[].model (dht)"].default == '"DHT22"'
    assert rows["wifi.static.mask"].text == "Network mask."
    assert rows["secrets.json wifi[].ssid"].type == "text"
    # A text that is spread over several lines comes as one.
    assert "while it is away. null: true in" in rows["mqtt.clean"].text


def test_the_show_command_prints_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [row.key for row in reference.reference()]
    assert reference.show_command(as_json=False) == 0
    printed = capsys.readouterr().out
    assert [key for key in keys if key not in printed] == []
    assert reference.show_command(as_json=True) == 0
    assert [row["key"] for row in json.loads(capsys.readouterr().out)["keys"]] == keys


def test_the_document_is_current(tmp_path: Path) -> None:
    text = reference.DOCUMENT.read_text(encoding="utf-8")
    assert reference.markdown() in text, f"run what it says: {reference.BEGIN}"
    copy = tmp_path / "copy.md"
    copy.write_text(f"before\n{reference.BEGIN}\nold\n{reference.END}\nafter\n", "utf-8")
    reference.update_document(copy)
    begin, end = reference.BEGIN, reference.END
    assert copy.read_text("utf-8") == f"before\n{begin}\n{reference.markdown()}\n{end}\nafter\n"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("sample_s", ["sample_s"]),
        ("mqtt.tls.ca_file", ["mqtt.tls.ca_file"]),
        ("ca_file", ["mqtt.tls.ca_file"]),
        ("NTP", ["ntp.host", "ntp.interval_s"]),
        ("ssid", ["secrets.json wifi[].ssid"]),
    ],
)
def test_one_key_or_one_section_is_shown_alone(asked: str, shown: list[str]) -> None:
    rows = [row.key for section in reference.chosen(asked) for row in section.rows]
    assert rows[: len(shown)] == shown
    assert all(asked.lower() in row for row in rows)


def test_a_sensor_type_is_shown_with_its_text_and_its_keys() -> None:
    (section,) = reference.chosen("bme280")
    assert "Publishes" in section.text and section.rows


def test_a_key_that_is_none_is_told_with_what_is_near_it() -> None:
    with pytest.raises(CommandError, match="did you mean sample_s"):
        reference.chosen("sample_ms")
