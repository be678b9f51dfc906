"""What the readers give: chunks of text columns with row numbers, and rows that were no rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import polars as pl

from app.ingest.fields import shortened

ROW: Final = "__row__"
"""The column of row numbers (Int64, from 1, header not counted) beside the text columns."""


@dataclass(frozen=True)
class Limits:
    """Bounds of reading. Sizes are bytes of text."""

    block_bytes: int = 4 << 20
    """What is parsed at once; a chunk is at most this large, save for a larger single row."""
    chunk_rows: int = 50_000
    row_bytes: int = 1 << 20
    """A longer row is rejected by itself, as `row_too_long`."""
    skip_bytes: int = 64 << 20
    """How far the end of an overlong row is searched before the body is given up."""
    columns: int = 1_000
    spool_bytes: int = 2 << 30
    """The largest Parquet body: it is kept in a temporary file."""


@dataclass(frozen=True)
class RowError:
    """Why one row was rejected, as the write report shows it."""

    row: int
    field: str | None
    code: str
    message: str
    value: str | None = None

    def as_member(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "field": self.field,
            "code": self.code,
            "message": self.message,
            "value": None if self.value is None else shortened(self.value),
        }


@dataclass(frozen=True)
class Chunk:
    """Rows in file order.

    `rows`: the column `ROW` (Int64), then one String column for each column of the body, as it
    arrived; null where absent or empty. CSV and Parquet chunks all have the same columns, JSON
    ones those that occur in the chunk: what is computed from a whole row must not depend on
    null columns. `bad_rows` are not among `rows`; both together count as received.
    `bytes_read` counts from the start of the body.
    """

    rows: pl.DataFrame
    bad_rows: list[RowError] = field(default_factory=list)
    bytes_read: int = 0

    @property
    def received(self) -> int:
        return self.rows.height + len(self.bad_rows)

    @property
    def last_row(self) -> int:
        """The number of the last row, good or bad; 0 if there is none."""
        last = int(self.rows[ROW][-1]) if self.rows.height else 0
        return max(last, self.bad_rows[-1].row if self.bad_rows else 0)


class Parser(Protocol):
    """One format, fed with blocks. Not to be used by two threads at once."""

    def feed(self, block: bytes) -> Iterator[Chunk]: ...

    def finish(self) -> Iterator[Chunk]: ...

    def close(self) -> None: ...


def build_chunk(
    columns: Mapping[str, Sequence[str | None]],
    numbers: Sequence[int],
    bad_rows: list[RowError],
    bytes_read: int,
) -> Chunk:
    """A chunk of Python texts; the columns' order is kept."""
    series = {ROW: pl.Series(ROW, numbers, dtype=pl.Int64)}
    series |= {name: pl.Series(name, texts, dtype=pl.String) for name, texts in columns.items()}
    return Chunk(pl.DataFrame(series), bad_rows, bytes_read)


def split_rows(rows: pl.DataFrame, limits: Limits) -> Iterator[pl.DataFrame]:
    """`rows` in slices within the limits of a chunk: row count and bytes of text."""
    sizes = rows.select(text_bytes().cum_sum().alias("bytes"))["bytes"]
    start, before = 0, 0
    while start < rows.height:
        within = int(sizes.search_sorted(before + limits.block_bytes, side="right"))
        end = max(start + 1, min(within, start + limits.chunk_rows, rows.height))
        yield rows.slice(start, end - start)
        before, start = int(sizes[end - 1]), end


def text_bytes() -> pl.Expr:
    """Bytes of text of each row, over all its columns."""
    return pl.sum_horizontal(pl.col(pl.String).str.len_bytes().fill_null(0)).cast(pl.Int64)


def row_too_long(row: int, limits: Limits) -> RowError:
    return RowError(
        row,
        None,
        "row_too_long",
        f"The row is longer than {limits.row_bytes:,} bytes.",
    )
