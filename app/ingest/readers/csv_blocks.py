"""CSV block by block: where a block may be cut, and the columnar reading of a regular one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from app.ingest.chunks import ROW, text_bytes
from app.ingest.readers.text import BOM

_QUOTE: Final = ord('"')
_NEWLINE: Final = ord("\n")
_RETURN: Final = ord("\r")
_BLANK: Final = (b"", b"\r")
_ESCAPED: Final = r"\A'([=+\-@\t\r\n])"
_MAX_SIFTED_LINES: Final = 250_000


def find_cut(data: bytes, delimiter: bytes) -> int | None:
    """The end of the last complete record in `data`, which starts with a record.

    None where a quote stands elsewhere than around a whole field: then only reading row by row
    tells where records end.
    """
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    array = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(array == _QUOTE)
    if not _are_regular(array, quotes, delimiter):
        return None
    end = data.rfind(b"\n")
    while end >= 0:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            return end + 1
        end = data.rfind(b"\n", 0, int(quotes[before - 1]))
    return 0


def _are_regular(
    array: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], delimiter: bytes
) -> bool:
    """Whether opening quotes follow, and closing ones precede, a delimiter or line end.

    Quotes are taken as opening and closing by turns; a doubled one closes and opens again.
    """
    starts, ends = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    starts[[_QUOTE, _NEWLINE, delimiter[0]]] = True
    ends[[_QUOTE, _NEWLINE, _RETURN, delimiter[0]]] = True
    opening, after = quotes[0::2], quotes[1::2] + 1
    opening, after = opening[opening > 0], after[after < len(array)]
    if not (starts[array[opening - 1]].all() and ends[array[after]].all()):
        return False
    behind = after[array[after] == _RETURN] + 1
    return bool((array[behind[behind < len(array)]] == _NEWLINE).all())


def read_block(
    block: bytes, columns: list[str], delimiter: bytes, row_bytes: int
) -> pl.DataFrame | None:
    """Complete, regular records as text columns, empty as null.

    None where the records have to be looked at one by one: one has too many or too few fields,
    is blank or too long, or holds a NUL byte or a lone CR.
    """
    if b"\0" in block or block.startswith(BOM) or _has_odd_line_ends(block):
        return None
    quoted = b'"' in block
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            schema=dict.fromkeys(columns, pl.String),
            separator=delimiter.decode(),
            quote_char='"' if quoted else None,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if _is_ragged(block, frame, delimiter, quoted=quoted):
        return None
    if (frame.select(text_bytes().max()).item() or 0) > row_bytes:
        return None
    return frame.with_columns(pl.all().replace("", None)) if b'""' in block else frame


@dataclass(frozen=True)
class Sifted:
    """Lines without quotes, by whether they can be read together."""

    good: bytes
    good_places: list[int]
    bad: list[tuple[int, int, bytes]]
    """Place among the rows from 0, line from 0, and the line."""

    rows: int


def sift(block: bytes, columns: int, delimiter: bytes, row_bytes: int) -> Sifted | None:
    """Set aside the lines that keep a block without quotes from being read at once.

    None where a block has quotes, a lone CR, an overlong line, or so many lines that they are
    better read singly.
    """
    lone_return = block.count(b"\r") != block.count(b"\r\n")
    if b'"' in block or lone_return or block.count(b"\n") > _MAX_SIFTED_LINES:
        return None
    lines = [line for line in enumerate(block.split(b"\n")) if line[1] not in _BLANK]
    if max((len(line) for _, line in lines), default=0) > row_bytes:
        return None
    fits = [line.count(delimiter) == columns - 1 and b"\0" not in line for _, line in lines]
    good = [line for (_, line), fit in zip(lines, fits, strict=True) if fit]
    rows = [(place, number, line) for place, (number, line) in enumerate(lines)]
    return Sifted(
        b"\n".join([*good, b""]),
        [place for place, fit in enumerate(fits) if fit],
        [row for row, fit in zip(rows, fits, strict=True) if not fit],
        len(lines),
    )


def _has_odd_line_ends(block: bytes) -> bool:
    """Whether there is a blank line, or a CR without LF, which the reader drops here and there."""
    if block.startswith((b"\n", b"\r\n")) or b"\n\n" in block:
        return True
    if b"\r" not in block:
        return False
    return b"\n\r\n" in block or block.count(b"\r") != block.count(b"\r\n")


def _is_ragged(block: bytes, frame: pl.DataFrame, delimiter: bytes, *, quoted: bool) -> bool:
    """Whether a record has too few fields: the reader would fill it up with nulls silently.

    Only a null in the last column can come from that, and then the delimiters are too few.
    """
    if frame.height == 0 or frame.width == 1 or frame[:, -1].null_count() == 0:
        return frame.height == 0
    within = 0
    if quoted:
        counts = pl.all().str.count_matches(delimiter.decode(), literal=True).sum()
        within = sum(count or 0 for count in frame.select(counts).row(0))
    return block.count(delimiter) - within != frame.height * (frame.width - 1)


def without_escapes(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` without the apostrophe that keeps a spreadsheet from running a text.

    The inverse of `app.core.formats.csv_cell`.
    """
    if rows.is_empty():
        return rows
    found = rows.select(pl.col(pl.String).str.starts_with("'").any())
    escaped = [name for name, is_found in found.to_dicts()[0].items() if is_found]
    return rows.with_columns(pl.col(escaped).str.replace(_ESCAPED, "$1")) if escaped else rows


def with_numbers(frame: pl.DataFrame, numbers: Sequence[int]) -> pl.DataFrame:
    """`frame` with the column of row numbers in front."""
    return frame.insert_column(0, pl.Series(ROW, numbers, dtype=pl.Int64))
