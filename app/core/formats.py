"""Output formats of table-shaped answers: one registry entry each, the same rows in all.

A format is chosen by `format=`, or else by the Accept header. In CSV and NDJSON the essentials of
`meta` travel in the `Payband-Meta` header, so that the rows stay plain rows; Parquet and Arrow
hold all of it in their own metadata (`columnar.META_KEY`).
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import sleep
from types import MappingProxyType
from typing import Any, Final

from anyio import to_thread
from pydantic_core import to_json
from starlette.responses import Response

from app.core.columnar import render_arrow, render_parquet
from app.core.errors import NotAcceptable, UnknownValue
from app.core.rows import NO_KINDS, Kinds, Meta, Rows, Table, mappings_of, values_of
from app.domain.nearest import nearest

META_HEADER: Final = "Payband-Meta"
META_HEADER_LIMIT: Final = 3_000
"""Characters: many proxies stop at 8 KB for all headers together."""

THREAD_ROWS: Final = 500
"""Tables with more rows than this are rendered in a thread: the event loop goes on meanwhile."""

PART_ROWS: Final = 100
"""Rows that are rendered at once, in some 0.3 ms."""

_PLAIN_CELLS: Final = frozenset({int, float, type(None)})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a table. `render` gives the body.

    `ending` is that of a file's name. `binary` formats load a large library: always in a thread.
    """

    name: str
    media_type: str
    aliases: tuple[str, ...]
    ending: str
    render: Callable[[Table], bytes]
    attachment: bool = True
    meta_in_body: bool = False
    binary: bool = False


def render_json(table: Table) -> bytes:
    """`{"data": [rows], "meta": {...}}`; a row is an object with the columns in order."""
    # A list without its brackets: the rows and the commas between them.
    parts = (_json(mappings_of(part, table.columns))[1:-1] for part in _parts(table.rows))
    return b'{"data":[%b],"meta":%b}' % (b",".join(parts), _json(table.meta))


def render_ndjson(table: Table) -> bytes:
    """One JSON object a line."""
    return ndjson_lines(table.columns, table.rows)


def ndjson_lines(columns: Sequence[str], rows: Rows) -> bytes:
    """NDJSON of `rows`."""
    parts = (mappings_of(part, columns) for part in _parts(rows))
    return b"".join(_json(row) + b"\n" for part in parts for row in part)


def _json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null")


def _parts(rows: Rows) -> Iterator[Rows]:
    """`rows` bit by bit.

    The interpreter's lock is given up in between: another thread, such as the event loop's, that
    waits for it has it at once, and not when it is taken away, after 5 ms at each turn.
    """
    for start in range(0, len(rows), PART_ROWS):
        if start:
            sleep(0)
        yield rows[start : start + PART_ROWS]


def render_csv(table: Table) -> bytes:
    """A header line and one line a row, CRLF line ends (RFC 4180), UTF-8 without BOM."""
    return csv_lines(table.columns, table.rows).encode()


def csv_lines(columns: Sequence[str], rows: Rows, *, header: bool = True) -> str:
    """CSV text of `rows`; every text cell is made harmless for spreadsheets (`csv_cell`)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if header:
        writer.writerow(columns)
    for part in _parts(rows):
        values = zip(*values_of(part, columns), strict=True)
        writer.writerows(zip(*map(_csv_cells, values), strict=True))
    return buffer.getvalue()


def _csv_cells(values: Sequence[Any]) -> Sequence[Any]:
    """`csv_cell` of a column's values: nothing to do for numbers, once for each text."""
    types = set(map(type, values))
    if types <= _PLAIN_CELLS:
        return values
    if types == {str}:
        cells = {value: csv_cell(value) for value in set(values)}
        return [cells[value] for value in values]
    return list(map(csv_cell, values))


def csv_cell(value: Any) -> Any:
    """What stands in a CSV cell for `value`.

    A text that a spreadsheet would run as a formula (it begins with = + - @, tab or a line end)
    gets a leading apostrophe; numbers stay numbers, negative ones and those written as text too.
    None is an empty cell, a list is joined with ';'.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        value = ";".join(str(part) for part in value)
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        chosen.name: chosen
        for chosen in (
            Format(
                "json",
                "application/json",
                (),
                "json",
                render_json,
                attachment=False,
                meta_in_body=True,
            ),
            Format("csv", "text/csv", ("application/csv",), "csv", render_csv),
            Format(
                "ndjson",
                "application/x-ndjson",
                ("application/ndjson", "application/jsonl"),
                "ndjson",
                render_ndjson,
            ),
            Format(
                "parquet",
                "application/vnd.apache.parquet",
                ("application/x-parquet",),
                "parquet",
                render_parquet,
                meta_in_body=True,
                binary=True,
            ),
            Format(
                "arrow",
                "application/vnd.apache.arrow.stream",
                (),
                "arrows",
                render_arrow,
                meta_in_body=True,
                binary=True,
            ),
        )
    }
)
"""In the server's order of preference."""

