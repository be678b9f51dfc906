"""How much memory a Parquet file's pages ask for, read from their headers before any is opened.

A page states its decompressed size, and the columnar reader allocates what it states: 32 kB on
disk can ask for gigabytes. Field numbers are those of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

import os
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.core.errors import InvalidBody
from app.ingest.readers.thrift import ThriftError, ThriftReader

_MAGIC: Final = b"PAR1"
_MAX_FOOTER_BYTES: Final = 32 << 20
_MAX_PAGE_BYTES: Final = 256 << 20
"""Over all columns of a row group, each with its largest page: they are open at the same time."""

_HEADER_WINDOW: Final = 1 << 16
_ROW_GROUPS, _COLUMNS, _ROWS = 4, 1, 3
_META, _COMPRESSED, _DATA_OFFSET, _DICTIONARY_OFFSET = 3, 7, 9, 11
_PAGE_SIZE, _PAGE_COMPRESSED = 2, 3


def check_pages(path: Path) -> int:
    """The largest average of decompressed bytes per row, over the row groups.

    Raises InvalidBody for what is no Parquet file, or one whose pages ask for too much memory.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        try:
            footer = ThriftReader(_footer(file, size)).struct()
            averages = [_bytes_per_row(file, group, size) for group in footer.get(_ROW_GROUPS, [])]
        except (ThriftError, KeyError, TypeError, AttributeError) as error:
            raise _broken("its index or a page cannot be read") from error
    return max(averages, default=0)


def _footer(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    starts_right = file.read(4) == _MAGIC
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    if size < 12 or not starts_right or tail[4:] != _MAGIC:
        raise _broken("it does not begin and end with 'PAR1'; it may be cut off")
    length = int.from_bytes(tail[:4], "little")
    if length > min(size - 12, _MAX_FOOTER_BYTES):
        raise _broken("its index is longer than the file")
    file.seek(size - 8 - length)
    return file.read(length)


def _bytes_per_row(file: BinaryIO, group: dict[int, Any], size: int) -> int:
    largest = total = 0
    rows: int = max(group[_ROWS], 1)
    for column in group[_COLUMNS]:
        pages = _page_sizes(file, column[_META], size)
        largest += max(pages, default=0)
        total += sum(pages)
    if largest > _MAX_PAGE_BYTES:
        raise InvalidBody(
            f"The Parquet file's pages ask for {largest:,} bytes at once; at most "
            f"{_MAX_PAGE_BYTES:,} are given. Write it with smaller pages.",
            code="pages_too_large",
        )
    return total // rows


def _page_sizes(file: BinaryIO, meta: dict[int, Any], size: int) -> list[int]:
    """Decompressed sizes of a column's pages in one row group."""
    at = min(meta[_DATA_OFFSET], meta.get(_DICTIONARY_OFFSET) or meta[_DATA_OFFSET])
    end = at + meta[_COMPRESSED]
    if not 0 < at <= end <= size:
        raise _broken("a column lies outside the file; it may be cut off")
    sizes = []
    while at < end:
        file.seek(at)
        reader = ThriftReader(file.read(_HEADER_WINDOW))
        header = reader.struct()
        if min(header[_PAGE_SIZE], header[_PAGE_COMPRESSED]) < 0:
            raise _broken("a page has a negative size")
        sizes.append(header[_PAGE_SIZE])
        at += reader.at + header[_PAGE_COMPRESSED]
    return sizes


def _broken(reason: str) -> InvalidBody:
    return InvalidBody(f"The body is no complete Parquet file: {reason}.", code="invalid_parquet")
