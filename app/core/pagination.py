"""Keyset pages: a cursor says after which row the next page begins, whatever is written meanwhile.

Clients cannot read a cursor: positions hold record ids, whose gaps would tell of confidential
records. One that was cut, edited or taken from another question is refused rather than answered
with some page (app/core/cursors.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query, Request
from sqlalchemy import BigInteger, ColumnElement, Text, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.core.cursors import Cursors, Kinds, Position

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100

LimitParameter = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most rows of one page.")]
CursorParameter = Annotated[
    str | None,
    Query(
        max_length=2000,
        description="Where the next page begins: taken from the `Link` header or `meta.next`.",
    ),
]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for: at most `limit` rows after `after` (None: from the start)."""

    limit: int
    after: Position | None


async def read_page(
    cursors: Cursors, request: Request, limit: int, cursor: str | None, kinds: Kinds
) -> PageRequest:
    """The page that a request asks for; `kinds` are the types of the position's values.

    Raises Refused `invalid_cursor` (422) for a cursor that is not one, or of another question.
    """
    if cursor is None:
        return PageRequest(limit, None)
    return PageRequest(limit, await cursors.open(cursor, _question(request), kinds))


async def next_page(
    cursors: Cursors, request: Request, rows: Sequence[Any], limit: int, last: Position
) -> str | None:
    """The address (path and query) of the page after the one that ends at `last`.

    `rows` must have been read with `limit + 1`, so that their number says whether there is more;
    None where there is not. Call it outside of database sessions: it may open one.
    """
    if len(rows) <= limit:
        return None
    query = [(name, value) for name, value in request.query_params.multi_items()]
    query = [(name, value) for name, value in query if name != "cursor"]
    query.append(("cursor", await cursors.seal(last, _question(request))))
    return f"{request.url.path}?{urlencode(query)}"


def after_position(
    columns: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]], position: Position
) -> ColumnElement[bool]:
    """The WHERE condition of what comes after `position` in the ascending order of `columns`.

    Whole numbers are bound with 64 bits: a cursor may hold more than a column does.
    """
    values = [literal(value, BigInteger if isinstance(value, int) else Text) for value in position]
    return tuple_(*columns) > tuple_(*values)


def link_header(address: str | None) -> Mapping[str, str]:
    """The `Link` header (RFC 8288) of a page; empty on the last one."""
    return {} if address is None else {"Link": f'<{address}>; rel="next"'}


def _question(request: Request) -> str:
    """What must stay the same from page to page: everything but page size, form and cursor."""
    free = {"cursor", "limit", "format"}
    items = sorted(item for item in request.query_params.multi_items() if item[0] not in free)
    return f"{request.url.path}?{urlencode(items)}"
