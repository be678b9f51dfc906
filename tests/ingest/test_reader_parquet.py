"""Parquet: values as canonical text, slices within bounds, files that are broken or are bombs."""

import datetime
import io
import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from app.core.errors import InvalidBody, TooLarge
from app.ingest.chunks import Limits
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType
from app.ingest.readers import parquet_pages
from tests.support.reading import SMALL, Read, read


def parquet(frame: pl.DataFrame, **options: object) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out, **options)  # type: ignore[arg-type]  # passed on as they are
    return out.getvalue()


def read_parquet(body: bytes, limits: Limits | None = None) -> Read:
    return read(body, MediaType.PARQUET, limits=limits)


def error_of(body: bytes, limits: Limits | None = None) -> InvalidBody:
    with pytest.raises(InvalidBody) as caught:
        read_parquet(body, limits)
    return caught.value


def test_values_become_canonical_text() -> None:
    at = datetime.datetime(2024, 1, 2, 23, 4, tzinfo=datetime.UTC)
    frame = pl.DataFrame(
        {
            "text": ["é", "", None],
            "float": [85000.0, 0.1, None],
            "single": pl.Series([0.1, 85000.0, 2.5], dtype=pl.Float32),
            "whole": [2**62, -1, None],
            "decimal": pl.Series([Decimal("85000.10"), Decimal("0.00"), None]),
            "flag": [True, False, None],
            "day": [datetime.date(2024, 2, 29), None, None],
            "moment": pl.Series([at, None, None]).dt.convert_time_zone("Asia/Tokyo"),
            "plain_moment": [at.replace(tzinfo=None), None, None],
            "skills": [["sql", "c"], [], None],
            "numbers": [[1.0, 2.5], None, []],
            "category": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "nothing": [None, None, None],
        }
    )
    found = read_parquet(parquet(frame))
    assert found.numbers == [1, 2, 3]
    assert found.rows == [
        {
            "text": "é",
            "float": "85000",
            "single": "0.1",
            "whole": str(2**62),
            "decimal": "85000.10",
            "flag": "true",
            "day": "2024-02-29",
            "moment": "2024-01-02",
            "plain_moment": "2024-01-02",
            "skills": "sql;c",
            "numbers": "1;2.5",
            "category": "a",
        },
        {
            "float": "0.1",
            "single": "85000",
            "whole": "-1",
            "decimal": "0.00",
            "flag": "false",
            "category": "b",
        },
        {"single": "2.5"},
    ]


def test_slices_are_bounded_and_in_order() -> None:
    frame = pl.DataFrame({"a": [f"{number:>8}" for number in range(1, 101)]})
    found = read_parquet(parquet(frame, row_group_size=30), SMALL)
    assert [int(row["a"]) for row in found.rows] == found.numbers == list(range(1, 101))
    assert max(chunk.received for chunk in found.chunks) <= SMALL.chunk_rows


def test_rows_that_cannot_be_stored_are_refused_alone() -> None:
    frame = pl.DataFrame({"a": ["x", "n\0l", "y" * 2_000, "z"], "b": [1, 2, 3, 4]})
    found = read_parquet(parquet(frame), SMALL)
    assert found.numbers == [1, 4]
    assert found.codes == {2: "nul_byte", 3: "row_too_long"}


def test_a_file_without_rows_is_read() -> None:
    assert read_parquet(parquet(pl.DataFrame(schema={"a": pl.String}))).rows == []


def broken_bodies() -> dict[str, bytes]:
    whole = parquet(pl.DataFrame({"a": [f"text {number}" for number in range(5_000)]}))
    footer = int.from_bytes(whole[-8:-4], "little")
    return {
        "cut off": whole[:-100],
        "its start is missing": whole[100:],
        "garbage": b"title,amount\n" * 100,
        "only magic": b"PAR1PAR1",
        "an index longer than the file": whole[:-8] + b"\xff\xff\xff\x7fPAR1",
        "an index of noise": whole[: -8 - footer] + b"\xff" * footer + whole[-8:],
        "an index of zeros": whole[: -8 - footer] + b"\0" * footer + whole[-8:],
        "pages of noise": b"PAR1" + b"\xff" * (len(whole) - footer - 12) + whole[-8 - footer :],
    }


@pytest.mark.parametrize(("what", "body"), broken_bodies().items())
def test_a_broken_file_says_so(what: str, body: bytes) -> None:
    error = error_of(body)
    assert error.problem_code == "invalid_parquet", what
    assert error.detail.startswith("The body is no complete Parquet file: ")


def test_every_cut_of_a_file_is_answered() -> None:
    whole = parquet(pl.DataFrame({"a": ["x", "y"], "b": [1, 2]}))
    for end in range(1, len(whole)):
        assert error_of(whole[:end]).problem_code == "invalid_parquet"


def test_an_empty_body_says_so() -> None:
    assert error_of(b"").problem_code == "empty_body"


@pytest.mark.parametrize(
    "values",
    [[{"b": 1}], [b"\xff"], [datetime.time(1, 2)], [[[1]]]],
    ids=["struct", "binary", "time", "list of lists"],
)
def test_an_unreadable_type_names_the_column(values: list[object]) -> None:
    error = error_of(parquet(pl.DataFrame({"fine": [1], "odd": values})))
    assert error.problem_code == "unsupported_column"
    assert error.members["field"] == "odd"


def test_wrong_columns_are_refused_before_any_row() -> None:
    body = parquet(pl.DataFrame({"amuont": [1]}))
    with pytest.raises(InvalidBody) as caught:
        read(body, MediaType.PARQUET, rule=ColumnRule(frozenset({"amount"})))
    assert caught.value.problem_code == "unknown_column"


def test_a_body_over_the_limit_is_too_large_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = parquet(pl.DataFrame({"a": list(range(5_000))}))
    with pytest.raises(TooLarge):
        read_parquet(body, Limits(block_bytes=64, spool_bytes=1_000))
    read_parquet(body)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_decompresses_to_too_much_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_pages, "_MAX_PAGE_BYTES", 1 << 20)
    frame = pl.DataFrame({"a": ["A" * 30_000 + str(number) for number in range(100)]})
    body = parquet(frame, row_group_size=100, data_page_size=1 << 30, statistics=False)
    assert len(body) < 100_000
    error = error_of(body)
    assert error.problem_code == "pages_too_large"
    assert "smaller pages" in error.detail
