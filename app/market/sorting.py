"""The order of rows that no single statement gives: as `statement.ordering_sql` orders."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.vocabulary import UNSPECIFIED
from app.statistics.grouping import DIMENSIONS, Grouping
from app.statistics.shape import SortKey

Row = Mapping[str, Any]


def in_order(rows: Sequence[Row], sort: Sequence[SortKey], grouping: Grouping) -> list[Row]:
    """By what was asked, then by the grouping's own order, so that ties are settled.

    What is missing or unspecified is last, ascending and descending.
    """
    ordered = list(rows)
    usual = (SortKey(dimension.name, False) for dimension in grouping.dimensions)
    for key in reversed((*sort, *usual)):
        ordered = _by(ordered, key)
    return ordered


def _by(rows: Sequence[Row], key: SortKey) -> list[Row]:
    columns = [key.name] if key.measure is not None else _columns_of(key.name)

    def is_last(row: Row) -> bool:
        return row[key.name] is None or (key.measure is None and row[key.name] == UNSPECIFIED)

    known = [row for row in rows if not is_last(row)]
    known.sort(key=lambda row: tuple(row[name] for name in columns), reverse=key.descending)
    return [*known, *(row for row in rows if is_last(row))]


def _columns_of(name: str) -> list[str]:
    """What a dimension is ordered by: levels by rank."""
    ranked = f"{name}_rank"
    return [ranked, name] if ranked in DIMENSIONS[name].columns else [name]
