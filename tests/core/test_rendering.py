"""Bodies of large tables: rows as values, part by part, are the same bytes as one by one."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from app.core.columnar import build_frame
from app.core.formats import (
    PART_ROWS,
    THREAD_ROWS,
    csv_cell,
    render_csv,
    render_json,
    render_ndjson,
)
from app.core.rows import Kind, Row, Table


class Grade(StrEnum):
    A = "A"


COLUMNS = ("code", "name", "n", "p50", "day", "flag", "other")
META = {"groups": 3, "rse": float("nan"), "name": "Zürich"}
TEXTS = st.one_of(st.none(), st.sampled_from(["Zürich", "=1+1", '"},{"code":"', "-2.5", "a\r\nb"]))
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
OTHER = st.one_of(
    st.none(),
    st.sampled_from([True, 1, 1.0, "1", Grade.A, Decimal("1.50"), ["a", "=b"], ("x",), {"k": 1}]),
    st.just(datetime(2026, 4, 9, 12, 30, tzinfo=UTC)),
)
VALUES = st.tuples(
    st.one_of(TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=6)),
    TEXTS,
    st.one_of(st.none(), st.integers(-(2**40), 2**40)),
    st.one_of(st.none(), FLOATS, st.integers(0, 10)),
    st.one_of(st.none(), st.dates()),
    st.one_of(st.none(), st.booleans()),
    OTHER,
)


def mapped(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def json_of(rows: Sequence[Row]) -> bytes:
    data = b",".join(to_json(row, inf_nan_mode="null") for row in rows)
    return b'{"data":[%b],"meta":%b}' % (data, to_json(META, inf_nan_mode="null"))


def ndjson_of(rows: Sequence[Row]) -> bytes:
    return b"".join(to_json(row, inf_nan_mode="null") + b"\n" for row in rows)


def csv_of(rows: Sequence[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows([csv_cell(value) for value in row.values()] for row in rows)
    return buffer.getvalue().encode()


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=8), st.integers(1, 60))
def test_rows_of_values_and_mappings_are_the_same_bytes_as_row_by_row(
    some: list[tuple[Any, ...]], times: int
) -> None:
    rows = some * times
    expected = mapped(rows)
    turned = [dict(reversed(row.items())) for row in expected]
    longer = [(*row, "no", "part") for row in rows]
    for form in (rows, longer, expected, turned):
        table = Table(form, META, COLUMNS)
        assert render_json(table) == json_of(expected)
        assert render_ndjson(table) == ndjson_of(expected)
        assert render_csv(table) == csv_of(expected)


@pytest.mark.parametrize("count", [0, 1, PART_ROWS - 1, PART_ROWS, PART_ROWS + 1, THREAD_ROWS * 2])
def test_no_row_is_lost_or_doubled_between_parts(count: int) -> None:
    rows = [(f"r{i}", None, i, i / 3, date(2026, 1, 1), i % 2 == 0, None) for i in range(count)]
    table, expected = Table(rows, META, COLUMNS), mapped(rows)
    assert render_json(table) == json_of(expected)
    assert render_ndjson(table) == ndjson_of(expected)
    assert render_csv(table) == csv_of(expected)


def test_columns_of_values_are_those_of_mappings() -> None:
    rows = [
        ("US", "Zürich", 3, 1.5, date(2026, 4, 9), True, ["a"], "no part"),
        (None, None, None, float("nan"), None, None, None, "no part"),
    ]
    kinds = {"code": Kind.TEXT, "n": Kind.WHOLE, "p50": Kind.NUMBER}
    frame = build_frame(Table(rows, {}, COLUMNS, kinds))
    assert frame.rows() == build_frame(Table(mapped(rows_cut(rows)), {}, COLUMNS, kinds)).rows()
    assert frame.columns == list(COLUMNS)
    assert frame["p50"].to_list() == [1.5, None]
    assert frame["other"].dtype == pl.List(pl.String)


def rows_cut(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[: len(COLUMNS)] for row in rows]


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.WHOLE])
def test_columns_without_values_keep_their_kind(kind: Kind) -> None:
    for rows in ([], [(None,)], [{"x": None}]):
        frame = build_frame(Table(rows, {}, ["x"], {"x": kind}))
        assert frame["x"].to_list() == [None] * len(rows)
        assert frame["x"].dtype == (pl.String if kind is Kind.TEXT else pl.Int64)
