"""The one statement behind an answer, as text.

As text, because composing it of expression objects took 30 ms, longer than many answers. All its
parts are from registries of ours; what clients write arrives through `sql_of` alone.

Records are grouped by hashing, each group keeping its amounts as an array; then the groups that
are shown sort theirs one by one. That is twice as fast as sorting all records by group, and lets
the ranks of the median's interval follow the group's size
(docs/decisions/0004-percentiles-in-sql.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.domain.vocabulary import PRECISIONS
from app.statistics.adjustment import UNADJUSTED, Adjustment
from app.statistics.amounts import amount_sql
from app.statistics.basis import Basis
from app.statistics.filters import (
    Filters,
    RecordTable,
    build_conditions,
    inside,
    sql_of,
    touches,
)
from app.statistics.grouping import (
    DIMENSIONS,
    NO_GROUPS,
    Grouping,
    key_sql,
    named_sql,
    order_sql,
)
from app.statistics.measures import (
    MEDIAN_INTERVAL,
    Measure,
    Unit,
    inputs_of,
    median_interval_sql,
    percentiles_of,
    percentiles_sql,
)
from app.statistics.population import Population
from app.statistics.shape import MAX_GROUPS, Shape, SortKey
from app.tables import SalaryRecord
from app.taxonomies.catalogue import Catalogue

LEFT_OUT: Final = ("rate_pending", "one_sided", "out_of_bounds", "precision", "no_index")
"""Why a record that matches the filters enters no figure."""

TOTALS: Final = ("groups", "records", "ranged", *LEFT_OUT, "newest", "sources")
"""The columns at the end of the first row of the answer."""

FILLED: Final = "count > 0 OR no_index > 0"
"""Which groups are part of an answer."""

STATUS: Final = "CASE WHEN count > 0 THEN 'ok' ELSE 'no_index' END AS status"

MONEY_DECIMALS: Final = 6
"""Finer than any figure is meant."""

MOST_FLAGGED_SOURCES: Final = 62
"""Sources that fit into the bits of a bigint."""


@dataclass(frozen=True, slots=True)
class Question:
    """What decides figures of pay, whatever their shape.

    `native` asks for amounts as they were paid; money is multiplied with `factor`.
    """

    catalogue: Catalogue
    population: Population
    filters: Filters
    basis: Basis = field(default_factory=Basis)
    native: bool = False
    factor: float = 1.0
    adjustment: Adjustment = UNADJUSTED


def build_statistics(question: Question, shape: Shape) -> str:
    """SQL whose rows hold dimensions and measures, then `status` and TOTALS (`answer_sql`)."""
    grouped = f"grouped AS MATERIALIZED ({groups_sql(question, shape)})"
    shown = [
        *shape.grouping.columns,
        *(f'"{measure.name}"' for measure in shape.measures),
        "status",
    ]
    return answer_sql([grouped], shown, page_sql(question, shape), TOTALS, totals_sql())


def answer_sql(
    tables: Sequence[str], shown: Sequence[str], page: str, totals: Sequence[str], total: str
) -> str:
    """The columns `shown` of `page` in the order of its `place`, and `totals`, those of `total`.

    `total` is one row whose `place` is 1: only the first row of the answer carries the totals;
    without groups it holds nothing else.
    """
    columns = ", ".join((*shown, *(f"totals.{name}" for name in totals)))
    return "\n".join(
        (
            f"WITH {', '.join(tables)}",
            f"SELECT {columns}",
            f"FROM ({page}) AS page",
            f"FULL JOIN ({total}) AS totals ON totals.place = page.place ORDER BY page.place",
        )
    )


def groups_sql(question: Question, shape: Shape) -> str:
    """One row for each group: keys, `count`, what its measures need of `mean`, `stddev`, `amounts`
    and `staff` (arrays, with nulls), and the columns of TOTALS from `ranged` on.
    """
    value = value_sql(question, shape.grouping)
    keys = [
        f"{key_sql(item, shape.grouping)} AS {item.name}_key" for item in shape.grouping.dimensions
    ]
    columns = [
        *keys,
        f"count({value}) AS count",
        *_inputs(value, shape),
        f"count({value}) FILTER (WHERE r.amount_min < r.amount_max) AS ranged",
        *left_out_sql(question, shape.grouping),
        f"max(r.observed_on) FILTER (WHERE {value} IS NOT NULL) AS newest",
        f"{_flags(value, question.population)} AS sources",
    ]
    by = ", ".join(str(place) for place in range(1, len(keys) + 1))
    return "\n".join(
        (
            f"SELECT {', '.join(columns)}",
            salaries_sql(question, shape.grouping),
            f"GROUP BY {by}" if by else "",
        )
    )


def value_sql(question: Question, grouping: Grouping = NO_GROUPS) -> str:
    """The amount of a record `r` that figures are about, null where it enters none.

    Yearly, before `question.factor`; over what `salaries_sql` gives.
    """
    amount = amount_sql(question.basis.bound, native=question.native)
    if question.adjustment.factor is not None:
        amount = f"{amount} * {question.adjustment.factor}"
    placed = placed_sql(SalaryRecord, question.filters, grouping)
    return amount if placed is None else f"CASE WHEN {placed} THEN {amount} END"


def salaries_sql(question: Question, grouping: Grouping = NO_GROUPS) -> str:
    """FROM and WHERE: the salary records `r` that match the filters or touch their window."""
    return records_sql(
        SalaryRecord,
        question.catalogue,
        question.population,
        question.filters,
        grouping,
        question.adjustment.joins,
    )


def records_sql(
    table: RecordTable,
    catalogue: Catalogue,
    population: Population,
    filters: Filters,
    grouping: Grouping,
    joins: str = "",
) -> str:
    """FROM and WHERE: the records `r` that match the filters or touch their window."""
    conditions = [
        population.condition(table),
        touches(table, filters.window),
        *build_conditions(filters, catalogue, table),
    ]
    lifting = "JOIN regions AS lifted ON lifted.id = r.region_id" if grouping.region_kind else ""
    return f"FROM {table.__tablename__} AS r {joins} {lifting} WHERE {sql_of(conditions)}"


def placed_sql(table: RecordTable, filters: Filters, grouping: Grouping) -> str | None:
    """Whether window and grouping can place a record; None where all can be placed."""
    conditions = []
    if not filters.window.is_open:
        conditions.append(sql_of([inside(table, filters.window)]))
    if grouping.coarsest is not None and grouping.coarsest < max(PRECISIONS.values()):
        conditions.append(f"r.precision <= {grouping.coarsest}")
    return " AND ".join(conditions) or None


def _inputs(value: str, shape: Shape) -> list[str]:
    needs = inputs_of(shape.computed)
    columns = []
    if "mean" in needs:
        columns.append(f"avg({value})::float8 AS mean")
    if "stddev" in needs:
        columns.append(f"stddev_samp({value})::float8 AS stddev")
    if needs - {"mean", "stddev", "employers"}:
        columns.append(f"array_agg({value}) AS amounts")
    if "employers" in needs:
        columns.append(f"array_agg(r.employer_key) FILTER (WHERE {value} IS NOT NULL) AS staff")
    return columns


def left_out_sql(question: Question, grouping: Grouping = NO_GROUPS) -> list[str]:
    """Counts in the order of LEFT_OUT. A record that cannot be placed is counted as that only."""
    amount = amount_sql(question.basis.bound, native=question.native)
    placed = placed_sql(SalaryRecord, question.filters, grouping)
    where = "" if placed is None else f"{placed} AND "
    undefined = f"{where}{amount} IS NULL"
    pending = "false" if question.native else "r.rate_pending"
    settled = f"{undefined} AND NOT {pending}"
    one_sided = "(r.amount_min IS NULL OR r.amount_max IS NULL)"
    factor = question.adjustment.factor
    reasons = {
        "rate_pending": "false" if question.native else f"{undefined} AND r.rate_pending",
        "one_sided": f"{settled} AND {one_sided}",
        "out_of_bounds": f"{settled} AND NOT {one_sided}",
        "precision": "false" if placed is None else f"NOT ({placed})",
        "no_index": "false"
        if factor is None
        else f"{where}{amount} IS NOT NULL AND {factor} IS NULL",
    }
    return [
        "0 AS " + name if reason == "false" else f"count(*) FILTER (WHERE {reason}) AS {name}"
        for name, reason in reasons.items()
    ]


def _flags(value: str, population: Population) -> str:
    """A bit for each source of the population that a group's amounts come from.

    Null where there is nothing to tell apart, or more sources than bits.
    """
    if not 1 < len(population.source_ids) <= MOST_FLAGGED_SOURCES:
        return "NULL::bigint"
    bits = " ".join(
        f"WHEN {source_id} THEN {1 << place}::bigint"
        for place, source_id in enumerate(population.source_ids)
    )
    return f"bit_or(CASE r.source_id {bits} END) FILTER (WHERE {value} IS NOT NULL)"


def totals_sql() -> str:
    """One row of sums over all groups."""
    columns = [
        "1 AS place",
        f"count(*) FILTER (WHERE {FILLED}) AS groups",
        "coalesce(sum(count), 0)::bigint AS records",
        *(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in ("ranged", *LEFT_OUT)),
        "max(newest) AS newest",
        "bit_or(sources) AS sources",
    ]
    return " ".join(("SELECT", ", ".join(columns), "FROM grouped"))


def page_sql(question: Question, shape: Shape) -> str:
    """The groups that are shown: columns of the dimensions, measures, `status`, and `place` in the
    order.

    A group without amounts is shown only where they were there but for an index.
    """
    order = ordering_sql(shape.sort, shape.grouping)
    # With more groups than are answered none is sorted: the totals say how many there are.
    few = " ".join(("(SELECT count(*) FROM grouped WHERE", FILLED, f") <= {MAX_GROUPS}"))
    groups = named_sql(shape.grouping, f"({FILLED}) AND {few}")
    cut = f"ORDER BY {order} LIMIT {shape.limit}"
    if not any(key.measure is not None and key.measure.needs_values for key in shape.sort):
        # Sums decide the order: what is not shown needs no percentiles.
        groups = " ".join(("SELECT * FROM", f"({groups}) AS g {cut}"))
    measures = [f'{shown_sql(item, question)} AS "{item.name}"' for item in shape.measures]
    place = f"row_number() OVER (ORDER BY {order}) AS place"
    return "\n".join(
        (
            f"SELECT {', '.join([*shape.grouping.columns, *measures, STATUS, place])}",
            f"FROM ({figured_sql(groups, shape)}) AS g",
            f"ORDER BY place LIMIT {shape.limit}",
        )
    )


def shown_sql(measure: Measure, question: Question) -> str:
    """Money in the currency and period asked, without the noise of binary fractions."""
    if measure.unit is not Unit.MONEY:
        return measure.sql
    scale = 10**MONEY_DECIMALS
    return f"round({measure.sql} * {question.factor * scale!r}) / {scale}"


def figured_sql(groups: str, shape: Shape) -> str:
    """`groups` with the inputs that need all amounts: percentiles, p50_low, p50_high, employers."""
    needs, percentiles = inputs_of(shape.computed), percentiles_of(shape.computed)
    columns, figures, joins = ["g.*"], [], []
    if percentiles:
        figures.append(f"{percentiles_sql(percentiles, 'amount::float8')} AS percentiles")
        columns += [f'f.percentiles[{i}] AS "{name}"' for i, name in enumerate(percentiles, 1)]
    if needs.intersection(MEDIAN_INTERVAL):
        figures.append(f"{median_interval_sql('g.count', 'amount::float8')} AS bounds")
        columns += [f"f.bounds[{i}] AS {name}" for i, name in enumerate(MEDIAN_INTERVAL, 1)]
    if figures:
        inner = ("SELECT", ", ".join(figures), "FROM unnest(g.amounts) AS amount")
        joins.append(f"CROSS JOIN LATERAL ({' '.join(inner)}) AS f")
    if "employers" in needs:
        distinct = "SELECT count(DISTINCT employer) AS employers FROM unnest(g.staff) AS employer"
        joins.append(f"CROSS JOIN LATERAL ({distinct}) AS s")
        columns.append("s.employers")
    return " ".join(("SELECT", ", ".join(columns), f"FROM ({groups}) AS g", *joins))


def ordering_sql(sort: Sequence[SortKey], grouping: Grouping) -> str:
    """ORDER BY: what was asked, then the grouping's own order, so that ties are settled."""
    terms = []
    for key in (*sort, *(SortKey(item.name, False) for item in grouping.dimensions)):
        if key.measure is None:
            terms += order_sql(DIMENSIONS[key.name], descending=key.descending)
        else:
            direction = "DESC" if key.descending else "ASC"
            terms.append(f"{key.measure.sql} {direction} NULLS LAST")
    return ", ".join(terms) or "count"
