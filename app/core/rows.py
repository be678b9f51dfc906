"""A table as answers carry it: rows, what is told about them, and the kind of each column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, cast

Row = Mapping[str, Any]
"""A row by column."""

Values = Sequence[Any]
"""A row as its values in the order of the columns; what follows them is no part of it."""

Rows = Sequence[Row] | Sequence[Values]
"""All of one form. Many rows are better values than mappings: no mapping has to be made of them."""

Meta = Mapping[str, Any]


class Kind(StrEnum):
    """What the values of a column are; each may be null. Typed formats take it for the type."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    TRUTH = "truth"
    DATE = "date"
    MOMENT = "moment"
    TEXTS = "texts"


Kinds = Mapping[str, Kind]

NO_KINDS: Final[Kinds] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` with `columns` in order. `kinds` may leave columns out: see
    `typed_columns`."""

    rows: Rows
    meta: Meta
    columns: Sequence[str]
    kinds: Kinds = field(default_factory=dict)


def mappings_of(rows: Rows, columns: Sequence[str]) -> Sequence[Row]:
    """`rows` by column, in order: as they are, where they are so already."""
    if not rows:
        return ()
    if not isinstance(rows[0], Mapping):
        # Rows of values may be longer than the columns: zip ends with the shorter one.
        return list(map(dict, map(zip, repeat(columns), rows)))
    names = tuple(columns)
    mappings = cast("Sequence[Row]", rows)
    if all(tuple(row) == names for row in mappings):
        return mappings
    return [{column: row.get(column) for column in columns} for row in mappings]


def values_of(rows: Rows, columns: Sequence[str]) -> Sequence[Values]:
    """`rows` as values in the order of `columns`, exactly as long as those."""
    if rows and isinstance(rows[0], Mapping):
        return [[row.get(column) for column in columns] for row in cast("Sequence[Row]", rows)]
    width = len(columns)
    values = cast("Sequence[Values]", rows)
    if all(len(row) == width for row in values):
        return values
    return [row[:width] for row in values]


def texts_except(columns: Iterable[str], **others: Iterable[str]) -> dict[str, Kind]:
    """Kinds of a table of texts: `others` names, by kind, the columns that are something else.

    Raises KeyError for a column that is not among `columns`, ValueError for an unknown kind.
    """
    kinds = dict.fromkeys(columns, Kind.TEXT)
    for kind, names in others.items():
        for name in names:
            if name not in kinds:
                raise KeyError(name)
            kinds[name] = Kind(kind)
    return kinds


def typed_columns(table: Table) -> Iterator[tuple[str, Kind, Sequence[Any]]]:
    """Every column in order: its name, its kind (as declared, else that of its values), its values.

    A column that was not declared and holds nothing is text: the same question may then give
    another type another day, so a route declares all it can.
    """
    values = zip(*values_of(table.rows, table.columns), strict=True)
    empty: Sequence[Any] = ()
    for column in table.columns:
        found = next(values, empty)
        yield column, table.kinds.get(column) or infer_kind(found), found


_INFERRED: Final = (
    ((bool,), Kind.TRUTH),
    ((int,), Kind.WHOLE),
    ((int, float), Kind.NUMBER),
    ((datetime,), Kind.MOMENT),
    ((date,), Kind.DATE),
    ((list, tuple), Kind.TEXTS),
)


def infer_kind(values: Iterable[Any]) -> Kind:
    """The narrowest kind that all values have; text where they have none in common."""
    classes = {type(value) for value in values if value is not None}
    if not classes:
        return Kind.TEXT
    return next((kind for allowed, kind in _INFERRED if classes <= set(allowed)), Kind.TEXT)
