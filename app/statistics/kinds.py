"""The kinds of columns in tables of figures, derived from the registries."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.core.rows import Kind
from app.statistics.grouping import DIMENSIONS
from app.statistics.measures import MEASURES, PERCENTILE, Measure, Unit

WHOLE_COLUMNS: Final = frozenset({"level_rank", "year"})
"""Columns of dimensions that hold whole numbers; the others hold texts."""

_NOT_NUMBERS: Final[Mapping[Unit, Kind]] = {
    Unit.RECORDS: Kind.WHOLE,
    Unit.EMPLOYERS: Kind.WHOLE,
    Unit.GRADE: Kind.TEXT,
}
_DIMENSION_KINDS: Final[Mapping[str, Kind]] = {
    column: Kind.WHOLE if column in WHOLE_COLUMNS else Kind.TEXT
    for dimension in DIMENSIONS.values()
    for column in dimension.columns
} | {"status": Kind.TEXT}


def unit_kind(unit: Unit) -> Kind:
    """The kind of a measure: a whole number, a grade, else a number."""
    return _NOT_NUMBERS.get(unit, Kind.NUMBER)


def column_kinds(
    columns: Iterable[str], measures: Mapping[str, Measure] = MEASURES, **others: Kind
) -> dict[str, Kind]:
    """The kinds of `columns`: dimensions, measures, percentiles, `status`, and `others` by name.

    A column that is none of these is left out.
    """
    kinds: dict[str, Kind] = {}
    for column in columns:
        if column in others:
            kinds[column] = others[column]
        elif column in _DIMENSION_KINDS:
            kinds[column] = _DIMENSION_KINDS[column]
        elif column in measures:
            kinds[column] = unit_kind(measures[column].unit)
        elif PERCENTILE.fullmatch(column):
            kinds[column] = Kind.NUMBER
    return kinds
