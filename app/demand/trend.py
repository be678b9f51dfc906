"""Demand over time: dense periods, changes and an index.

One statement gives the groups of the window, a second one those of the year before it, so that
the first periods have changes too. What stands between periods is computed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from app.core.errors import Refused
from app.demand.queries import find_demand
from app.demand.reading import DemandReading
from app.demand.shape import DemandShape
from app.demand.trend_shape import DemandTrendShape
from app.domain.dates import Interval, Window
from app.domain.growth import DECIMALS, change
from app.domain.periods import (
    Label,
    number_of_label,
    period_label,
    period_number,
    periods_per_year,
    year_before,
)
from app.domain.windows import is_cut
from app.statistics.queries import Totals
from app.statistics.shape import MAX_GROUPS
from app.statistics.trend_shape import check_periods, check_rows

Row = dict[str, Any]
Series = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Groups by series and by the number of the period. `names` are the columns of a series."""

    names: tuple[str, ...] = ()
    groups: Mapping[Series, Mapping[int, Row]] = field(default_factory=dict)

    def figure(self, series: Series, number: int, name: str) -> float | None:
        """One figure; None where there is none."""
        row = self.groups.get(series, {}).get(number)
        return None if row is None else row[name]

    def largest(self, count: int) -> list[Series]:
        """The series with the most records, in the order of the grouping."""
        records = {
            series: sum(row["count"] for row in rows.values())
            for series, rows in self.groups.items()
        }
        most = set(sorted(records, key=lambda series: -records[series])[:count])
        return [series for series in records if series in most]


@dataclass(frozen=True, slots=True)
class Base:
    """What is 100 in an index: periods by number, and how they are called; both may be missing."""

    numbers: Sequence[int] = ()
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class DemandTrend:
    """The rows of a trend, series by series, each with the same periods in order.

    `series` counts the series, of which `shown` are in the rows. `change_of` is None without data;
    `without_base` counts the series shown that have no index.
    """

    rows: list[Row] = field(repr=False)
    totals: Totals
    series: int
    shown: int
    change_of: str | None
    base: Base
    without_base: int
    labels: tuple[Label, ...]
    cut: tuple[Label, ...]

    def describe(self) -> Row:
        """What `meta` says of a trend beside the usual."""
        first, last = (self.labels[0], self.labels[-1]) if self.labels else (None, None)
        return {
            "groups": self.series,
            "truncated": self.series > self.shown,
            "periods": {"first": first, "last": last, "count": len(self.labels)},
            "cut_periods": list(self.cut),
            "change_of": self.change_of,
            "index": {"base": self.base.label, "series_without_base": self.without_base},
        }


async def find_demand_trend(reading: DemandReading, shape: DemandTrendShape) -> DemandTrend:
    """The trend, each series over all periods of the answer, in two statements.

    From the window's bounds where they are given, else from the first period with data to the
    last. Raises UnknownValue, and Refused for more periods or rows than are answered and for a
    base outside of them (all 422).
    """
    panel, totals, usual = await _find_panel(reading, shape)
    change_of = shape.change_of or usual
    window = reading.filters.window
    numbers = _numbers(panel, window, shape.interval)
    kept = panel.largest(shape.series) if numbers else []
    check_rows(len(kept), len(numbers))
    earlier = await _find_earlier(reading, shape) if kept else Panel()
    base = _find_base(panel, window, numbers, shape, change_of)
    parts = _Parts(shape, panel, earlier, window, numbers[0] if numbers else 0, change_of)
    bases = {series: parts.mean(series, base.numbers) for series in kept}
    return DemandTrend(
        rows=[parts.row(series, number, bases[series]) for series in kept for number in numbers],
        totals=totals,
        series=len(panel.groups) if kept else 0,
        shown=len(kept),
        change_of=change_of if totals.records else shape.change_of,
        base=base,
        without_base=sum(not value for value in bases.values()),
        labels=tuple(period_label(number, shape.interval) for number in numbers),
        cut=tuple(_cut(window, numbers, shape.interval)),
    )


async def _find_panel(reading: DemandReading, shape: DemandTrendShape) -> tuple[Panel, Totals, str]:
    """The groups with data, their totals, and what changes are of where nothing was asked."""
    asked = DemandShape(shape.periodic, shape.computed, limit=MAX_GROUPS, dense=True)
    answer = await find_demand(reading, asked)
    names = tuple(shape.grouping.columns)
    # One series over everything is there without data too.
    groups: dict[Series, dict[int, Row]] = {} if names else {(): {}}
    for values in answer.rows:
        # Not strict: rows are longer than the columns (see Answer).
        row = dict(zip(answer.columns, values, strict=False))
        series = tuple(row[name] for name in names)
        number = number_of_label(row[shape.interval], shape.interval)
        groups.setdefault(series, {})[number] = row
    return Panel(names, groups), answer.totals, f"openings_{answer.share_of or 'new'}"