_NAMES: Final = tuple(FORMATS)
FORMAT_HELP: Final = (
    f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}; left out, the Accept header decides."
)
"""The description of every parameter `format`."""

MEDIA_TYPES: Final = tuple(chosen.media_type for chosen in FORMATS.values())


def choose_format(
    name: str | None, accept: str | None, formats: Mapping[str, Format] = FORMATS
) -> Format:
    """The format that `format=` names, or else the one that the Accept header prefers.

    Raises UnknownValue (422) for a name that is not known and NotAcceptable (406) where the
    header accepts none. No header, an empty one and `*/*` mean JSON.
    """
    if name is not None:
        return _named(name, formats)
    if accept is None or not accept.strip():
        return next(iter(formats.values()))
    ranges = _media_ranges(accept)
    weights = {key: _weight(item, ranges) for key, item in formats.items()}
    best = max(formats, key=lambda key: weights[key])
    if weights[best] <= 0:
        offered = ", ".join(item.media_type for item in formats.values())
        raise NotAcceptable(
            f"Accept {accept[:100]!r} allows none of the media types here: {offered}. "
            "Or name a format with format=."
        )
    return formats[best]


def _named(name: str, formats: Mapping[str, Format]) -> Format:
    if name not in formats:
        raise UnknownValue(
            f"format {name[:40]!r} is not known here. Nearest: {nearest(name, formats, 1)[0]}. "
            f"All: {', '.join(formats)}.",
            code="unknown_format",
            parameter="format",
            nearest=nearest(name, formats, 1),
        )
    return formats[name]


def _media_ranges(accept: str) -> dict[str, float]:
    """Media range to its weight; what cannot be read counts as absent."""
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(1.0, max(0.0, float(parameter[2:])))
                except ValueError:
                    weight = 0.0
        ranges[media] = max(weight, ranges.get(media, 0.0))
    return ranges


def _weight(chosen: Format, ranges: Mapping[str, float]) -> float:
    """The weight of the most specific range that covers the format (RFC 9110, 12.5.1)."""
    exact = [ranges[media] for media in (chosen.media_type, *chosen.aliases) if media in ranges]
    if exact:
        return max(exact)
    family = chosen.media_type.split("/")[0] + "/*"
    return ranges.get(family, ranges.get("*/*", 0.0))


async def render_table(
    rows: Rows,
    meta: Meta,
    columns: Sequence[str],
    format: Format,
    filename: str = "payband",
    kinds: Kinds = NO_KINDS,
) -> Response:
    """The response that carries a table in that format.

    `filename` is without its ending; `kinds` are those of the columns, for the formats that have
    types (`app.core.rows.typed_columns` says what happens to a column without). Large tables are
    rendered in a thread.
    """
    table = Table(rows, meta, columns, kinds)
    if format.binary or len(rows) > THREAD_ROWS:
        body = await to_thread.run_sync(format.render, table)
    else:
        body = format.render(table)
    headers = {"Vary": "Accept"}
    if not format.meta_in_body:
        headers[META_HEADER] = meta_header(meta)
    if format.attachment:
        headers["Content-Disposition"] = f'attachment; filename="{filename}.{format.ending}"'
    return Response(body, headers=headers, media_type=format.media_type)


def meta_header(meta: Meta) -> str:
    """The essentials of `meta` as compact ASCII JSON: without the query, which the client knows.

    Where that is long, only the plain values stay.
    """
    essentials = {key: value for key, value in meta.items() if key != "query"}
    text = _ascii_json(essentials)
    if len(text) > META_HEADER_LIMIT:
        plain = str | int | float | bool | None
        text = _ascii_json({key: v for key, v in essentials.items() if isinstance(v, plain)})
    return text


def _ascii_json(value: Mapping[str, Any]) -> str:
    return json.dumps(json.loads(to_json(value)), separators=(",", ":"))
