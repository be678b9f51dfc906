"""Pay and demand of the same groups: two or three statements in one snapshot, joined here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from anyio import to_thread

from app.core.formats import THREAD_ROWS
from app.demand.measures import MEASURES as DEMAND_MEASURES
from app.demand.queries import DemandAnswer, find_demand
from app.demand.reading import DemandReading, demand_beside, not_of_demand
from app.demand.shape import DemandShape
from app.domain.dates import Window
from app.domain.growth import change
from app.domain.periods import MONTHS, Label, number_of_label, period_label, periods_per_year
from app.domain.windows import year_earlier
from app.market.shape import DEMAND, MarketShape
from app.market.sorting import in_order
from app.statistics.envelope import describe_answer
from app.statistics.grouping import Grouping
from app.statistics.measures import MEASURES
from app.statistics.queries import Answer, find_statistics
from app.statistics.reading import Reading
from app.statistics.shape import MAX_GROUPS, Shape, check_groups
from app.statistics.trend import within

Row = dict[str, Any]
Key = tuple[Any, ...]

NO_PAY: Final = "no_pay"
NO_DEMAND: Final = "no_demand"
ABSENT: Final = "absent"
"""Pay that a release does not show: hidden or empty, it is not said which."""


@dataclass(frozen=True, slots=True)
class Market:
    """At most `limit` rows of `groups`, and the two answers that they were made of.

    `before` is the window that changes look back at, None where there are no changes.
    """

    rows: list[Row] = field(repr=False)
    groups: int
    reading: Reading
    pay: Answer
    beside: DemandReading
    demand: DemandAnswer
    before: Window | None

    def describe(self) -> Row:
        """`meta`, without the query."""
        pay = describe_answer(self.reading, self.pay)
        demand = self.beside.describe(self.demand.totals, len(self.demand.rows))
        sources = {source["code"]: source for source in (*pay["sources"], *demand["sources"])}
        kept = ("population", "records", "coverage", "data_as_of")
        return {
            **pay,
            "groups": self.groups,
            "truncated": self.groups > len(self.rows),
            "sources": list(sources.values()),
            "demo": pay["demo"] or demand["demo"],
            "change_year_from": self.before and self.before.first,
            "change_year_to": self.before and self.before.last,
            "demand": {
                "query": self.beside.filters.echo(),
                "filters_not_applied": not_of_demand(self.reading),
                "share_of": self.demand.share_of,
                **{name: demand[name] for name in kept},
            },
        }


async def find_market(reading: Reading, shape: MarketShape) -> Market:
    """One row for each group that has pay, demand or both.

    Pay is live or of the release; demand is always of the public records. Raises UnknownValue and
    Refused (422), among others for more groups than are answered.
    """
    grouping = shape.grouping
    pay = await find_statistics(reading, Shape(grouping, shape.pay, limit=MAX_GROUPS))
    before, earlier = await _find_earlier(reading, grouping, pay)
    # The change is as good as the worse of its two medians.
    error = max(pay.max_relative_error, earlier.max_relative_error)
    pay = replace(pay, max_relative_error=error)
    medians = _medians_year_later(earlier, grouping) if before is not None else {}
    beside = await demand_beside(reading)
    figures = (*DEMAND, DEMAND_MEASURES["share"], DEMAND_MEASURES["count"])
    demand = await find_demand(beside, DemandShape(grouping, figures, limit=MAX_GROUPS))
    released = reading.release is not None
    parts = _Parts(shape, _by_key(pay, grouping), _by_key(demand, grouping), medians, released)
    check_groups(len(parts.keys()))
    if len(parts.keys()) > THREAD_ROWS:
        rows = await to_thread.run_sync(parts.rows)
    else:
        rows = parts.rows()
    return Market(rows[: shape.limit], len(rows), reading, pay, beside, demand, before)


async def _find_earlier(
    reading: Reading, grouping: Grouping, now: Answer
) -> tuple[Window | None, Answer]:
    """The window a year before and its medians: None, and `now`, where there is none.

    Without periods in the grouping, only a window with two ends has a year before.
    """
    window = reading.filters.window
    periodic = any(dimension.name in MONTHS for dimension in grouping.dimensions)
    if not periodic and (window.first is None or window.last is None):
        return None, now
    before = year_earlier(window)
    if window.is_open:
        return before, now
    asked = Shape(grouping, (MEASURES["p50"],), limit=MAX_GROUPS)
    return before, await find_statistics(within(reading, before), asked)


def _medians_year_later(earlier: Answer, grouping: Grouping) -> dict[Key, Row]:
    """By the keys that the groups have now."""
    return {_year_later(key, grouping): row for key, row in _by_key(earlier, grouping).items()}


def _by_key(answer: Answer, grouping: Grouping) -> dict[Key, Row]:
    names = [dimension.name for dimension in grouping.dimensions]
    # Not strict: rows are longer than the columns (see Answer).
    rows = (dict(zip(answer.columns, values, strict=False)) for values in answer.rows)
    return {tuple(row[name] for name in names): row for row in rows}


def _year_later(key: Key, grouping: Grouping) -> Key:
    """The key of a group with each period in it moved by a year."""

    return tuple(
        _label_year_later(member, dimension.name) if dimension.name in MONTHS else member
        for dimension, member in zip(grouping.dimensions, key, strict=True)
    )


def _label_year_later(label: Label, interval: str) -> Label:
    return period_label(number_of_label(label, interval) + periods_per_year(interval), interval)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The groups of pay, of demand and of the pay a year before, by their members."""

    shape: MarketShape
    pay: Mapping[Key, Row]
    demand: Mapping[Key, Row]
    earlier: Mapping[Key, Row]
    released: bool

    def keys(self) -> set[Key]:
        """The groups on either side."""
        return {*self.pay, *self.demand}

    def rows(self) -> list[Row]:
        """All rows in the order asked."""
        rows = [self._row(key) for key in self.keys()]
        ordered = in_order(rows, self.shape.sort, self.shape.grouping)
        return [{name: row[name] for name in self.shape.columns} for row in ordered]

    def _row(self, key: Key) -> Row:
        pay, demand = self.pay.get(key), self.demand.get(key)
        head = pay or demand or {}
        figures = {measure.name: (pay or {}).get(measure.name) for measure in self.shape.pay}
        if pay is None and not self.released:
            figures["count"] = 0
        before = self.earlier.get(key, {}).get("p50")
        openings = {measure.name: (demand or {}).get(measure.name) for measure in DEMAND}
        return {
            **{name: head[name] for name in self.shape.grouping.columns},
            **figures,
            "change_year": change(figures["p50"], before),
            **openings,
            "demand_share": (demand or {}).get("share"),
            "demand_records": 0 if demand is None else demand["count"],
            "status": self._status(pay, demand),
        }

    def _status(self, pay: Row | None, demand: Row | None) -> str:
        """What a row lacks; a status of the pay's own (`no_index`) counts more."""
        if pay is None:
            return ABSENT if self.released else NO_PAY
        if pay["status"] != "ok":
            return str(pay["status"])
        return "ok" if demand is not None else NO_DEMAND
