"""Questions that a release can answer: what it may be asked, and which of its nodes are the rows.

A release is a table over a fixed lattice of role, region, level, source and period; a node covers
everything under its region. So a question has one value or all in each dimension that its rows are
not grouped by.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from app.core.errors import Refused
from app.domain.closed_periods import KINDS, find_period, find_span
from app.domain.vocabulary import REGION_KINDS, UNSPECIFIED
from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.statistics.grouping import Grouping, named_sql, released_grouping
from app.statistics.measures import RELEASED_MEASURES, Unit, get_released_measure
from app.statistics.population import DEFAULT_PAY_KINDS, Release
from app.statistics.shape import Shape
from app.statistics.statement import Question, answer_sql, ordering_sql, shown_sql
from app.tables import ReleaseNode
from app.taxonomies.catalogue import Catalogue

RELEASED_FILTERS: Final = ("role", "region", "level", "source")
UNRELEASED_FILTERS: Final = (
    "exclude_region",
    "industry",
    "employment_type",
    "work_mode",
    "source_kind",
    "paid_in",
)
ALL: Final = -1

POSSIBLE: Final = (
    f"Possible: one value each of {', '.join(RELEASED_FILTERS)}, and a window that is one closed "
    "quarter or year, or none."
)


def check_released(filters: Filters, basis: Basis) -> None:
    """Raise Refused (422), code `not_in_release`, for what no release can answer."""
    for name in UNRELEASED_FILTERS:
        if getattr(filters, name):
            raise _refused(name, f"A release is not divided by {name}. {POSSIBLE}")
    for name in RELEASED_FILTERS:
        if len(getattr(filters, name)) > 1:
            raise _refused(name, f"{name} names several values. {POSSIBLE}")
    if filters.pay_kind not in ((), DEFAULT_PAY_KINDS):
        kinds = ",".join(DEFAULT_PAY_KINDS)
        raise _refused("pay_kind", f"A release is of pay_kind={kinds}; leave pay_kind out.")
    if basis.bound != "mid":
        raise _refused("bound", "A release is of the middle of ranges: bound=mid.")
    if basis.exact:
        raise _refused("exact", "Figures of a release are rounded; leave exact out.")


def _refused(parameter: str, detail: str) -> Refused:
    return Refused(detail, code="not_in_release", parameter=parameter)


def released_shape(shape: Shape) -> Shape:
    """The shape as releases have it. Raises Refused (422), code `not_in_release`."""
    for measure in shape.computed:
        get_released_measure(measure.name)
    return replace(shape, grouping=released_grouping(shape.grouping))


def build_nodes(question: Question, release: Release, grouping: Grouping) -> str:
    """SQL for one row per node that is a row of the answer: `<dimension>_key` and the figures.

    Raises UnknownValue for codes that are not known, Refused for windows that no period of the
    release is (both 422).
    """
    names = [dimension.name for dimension in grouping.dimensions]
    keys = {name: f"n.{name}_id" for name in names if name not in KINDS}
    catalogue, filters = question.catalogue, question.filters
    conditions = [
        f"n.release_id = {release.id}",
        _one("role", catalogue.roles, filters.role, names),
        _one("level", catalogue.levels, filters.level, names),
        _one("source", catalogue.sources, filters.source, names),
        _periods(filters, names, release.through),
    ]
    join = ""
    if grouping.region_kind is not None:
        join = "JOIN regions AS place ON place.id = n.region_id"
        keys["region"] = f"place.{grouping.region_kind}_id"
        conditions.append(_places(catalogue, filters.region, grouping.region_kind))
    else:
        conditions.append(_one("region", catalogue.regions, filters.region, names))
    keys |= {name: sql for name, sql in _PERIOD_KEYS.items() if name in names}
    columns = [f"{sql} AS {name}_key" for name, sql in keys.items()]
    figures = ["n.count", *(f"n.{m.name}{_CASTS.get(m.unit, '')}" for m in _FIGURES)]
    nodes = f"FROM {ReleaseNode.__tablename__} AS n {join} WHERE {' AND '.join(conditions)}"
    return " ".join(("SELECT", ", ".join([*columns, *figures]), nodes))


_FIGURES: Final = tuple(measure for measure in RELEASED_MEASURES if measure.name != "count")
_CASTS: Final = {Unit.MONEY: "::float8"}
_PERIOD_KEYS: Final = {
    "quarter": "make_date(n.period / 10, n.period % 10 * 3 - 2, 1)",
    "year": "make_date(n.period, 1, 1)",
}


def _one(name: str, dimension: Any, codes: Sequence[str], grouped: Sequence[str]) -> str:
    """The value that is asked for, or all in one; or each, where rows are grouped by it."""
    if codes:
        return f"n.{name}_id = {dimension.get(codes[0]).id}"
    return f"n.{name}_id {'<>' if name in grouped else '='} {ALL}"


def _places(catalogue: Catalogue, codes: Sequence[str], kind: str) -> str:
    """The regions of a kind; those in the region asked for, or itself where it is smaller."""
    kinds = f"place.kind = {REGION_KINDS[kind]}"
    if kind == "country":
        kinds = f"({kinds} OR place.id = 0)"  # records that state no region at all
    if not codes:
        return kinds
    region = catalogue.regions.get(codes[0])
    if getattr(region, f"{kind}_id") or region.code == UNSPECIFIED:
        return f"place.id = {region.id}"
    return f"{kinds} AND place.ancestors && ARRAY[{region.id}]"


def _periods(filters: Filters, grouped: Sequence[str], through: date) -> str:
    """The period that the window is, or all those in it.

    Raises Refused (422), naming the parameter that the window was given by.
    """
    window = filters.window
    first, final = ("from", "to") if filters.last is None else ("last", "last")
    for kind in KINDS:
        if kind in grouped:
            span = find_span(window, kind)
            if span is None:
                raise _refused(first, f"The window cuts a {kind}; let it begin and end with one.")
            return f"n.period BETWEEN {span[0]} AND {span[1]}"
    if window.last is not None and window.last > through:
        raise _refused(final, f"The release ends with {through}: later is not in it. {POSSIBLE}")
    period = find_period(window)
    if period is None:
        raise _refused(first, f"The window is no period of a release. {POSSIBLE}")
    return f"n.period = {period}"


def page_sql(question: Question, shape: Shape) -> str:
    """The rows that are shown: columns of the dimensions, measures, `status` and `place`."""
    order = ordering_sql(shape.sort, shape.grouping)
    measures = [f'{shown_sql(item, question)} AS "{item.name}"' for item in shape.measures]
    place = f"row_number() OVER (ORDER BY {order}) AS place"
    columns = [*shape.grouping.columns, *measures, "'ok' AS status", place]
    nodes = f"FROM ({named_sql(shape.grouping, 'true')}) AS g ORDER BY place LIMIT {shape.limit}"
    return " ".join(("SELECT", ", ".join(columns), nodes))


def build_released(question: Question, release: Release, shape: Shape) -> str:
    """SQL whose rows hold dimensions and measures, `status`, then `groups` and `records`.

    Raises UnknownValue and Refused (422) for what the release does not have.
    """
    grouped = f"grouped AS MATERIALIZED ({build_nodes(question, release, shape.grouping)})"
    shown = [*shape.grouping.columns, *(f'"{item.name}"' for item in shape.measures), "status"]
    totals = (
        "SELECT 1 AS place, count(*) AS groups, coalesce(sum(count), 0)::bigint AS records "
        "FROM grouped"
    )
    return answer_sql([grouped], shown, page_sql(question, shape), ("groups", "records"), totals)
