"""Parquet: its index is at the end, so the body goes to a temporary file and is read in slices."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from app.core.errors import InvalidBody, TooLarge
from app.ingest.chunks import ROW, Chunk, Limits, RowError, row_too_long, split_rows, text_bytes
from app.ingest.fields import ColumnRule, shortened
from app.ingest.readers import text
from app.ingest.readers.csv_header import check_names
from app.ingest.readers.parquet_pages import check_pages

_FAILURES: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_MAX_SLICE_BYTES: Final = 32 << 20


class ParquetParser:
    """Blocks of a Parquet body to chunks, all of them at the end."""

    def __init__(self, rule: ColumnRule, limits: Limits) -> None:
        self._rule = rule
        self._limits = limits
        self._size = 0
        self._file = tempfile.NamedTemporaryFile(prefix="payband-", suffix=".parquet")  # noqa: SIM115 - closed by close()

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Keep the block. Raises TooLarge over the limit of the temporary file."""
        self._size += len(block)
        if self._size > self._limits.spool_bytes:
            raise TooLarge(
                f"A Parquet body may have {self._limits.spool_bytes:,} bytes; "
                "split it, or send CSV or NDJSON, which may be of any length."
            )
        self._file.write(block)
        return iter(())

    def finish(self) -> Iterator[Chunk]:
        """All rows. Raises InvalidBody."""
        self._file.flush()
        if self._size == 0:
            raise text.empty_body()
        path = Path(self._file.name)
        bytes_per_row = check_pages(path)
        frame, height = _open(path)
        names = [str(name) for name in frame.collect_schema().names()]
        check_names(names)
        if len(names) > self._limits.columns:
            raise InvalidBody(
                f"The file has {len(names):,} columns; at most {self._limits.columns:,} are read.",
                code="too_many_columns",
            )
        self._rule.check(names)
        texts = frame.select(_text_of(name, kind) for name, kind in frame.collect_schema().items())
        step = max(1, min(self._limits.chunk_rows, _MAX_SLICE_BYTES // max(bytes_per_row, 1)))
        for start in range(0, height, step):
            yield from self._read_slice(texts.slice(start, step), start)

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def _read_slice(self, texts: pl.LazyFrame, start: int) -> Iterator[Chunk]:
        try:
            rows = texts.collect(engine="in-memory")
        except _FAILURES as error:
            raise _broken(error) from None
        numbers = pl.int_range(start + 1, start + 1 + rows.height, dtype=pl.Int64, eager=True)
        rows.insert_column(0, numbers.alias(ROW))
        rows, bad = _without_bad_rows(rows, self._limits)
        if bad:
            yield Chunk(rows.clear(), bad, self._size)
        for part in split_rows(rows, self._limits):
            yield Chunk(part, [], self._size)


def _open(path: Path) -> tuple[pl.LazyFrame, int]:
    """The file as a lazy frame, and its number of rows. Raises InvalidBody."""
    try:
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        return frame, int(frame.select(pl.len()).collect().item())
    except _FAILURES as error:
        raise _broken(error) from None


def _broken(error: BaseException) -> InvalidBody:
    reason = shortened(str(error).splitlines()[0] if str(error) else "no reason given", 200)
    return InvalidBody(f"The body is no complete Parquet file: {reason}.", code="invalid_parquet")


def _text_of(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as text: canonical numbers, ISO dates, `;` between the items of lists."""
    column = pl.col(name)
    if isinstance(kind, pl.List):
        item = _scalar_text(pl.element(), kind.inner, name)
        made = column.list.eval(item).list.join(";")
    else:
        made = _scalar_text(column, kind, name)
    return pl.when(made != "").then(made).alias(name)


def _scalar_text(value: pl.Expr, kind: object, name: str) -> pl.Expr:
    if kind in (pl.Float32, pl.Float64):
        return value.cast(pl.String).str.strip_suffix(".0")
    if isinstance(kind, pl.Datetime):
        in_utc = value.dt.convert_time_zone("UTC") if kind.time_zone else value
        return in_utc.dt.date().cast(pl.String)
    plain = isinstance(kind, pl.DataType) and (kind.is_numeric() or kind == pl.Date)
    if plain or kind in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null):
        return value.cast(pl.String)
    raise InvalidBody(
        f"The column '{shortened(name)}' is of the type {kind}, which cannot be read; "
        "write it as text, a number, a date or a list of these.",
        code="unsupported_column",
        field=name,
    )


def _without_bad_rows(rows: pl.DataFrame, limits: Limits) -> tuple[pl.DataFrame, list[RowError]]:
    """Set aside rows that are too long or hold NUL characters."""
    nul = pl.any_horizontal(pl.col(pl.String).str.contains("\0", literal=True).fill_null(False))
    found = rows.select(nul=nul, long=text_bytes() > limits.row_bytes)
    is_bad = found["nul"] | found["long"]
    if not is_bad.any():
        return rows, []
    numbers = rows[ROW].filter(is_bad)
    bad = [
        row_too_long(row, limits)
        if is_long
        else RowError(row, None, "nul_byte", "Text must not hold NUL characters.")
        for row, is_long in zip(numbers, found["long"].filter(is_bad), strict=True)
    ]
    return rows.filter(~is_bad), bad