async def _find_earlier(reading: DemandReading, shape: DemandTrendShape) -> Panel:
    """The year before the window, for changes of its first periods."""
    first = reading.filters.window.first
    if first is None:
        return Panel()
    window = Window(year_before(first), first - timedelta(days=1))
    panel, _, _ = await _find_panel(reading.asking(replace(reading.filters, window=window)), shape)
    return panel


def _numbers(panel: Panel, window: Window, interval: str) -> range:
    """The periods of all series: from bound to bound of the window.

    On a side where that is open, from or to the first or last period with data.
    """
    known = [number for rows in panel.groups.values() for number in rows]
    if not known and (window.first is None or window.last is None):
        return range(0)
    first = min(known) if window.first is None else period_number(window.first, interval)
    last = max(known) if window.last is None else period_number(window.last, interval)
    check_periods(last - first + 1, interval)
    return range(first, last + 1)


def _cut(window: Window, numbers: range, interval: str) -> list[Label]:
    """The periods that the window covers in part."""
    ends = {numbers[0], numbers[-1]} if numbers else set()
    return [
        period_label(number, interval)
        for number in sorted(ends)
        if is_cut(window, number, interval)
    ]


def _find_base(
    panel: Panel, window: Window, numbers: range, shape: DemandTrendShape, change_of: str
) -> Base:
    """What is 100. Raises Refused (422) where it lies outside of the periods."""
    interval = shape.interval
    if shape.base is None:
        usable = (
            number
            for number in numbers
            if not is_cut(window, number, interval)
            and any(panel.figure(series, number, change_of) for series in panel.groups)
        )
        first = next(usable, None)
        return Base() if first is None else Base([first], period_label(first, interval))
    label = base_label(shape.base)
    first, last = (period_number(day, interval) for day in (shape.base.first, shape.base.last))
    if numbers and not (numbers[0] <= first and last <= numbers[-1]):
        raise Refused(
            f"base {label} is not inside the trend, which goes from "
            f"{period_label(numbers[0], interval)} to {period_label(numbers[-1], interval)}.",
            code="base_outside_window",
            parameter="base",
        )
    return Base(range(first, last + 1), label)


def base_label(base: Interval) -> Label:
    """A base as it is written."""
    return period_label(period_number(base.first, base.precision), base.precision)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the rows of a trend are made of; `earlier` holds what lies before the period `start`.

    Some days of a period say nothing of another, whole one: a period that the window covers in
    part has no index and is in no base, and changes are of whole periods or of the same days.
    """

    shape: DemandTrendShape
    panel: Panel
    earlier: Panel
    window: Window
    start: int
    change_of: str

    def row(self, series: Series, number: int, base: float | None) -> Row:
        """The row of a period: figures where there are any, what changed, and the index."""
        interval = self.shape.interval
        found = self.panel.groups[series].get(number)
        now = self._figure(series, number)
        whole = None if self._is_cut(number) else now
        return {
            **dict(zip(self.panel.names, series, strict=True)),
            interval: period_label(number, interval),
            **{measure.name: _shown(measure.name, found) for measure in self.shape.measures},
            "change_previous": self._change(series, number, 1),
            "change_year": self._change(series, number, periods_per_year(interval)),
            "index": None if whole is None or not base else round(100 * whole / base, DECIMALS),
            "status": "empty" if found is None else "ok",
        }

    def mean(self, series: Series, numbers: Sequence[int]) -> float | None:
        """The mean of a series over the whole periods among `numbers` that have a figure."""
        whole = [number for number in numbers if not self._is_cut(number)]
        found = [self.panel.figure(series, number, self.change_of) for number in whole]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if known else None

    def _change(self, series: Series, number: int, back: int) -> float | None:
        """The change since `back` periods before; None where other days would be compared."""
        before = number - back
        if not self._are_alike(number, before):
            return None
        return change(self._figure(series, number), self._figure(series, before))

    def _are_alike(self, number: int, before: int) -> bool:
        """Whether both periods are whole, or hold the same days of two years."""
        interval = self.shape.interval
        if number == self.start == before + periods_per_year(interval):
            # What is looked back at begins a year before the window: within a period as it does.
            return not is_cut(Window(None, self.window.last), number, interval)
        return not (self._is_cut(number) or self._is_cut(before))

    def _is_cut(self, number: int) -> bool:
        return is_cut(self.window, number, self.shape.interval)

    def _figure(self, series: Series, number: int) -> float | None:
        panel = self.panel if number >= self.start else self.earlier
        return panel.figure(series, number, self.change_of)


def _shown(name: str, found: Row | None) -> Any:
    if found is not None:
        return found[name]
    return 0 if name == "count" else None
