"""Formats: what is chosen, and what each makes of the same rows."""

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import NotAcceptable, UnknownValue
from app.core.formats import (
    FORMAT_HELP,
    FORMATS,
    META_HEADER,
    META_HEADER_LIMIT,
    THREAD_ROWS,
    choose_format,
    csv_cell,
    csv_lines,
    meta_header,
    render_table,
)

ROWS = [
    {"region": "US", "count": 3, "p50": 100000.5, "p50_low": None},
    {"region": "=cmd|' /C calc'!A0", "count": -1, "p50": -0.5, "p50_low": 1.0},
]
COLUMNS = ("region", "count", "p50", "p50_low")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/*", "csv"),
        ("application/x-ndjson", "ndjson"),
        ("application/jsonl", "ndjson"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/x-parquet, text/csv;q=0.9", "parquet"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("application/*", "json"),
        ("text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("text/csv;q=0.5, application/json", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("application/json;q=0, */*", "csv"),
        ("text/csv;q=nonsense, */*;q=0.1", "json"),
    ],
)
def test_the_accept_header_decides(accept: str | None, chosen: str) -> None:
    assert choose_format(None, accept).name == chosen


def test_format_wins_over_accept() -> None:
    assert choose_format("ndjson", "text/csv").name == "ndjson"


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UnknownValue, match="Nearest: csv") as error:
        choose_format("cvs", None)
    assert error.value.problem_code == "unknown_format"


@pytest.mark.parametrize(
    "accept", ["image/png", "application/json;q=0", "nonsense", "application/vnd.apache.arrow.file"]
)
def test_what_cannot_be_had_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/csv"):
        choose_format(None, accept)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_a_spreadsheet_would_run_is_made_harmless(start: str) -> None:
    assert csv_cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize("value", [-1, -0.5, 1e-7, "-12.5", "+3", "-1e5"])
def test_negative_numbers_stay_numbers(value: Any) -> None:
    assert csv_cell(value) == value


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *((None, ""), (True, "true"), (False, "false"), (date(2026, 4, 9), "2026-04-09")),
        *((["a", "b"], "a;b"), (("=1",), "'=1"), ([], "")),
    ],
)
def test_other_values_have_one_spelling(value: Any, cell: str) -> None:
    assert csv_cell(value) == cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1))
def test_csv_reads_back_whatever_the_text(cells: list[str]) -> None:
    columns = [f"c{i}" for i in range(len(cells))]
    text = csv_lines(columns, [dict(zip(columns, cells, strict=True))])
    header, row = csv.reader(io.StringIO(text, newline=""))
    assert header == columns
    assert row == [csv_cell(cell) for cell in cells]
    assert not any(cell.startswith(("=", "@", "\t", "\r", "\n")) for cell in row)


async def test_all_formats_hold_the_same_rows() -> None:
    meta = {"groups": 2, "query": {"role": ["x"]}, "data_as_of": date(2026, 4, 9)}
    bodies = {}
    for name, chosen in FORMATS.items():
        response = await render_table(ROWS, meta, COLUMNS, chosen, "salary-statistics")
        assert response.headers["vary"] == "Accept"
        bodies[name] = response
    document = json.loads(bytes(bodies["json"].body))
    assert document["data"] == ROWS
    assert document["meta"]["data_as_of"] == "2026-04-09"
    lines = bytes(bodies["ndjson"].body).splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    table = list(csv.DictReader(io.StringIO(bytes(bodies["csv"].body).decode())))
    assert [row["count"] for row in table] == ["3", "-1"]
    assert table[1]["region"].startswith("'=cmd")
    assert bodies["csv"].headers["content-type"] == "text/csv; charset=utf-8"
    disposition = 'attachment; filename="salary-statistics.csv"'
    assert bodies["csv"].headers["content-disposition"] == disposition
    for name in ("csv", "ndjson"):
        assert json.loads(bodies[name].headers[META_HEADER]) == {
            "groups": 2,
            "data_as_of": "2026-04-09",
        }


def test_the_help_names_every_format() -> None:
    assert FORMAT_HELP.startswith("json, csv, ndjson, parquet or arrow; ")


async def test_an_empty_table_still_has_its_header() -> None:
    response = await render_table([], {}, COLUMNS, FORMATS["csv"])
    assert response.body == b"region,count,p50,p50_low\r\n"


async def test_numbers_that_json_has_not_are_null() -> None:
    rows = [{"p50": float("nan")}, {"p50": float("inf")}] * THREAD_ROWS
    response = await render_table(rows, {}, ["p50"], FORMATS["json"])
    data = json.loads(bytes(response.body))["data"]
    assert len(data) == 2 * THREAD_ROWS
    assert all(row == {"p50": None} for row in data)


def test_a_long_meta_header_keeps_the_plain_values() -> None:
    sources = [{"code": f"source-{i}", "name": "Quelle ü" * 10} for i in range(200)]
    text = meta_header({"groups": 7, "sources": sources})
    assert json.loads(text) == {"groups": 7}
    assert len(text) < META_HEADER_LIMIT
    assert meta_header({"sources": [{"name": "ü"}]}).isascii()
