"""Parquet and Arrow: types that do not depend on the values, and all of `meta` in the file."""

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from anyio import to_thread
from hypothesis import given
from hypothesis import strategies as st

from app.core.arrow_schema import add_metadata
from app.core.columnar import META_KEY, render_arrow, render_parquet
from app.core.formats import FORMATS, META_HEADER, render_table
from app.core.rows import Kind, Table, infer_kind, texts_except

KINDS = {kind.value: kind for kind in Kind}
FULL = {
    "text": "ü",
    "whole": 3,
    "number": 0.5,
    "truth": True,
    "date": date(2026, 4, 9),
    "moment": datetime(2026, 4, 9, 12, tzinfo=UTC),
    "texts": ["a", "b"],
}
NOTHING: dict[str, Any] = dict.fromkeys(FULL)
TYPES = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "number": pl.Float64(),
    "truth": pl.Boolean(),
    "date": pl.Date(),
    "moment": pl.Datetime("us", "UTC"),
    "texts": pl.List(pl.String()),
}


def read(name: str, body: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(body)) if name == "parquet" else pl.read_ipc_stream(body)


def table(*rows: dict[str, Any], **meta: Any) -> Table:
    return Table(rows, meta, list(FULL), KINDS)


@pytest.mark.parametrize("name", ["parquet", "arrow"])
@pytest.mark.parametrize("rows", [(), (NOTHING,), (FULL,), (FULL, NOTHING) * 600])
def test_types_come_from_the_kinds(name: str, rows: tuple[dict[str, Any], ...]) -> None:
    frame = read(name, FORMATS[name].render(table(*rows)))
    assert dict(frame.schema) == TYPES
    assert frame.to_dicts() == list(rows)


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_values_fit_their_column(name: str) -> None:
    """Whole numbers among fractions, exact decimals as text, and what JSON has no number for."""
    values = [1, 2.5, "12345678901234567.25", float("nan"), float("-inf"), None]
    rows = [{"x": value, "n": 2.0, "t": date(2026, 1, 2)} for value in values]
    kinds = {"x": Kind.NUMBER, "n": Kind.WHOLE, "t": Kind.TEXT}
    frame = read(name, FORMATS[name].render(Table(rows, {}, ["x", "n", "t"], kinds)))
    assert frame["x"].to_list() == [1.0, 2.5, 12345678901234567.25, None, None, None]
    assert frame["n"].to_list() == [2] * 6
    assert frame["t"][0] == "2026-01-02"


def test_a_whole_column_never_rounds() -> None:
    with pytest.raises(ValueError, match="fraction"):
        render_parquet(Table([{"n": 1.5}], {}, ["n"], {"n": Kind.WHOLE}))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], Kind.TEXT),
        ([None], Kind.TEXT),
        ([True, None], Kind.TRUTH),
        ([1, None], Kind.WHOLE),
        ([1, 2.5], Kind.NUMBER),
        ([True, 1], Kind.TEXT),
        ([date(2026, 1, 1)], Kind.DATE),
        ([datetime(2026, 1, 1, tzinfo=UTC)], Kind.MOMENT),
        ([[], ["a"]], Kind.TEXTS),
        (["a", 1], Kind.TEXT),
        ([{"a": 1}], Kind.TEXT),
    ],
)
def test_a_column_without_a_kind_takes_that_of_its_values(values: list[Any], kind: Kind) -> None:
    assert infer_kind(values) == kind
    frame = read("parquet", render_parquet(Table([{"x": v} for v in values], {}, ["x"])))
    assert len(frame) == len(values)


def test_kinds_are_declared_for_columns_that_exist() -> None:
    assert texts_except(("a", "b"), whole=["b"]) == {"a": Kind.TEXT, "b": Kind.WHOLE}
    with pytest.raises(KeyError, match="c"):
        texts_except(("a", "b"), whole=["c"])


def test_parquet_holds_meta() -> None:
    meta = {"groups": 2, "data_as_of": date(2026, 4, 9), "rate": float("nan"), "name": "ü"}
    found = pl.read_parquet_metadata(io.BytesIO(render_parquet(table(FULL, **meta))))
    expected = {"groups": 2, "data_as_of": "2026-04-09", "rate": None, "name": "ü"}
    assert json.loads(found[META_KEY]) == expected


def test_arrow_holds_meta() -> None:
    nanoarrow = pytest.importorskip("nanoarrow", reason="reads a schema's metadata; not installed")
    for length in range(9):  # every alignment
        meta = {"name": "ü" * length, "sources": [{"code": "a"}]}
        with nanoarrow.ArrayStream.from_readable(render_arrow(table(FULL, **meta))) as stream:
            assert json.loads(stream.schema.metadata[META_KEY.encode()]) == meta
            assert [field.name for field in stream.schema.fields] == list(FULL)


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=40), min_size=1, max_size=4))
def test_metadata_leaves_the_rows_alone(metadata: dict[str, str]) -> None:
    buffer = io.BytesIO()
    frame = pl.DataFrame([FULL, NOTHING], schema=TYPES)
    frame.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
    stream = add_metadata(buffer.getvalue(), metadata)
    assert pl.read_ipc_stream(stream).equals(frame)
    assert all(text.encode() in stream for item in metadata.items() for text in item)
    # What follows the schema begins where readers look for it: at a multiple of eight.
    assert int.from_bytes(stream[4:8], "little") % 8 == 0


@pytest.mark.parametrize("broken", [b"", b"PAR1", b"\xff\xff\xff\xff" + b"\0" * 12])
def test_metadata_is_added_to_arrow_streams_only(broken: bytes) -> None:
    with pytest.raises(ValueError, match="Arrow"):
        add_metadata(broken, {"a": "b"})


@pytest.mark.parametrize(
    ("name", "ending", "media_type"),
    [
        ("parquet", "parquet", "application/vnd.apache.parquet"),
        ("arrow", "arrows", "application/vnd.apache.arrow.stream"),
    ],
)
async def test_the_response_is_a_file(
    monkeypatch: pytest.MonkeyPatch, name: str, ending: str, media_type: str
) -> None:
    threads = []
    run_sync = to_thread.run_sync

    async def noted(function: Any, *arguments: Any) -> Any:
        threads.append(function)
        return await run_sync(function, *arguments)

    monkeypatch.setattr(to_thread, "run_sync", noted)
    response = await render_table([FULL], {}, list(FULL), FORMATS[name], "salary-rank", KINDS)
    assert response.headers["content-type"] == media_type
    disposition = f'attachment; filename="salary-rank.{ending}"'
    assert response.headers["content-disposition"] == disposition
    assert response.headers["vary"] == "Accept"
    assert META_HEADER not in response.headers
    # The library behind it takes a while to load: never on the event loop.
    assert threads == [FORMATS[name].render]
