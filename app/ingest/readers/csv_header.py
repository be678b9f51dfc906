"""The first record of a CSV body: the columns' names, the delimiter and the kind of line ends."""

import re
from dataclasses import dataclass
from typing import Final

from app.core.errors import InvalidBody
from app.ingest.chunks import ROW
from app.ingest.fields import shortened
from app.ingest.readers import text
from app.ingest.readers.csv_rows import Record, RecordSplitter

_DELIMITERS: Final = (b",", b";", b"\t", b"|")
_QUOTED: Final = re.compile(rb'"[^"]*+(?:"|\Z)')
_MAX_HEADER_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Header:
    """What the first record says. `body` is what follows it, `length` what precedes that."""

    columns: list[str]
    delimiter: bytes
    return_is_line_end: bool
    body: bytes
    length: int
    lines: int


def read_header(data: bytes, *, max_columns: int, final: bool) -> Header | None:
    """The header, or None while `data` does not hold all of it. Raises InvalidBody."""
    text.check_start(data)
    body = data.removeprefix(text.BOM)
    returns = _return_is_line_end(body, final=final)
    if returns is None:
        return None
    if returns:
        body = body.replace(b"\r", b"\n")
    delimiter = _delimiter(body)
    record = next(RecordSplitter(delimiter).split(body, 1), None)
    if record is None:
        if len(body) > _MAX_HEADER_BYTES or (final and body.strip()):
            raise InvalidBody(
                "The header does not end: a quote in it is never closed, or this is no CSV.",
                code="bad_header",
                line=1,
            )
        return None
    return Header(
        _names(record, max_columns),
        delimiter,
        returns,
        body[record.end :],
        len(data) - len(body) + record.end,
        body.count(b"\n", 0, record.end),
    )


def _return_is_line_end(body: bytes, *, final: bool) -> bool | None:
    """Whether lines end in a lone CR, as on old Macs; None while the bytes do not tell."""
    at, newline = body.find(b"\r"), body.find(b"\n")
    if at < 0 or 0 <= newline < at:
        return False
    if at + 1 == len(body) and not final:
        return None
    return body[at + 1 : at + 2] != b"\n"


def _delimiter(body: bytes) -> bytes:
    """The delimiter that the first line holds most of, outside quotes; the comma if none."""
    first_line = body.lstrip(b"\r\n").split(b"\n", 1)[0]
    unquoted = _QUOTED.sub(b"", first_line)
    return max(_DELIMITERS, key=unquoted.count)


def _names(record: Record, max_columns: int) -> list[str]:
    wrong = text.first_wrong_byte(record.raw)
    if wrong is not None:
        offset = record.end - len(record.raw) - 1
        raise text.encoding_error(record.raw, wrong, line=record.line, offset=offset)
    if b"\0" in record.raw:
        raise InvalidBody(
            "The header holds NUL bytes: is this UTF-16? Save it as UTF-8.", code="wrong_encoding"
        )
    if record.fields is None:
        raise InvalidBody(
            "In the header, text follows a closing quote.", code="bad_header", line=record.line
        )
    if len(record.fields) > max_columns:
        raise InvalidBody(
            f"The header has {len(record.fields):,} columns; at most {max_columns:,} are read.",
            code="too_many_columns",
        )
    names = [field.decode().strip() for field in record.fields]
    if not any(names):
        raise InvalidBody("The first line holds no column names.", code="bad_header", line=1)
    names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    check_names(names)
    return names


def check_names(names: list[str]) -> None:
    """Refuse names that occur twice or that are ours. Raises InvalidBody."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidBody(
            "Columns that occur more than once: " + ", ".join(map(shortened, twice)) + ".",
            code="duplicate_columns",
        )
    if ROW in names:
        raise InvalidBody(f"The column name '{ROW}' is reserved.", code="unknown_column")
