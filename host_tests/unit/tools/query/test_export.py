"""What is exported is what is stored, in files that other programs read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from rigs.command_line import fieldpost
from rigs.stores import NOW_S, open_on, stores, telemetry

from fieldpost import times
from fieldpost.errors import CommandError
from fieldpost.store.opened import Store


@pytest.fixture(params=stores())
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    yield from open_on(request.param, tmp_path)


def filled(store: Store) -> Store:
    store.write(
        [telemetry(1, seq, ts=3600 * 10 + seq * 600, temperature=seq / 2) for seq in range(12)]
        + [telemetry(1, 12, age_s=60, temperature=20, state="open")]
        + [telemetry(2, 0, of="m", ts=40_000, humidity=40, failed=["bme"])]
    )
    return store


def export(store: Store, *words: str) -> str:
    url = store.address.url.replace("+psycopg", "")
    ran = fieldpost("export", "--store", url, *words, is_terminal=False)
    assert ran.status == 0, ran
    return ran.out


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_each_reading_by_node_and_time(store: Store) -> None:
    rows = table(export(filled(store)))
    assert [(row["node"], row["boot"], row["seq"]) for row in rows] == [
        ("m", "2", "0"),
        *(("n", "1", str(seq)) for seq in range(13)),
    ]
    assert rows[0]["failed"] == '["bme"]' and rows[0]["temperature"] == ""
    assert rows[3]["temperature"] == "1.0" and float(rows[3]["time"]) == 36_000 + 1200
    assert rows[-1]["ts"] == "" and float(rows[-1]["time"]) == NOW_S - 60


def test_it_is_narrowed_by_node_field_and_time(store: Store) -> None:
    filled(store)
    assert len(table(export(store, "--node", "m"))) == 1
    assert len(table(export(store, "--node", "m", "--node", "n"))) == 14
    fields = table(export(store, "--field", "state"))
    assert [row["state"] for row in fields] == ["open"]
    some = export(
        store, "--from", "1970-01-01T10:10+00:00", "--to", "1970-01-01T10:30+00:00", "--node", "n"
    )
    assert [row["seq"] for row in table(some)] == ["1", "2"]


def test_stretches_have_mean_least_most_and_count(store: Store) -> None:
    rows = table(export(filled(store), "--every", "1h", "--node", "n", "--field", "temperature"))
    assert [(row["time"], row["readings"]) for row in rows[:2]] == [
        ("36000.0", "6"),
        ("39600.0", "6"),
    ]
    one = rows[1]
    found = [one[f"temperature_{what}"] for what in ("mean", "min", "max", "count")]
    assert [float(value) for value in found] == [4.25, 3, 5.5, 6]


@pytest.mark.slow
def test_parquet_has_the_same_with_types(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(filled(store), "--out", str(tmp_path / "x.parquet"))
    found = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert len(found) == 14
    assert found[1]["temperature"] == 0.0 and found[1]["seq"] == 0
    assert found[1]["time"].isoformat() == "1970-01-01T10:00:00+00:00"
    assert found[0]["failed"] == '["bme"]' and found[0]["temperature"] is None


def test_senml_is_a_pack_of_records(store: Store) -> None:
    records = json.loads(export(filled(store), "--format", "senml", "--node", "n"))
    assert records[0] == {
        "bn": "urn:dev:org:n:",
        "n": "temperature",
        "u": "Cel",
        "t": 36_000.0,
        "v": 0.0,
    }
    assert records[-2]["vs"] == "open" and "bn" not in records[-2]
    assert len(records) == 14
    assert json.loads(export(store, "--format", "senml", "--from", "2300-01-01")) == []


def test_a_text_of_a_node_is_no_formula_of_a_spreadsheet(store: Store) -> None:
    store.write([telemetry(1, 0, state='=HYPERLINK("http://evil")', x=-1)])
    (row,) = table(export(store))
    assert row["state"].startswith("'=") and row["x"] == "-1"


def test_a_file_that_was_there_stays_if_the_export_fails(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        filled(store)
        out = tmp_path / "x.csv"
        out.write_text("before")
        with mock.patch("fieldpost.query.formats.to_csv", side_effect=OSError(28, "full")):
            ran = fieldpost("export", "--store", str(store.address), "--out", str(out), "--json")
        assert json.loads(ran.out)["error"]["code"] == "not_written"
        assert out.read_text() == "before"
        assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--field", "nosuch"], "usage"),
        (["--every", "1x"], "usage"),
        (["--from", "yesterday"], "usage"),
        (["--out", "{dir}/x.txt"], "usage"),
        (["--format", "parquet"], "usage"),
        (["--out", "{dir}/no/x.csv"], "not_written"),
        (["--json"], "usage"),
    ],
)
def test_what_makes_no_sense_is_told(words: list[str], code: str, tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        filled(store)
        given = [word.replace("{dir}", str(tmp_path)) for word in words]
        if "--json" not in given and "--out" not in given and "--format" not in given:
            given += ["--out", str(tmp_path / "x.csv")]
        ran = fieldpost(
            "export", "--store", str(store.address), *dict.fromkeys([*given, "--json"])
        )
        assert json.loads(ran.out)["error"]["code"] == code


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        filled(store)
        with mock.patch("importlib.util.find_spec", return_value=None):
            ran = fieldpost(
                "export", "--store", str(store.address), "--out", str(tmp_path / "x.parquet")
            )
        assert ran.status == 1 and "fieldpost[parquet]" in ran.err


def test_lengths_and_points_of_time() -> None:
    assert [times.length_s(one) for one in ("90s", "10m", "1h", "7d", "2w")] == [
        90,
        600,
        3600,
        604_800,
        1_209_600,
    ]
    assert times.point_s("7d", now_s=604_800.0) == 0
    assert times.point_s("1970-01-02T00:00+00:00") == 86_400
    for wrong in ("", "0s", "1y", "-1d", "9" * 30 + "s"):
        with pytest.raises(CommandError):
            times.length_s(wrong)
