"""A table as answers carry it: rows, what is told about them, and the kind of each column."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

Row = Mapping[str, Any]
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
    """`rows` with `columns` in order. `kinds` may leave columns out: see `kinds_of`."""

    rows: Sequence[Row]
    meta: Meta
    columns: Sequence[str]
    kinds: Kinds = field(default_factory=dict)


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


def kinds_of(table: Table) -> dict[str, Kind]:
    """The kind of every column: the one that was declared, else the one of its values.

    A column that was not declared and holds nothing is text: the same question may then give
    another type another day, so a route declares all it can.
    """
    return {
        column: table.kinds.get(column) or infer_kind(row.get(column) for row in table.rows)
        for column in table.columns
    }


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
